#include "plan/sheet.h"

#include <stdio.h>
#include <string.h>

void pl_print(pl_printer *p, const char *format, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (!p->status)
        p->status = p->write(p->self, piece, pl_min((size_t)n, sizeof piece - 1), p->e);
}

void pl_print_string(pl_printer *p, const char *text)
{
    char quoted[1024];
    size_t n = pl_min(strlen(text), 160);
    while (pl_utf8_valid(text, n) != n && n > 0)
        n--;
    size_t used = pl_json_string(text, n, quoted, sizeof quoted);
    if (!p->status)
        p->status = p->write(p->self, quoted, used, p->e);
}

void pl_print_double(pl_printer *p, double value)
{
    char number[32];
    size_t n = pl_double_text(value, number);
    pl_print(p, "%.*s", (int)n, number);
}

/* ---- for programs ---- */

void pl_sheet_json_head(pl_printer *p, const pl_sheet *s)
{
    pl_print(p, "\"fits\":%s,\"limit_bytes\":%llu,\"limit_reason\":", s->fits ? "true" : "false", (unsigned long long)s->limit);
    pl_print_string(p, s->reason);
    pl_print(p, ",\"peak_bytes\":%llu,\"floor_bytes\":%llu", (unsigned long long)s->peak, (unsigned long long)s->floor);
}

void pl_sheet_json_ledger(pl_printer *p, const pl_sheet *s)
{
    pl_print(p, ",\"ledger\":[");
    for (size_t i = 0; i < s->ledger->count; i++) {
        const pl_ledger_line *l = &s->ledger->lines[i];
        pl_print(p, "%s{\"name\":", i ? "," : "");
        pl_print_string(p, l->name);
        pl_print(p, ",\"group\":");
        pl_print_string(p, l->group);
        pl_print(p, ",\"bytes\":%llu,\"from\":%u,\"to\":%u}", (unsigned long long)l->bytes, l->from, l->to);
    }
    pl_print(p, "],\"moments\":[");
    for (unsigned m = 0; m < s->moments; m++)
        pl_print(p, "%s\"%s\"", m ? "," : "", s->moment_name(m));
    pl_print(p, "]");
}

/* ---- for people ---- */

void pl_sheet_text_head(pl_printer *p, const pl_sheet *s, bool color)
{
    char peak[32], limit[32], floor[32];
    const char *bold = color ? "\x1b[1m" : "", *plain = color ? "\x1b[0m" : "", *good = color ? "\x1b[32m" : "", *bad = color ? "\x1b[31m" : "";
    pl_print(p, "limit %s (%s)\n", pl_bytes_text(s->limit, limit), s->reason);
    pl_print(p, "peak  %s%s%s%s of it, %sto the byte %llu; the smallest that works is %s\n", bold, s->fits ? good : bad, pl_bytes_text(s->peak, peak), plain,
        s->fits ? "" : "which does not fit, ", (unsigned long long)s->peak, pl_bytes_text(s->floor, floor));
}

void pl_sheet_text_ledger(pl_printer *p, const pl_sheet *s, bool color)
{
    const char *dim = color ? "\x1b[2m" : "", *plain = color ? "\x1b[0m" : "";
    char size[32];
    pl_print(p, "\n%12s  %-28s %-12s lives\n", "bytes", "name", "group");
    for (size_t i = 0; i < s->ledger->count; i++) {
        const pl_ledger_line *l = &s->ledger->lines[i];
        bool always = l->from == 0 && l->to == s->moments - 1;
        pl_print(p, "%12llu  %-28s %s%-12s %s%s%s%s\n", (unsigned long long)l->bytes, l->name, dim, l->group, always ? "always" : s->moment_name(l->from),
            always || l->from == l->to ? "" : " .. ", always || l->from == l->to ? "" : s->moment_name(l->to), plain);
    }
    pl_print(p, "\n%12s  by the moment\n", "bytes");
    for (unsigned m = 0; m < s->moments; m++) {
        uint64_t bytes = pl_ledger_at(s->ledger, m);
        unsigned bar = s->peak ? (unsigned)(bytes * 40 / s->peak) : 0;
        pl_print(p, "%12llu  %-13s ", (unsigned long long)bytes, s->moment_name(m));
        for (unsigned i = 0; i < bar; i++)
            pl_print(p, "█");
        pl_print(p, " %s\n", pl_bytes_text(bytes, size));
    }
}

/* ---- memory over time, drawn ---- */

enum { WIDTH = 860, HEIGHT = 420, LEFT = 90, TOP = 40, PLOT_WIDTH = 520, PLOT_HEIGHT = 320 };

/* One colour a group, in order of appearance. */
static const char *group_color(const pl_sheet *s, const char *group, size_t *index)
{
    static const char *const colors[] = {"#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac"};
    const char *seen[PL_COUNT(colors)];
    size_t count = 0;
    for (size_t i = 0; i < s->ledger->count; i++) {
        size_t k = 0;
        while (k < count && strcmp(seen[k], s->ledger->lines[i].group) != 0)
            k++;
        if (k == count && count < PL_COUNT(colors))
            seen[count++] = s->ledger->lines[i].group;
        if (k < PL_COUNT(colors) && strcmp(s->ledger->lines[i].group, group) == 0) {
            *index = k;
            return colors[k];
        }
    }
    *index = PL_COUNT(colors) - 1;
    return colors[*index];
}

static void svg_bars(pl_printer *p, const pl_sheet *s, double scale)
{
    double step = (double)PLOT_WIDTH / s->moments;
    for (unsigned m = 0; m < s->moments; m++) {
        double y = TOP + PLOT_HEIGHT;
        for (size_t i = 0; i < s->ledger->count; i++) {
            const pl_ledger_line *l = &s->ledger->lines[i];
            if (l->from > m || m > l->to)
                continue;
            double h = (double)l->bytes * scale;
            size_t index;
            y -= h;
            pl_print(p,
                "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%s\" stroke=\"#fff\" stroke-width=\".3\"><title>%s: %llu "
                "bytes</title></rect>\n",
                LEFT + m * step, y, step, h, group_color(s, l->group, &index), l->name, (unsigned long long)l->bytes);
        }
        pl_print(p, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", LEFT + (m + 0.5) * step, TOP + PLOT_HEIGHT + 18, s->moment_name(m));
    }
}

static void svg_legend(pl_printer *p, const pl_sheet *s)
{
    size_t next = 0;
    for (size_t i = 0; i < s->ledger->count; i++) {
        size_t index;
        const char *color = group_color(s, s->ledger->lines[i].group, &index);
        if (index != next)
            continue;
        int y = TOP + 20 * (int)next++;
        pl_print(p, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + PLOT_WIDTH + 24, y, color,
            LEFT + PLOT_WIDTH + 42, y + 10, s->ledger->lines[i].group);
    }
}

/* Ledger names are plain words and the outside names given by the caller, which are escaped here. */
void pl_sheet_svg(pl_printer *p, const pl_sheet *s)
{
    char text[32];
    bool limit_seen = s->limit < 2 * s->peak;
    double most = (double)(limit_seen ? pl_max(s->limit, s->peak) : s->peak) * 1.05, scale = PLOT_HEIGHT / most;
    pl_print(p, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", WIDTH, HEIGHT);
    pl_print(p, "<text x=\"%d\" y=\"22\" font-size=\"15\">memory of %s, peak %s</text>\n", LEFT, s->what, pl_bytes_text(s->peak, text));
    svg_bars(p, s, scale);
    struct {
        uint64_t bytes;
        const char *name, *color;
        bool shown;
    } marks[] = {{s->peak, "peak", "#222", true}, {s->limit, "limit", "#c00", limit_seen}};
    for (size_t i = 0; i < PL_COUNT(marks); i++) {
        double y = TOP + PLOT_HEIGHT - (double)marks[i].bytes * scale;
        if (marks[i].shown)
            pl_print(p,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-dasharray=\"4 3\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" "
                "fill=\"%s\">%s %s</text>\n",
                LEFT, LEFT + PLOT_WIDTH, y, y, marks[i].color, LEFT - 4, y + 4, marks[i].color, marks[i].name, pl_bytes_text(marks[i].bytes, text));
    }
    svg_legend(p, s);
    pl_print(p, "</svg>\n");
}
