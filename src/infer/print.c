/* A plan for people and for programs. */
#include "infer/infer.h"

#include <stdio.h>
#include <string.h>

typedef struct printer {
    pl_write write;
    void *self;
    pl_error *e;
    pl_status status; /* the first failure; later pieces are dropped */
} printer;

static void put(printer *p, const char *format, ...) PL_PRINTF(2, 3);
static void put(printer *p, const char *format, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (!p->status)
        p->status = p->write(p->self, piece, pl_min((size_t)n, sizeof piece - 1), p->e);
}

static void put_string(printer *p, const char *text)
{
    char quoted[1024];
    size_t n = pl_min(strlen(text), 160);
    while (pl_utf8_valid(text, n) != n && n > 0)
        n--;
    size_t used = pl_json_string(text, n, quoted, sizeof quoted);
    if (!p->status)
        p->status = p->write(p->self, quoted, used, p->e);
}

static const char *task_name(pl_task task) { return task == PL_TASK_CLASSIFY ? "classify" : "embed"; }
static const char *precision_name(pl_precision precision) { return precision == PL_PRECISION_BF16 ? "bf16" : "f32"; }

static const char *residency(const pl_plan *p)
{
    return p->knobs.slots == 0 ? "resident" : p->knobs.resident ? "mixed" : "streamed";
}

static double tokens_per_second(const pl_plan *p)
{
    double seconds = p->saved || p->fits ? p->found.best.seconds_per_row : p->found.floor.seconds_per_row;
    return 1.0 / seconds;
}

/* Bytes of weights that the job reads: once where they stay, else once a pass. */
static uint64_t read_bytes(const pl_plan *p)
{
    uint64_t all = 0, streamed = pl_program_streamed_bytes(&p->program);
    for (size_t i = 0; i < p->program.load_count; i++)
        all += (uint64_t)p->program.loads[i].rows * p->program.loads[i].depth * pl_dtype_bytes((pl_dtype)p->program.loads[i].type);
    uint64_t passes = p->request.tokens ? (p->request.tokens + p->knobs.pass_rows - 1) / p->knobs.pass_rows : 1;
    return all - streamed + passes * streamed + p->request.tokens * p->program.words.row_bytes;
}

static void knobs_json(printer *p, const pl_plan *plan)
{
    const pl_knobs *k = &plan->knobs;
    put(p, "{\"weights\":\"%s\",\"slab_bytes\":%llu,\"resident_groups\":%u,\"slots\":%u,\"tile_rows\":%u,\"window_rows\":%u,\"window_texts\":%u,\"huge_pages\":%s,",
        residency(plan), (unsigned long long)k->slab, k->resident, k->slots, k->tile_rows, k->pass_rows, plan->program.pass_texts, k->huge ? "true" : "false");
    put(p, "\"threads\":%u,\"precision\":\"%s\",\"isa\":\"%s\",\"max_length\":%u,\"longest\":%u}", plan->request.threads, precision_name(plan->precision),
        plan->request.kernels->name, plan->reading.max_length, plan->request.longest);
}

pl_status pl_plan_knobs_json(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    printer p = {write, self, e, PL_OK};
    knobs_json(&p, plan);
    return p.status;
}

pl_status pl_plan_json(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    printer p = {write, self, e, PL_OK};
    char number[32];
    put(&p, "{\"fits\":%s,\"limit_bytes\":%llu,\"limit_reason\":", plan->fits ? "true" : "false", (unsigned long long)plan->limit);
    put_string(&p, plan->reason);
    put(&p, ",\"peak_bytes\":%llu,\"floor_bytes\":%llu,\"knobs\":", (unsigned long long)plan->peak, (unsigned long long)pl_plan_floor(plan));
    knobs_json(&p, plan);
    put(&p, ",\"disk_bytes\":0,\"read_bytes\":%llu,\"write_bytes\":0,\"virtual_bytes\":%llu,\"ledger\":[", (unsigned long long)read_bytes(plan), (unsigned long long)pl__virtual_bytes(plan));
    for (size_t i = 0; i < plan->ledger.count; i++) {
        const pl_ledger_line *l = &plan->ledger.lines[i];
        put(&p, "%s{\"name\":", i ? "," : "");
        put_string(&p, l->name);
        put(&p, ",\"group\":");
        put_string(&p, l->group);
        put(&p, ",\"bytes\":%llu,\"from\":%u,\"to\":%u}", (unsigned long long)l->bytes, l->from, l->to);
    }
    size_t n = pl_double_text(tokens_per_second(plan), number);
    put(&p, "],\"moments\":[");
    for (unsigned m = 0; m < PL_MOMENT_COUNT; m++)
        put(&p, "%s\"%s\"", m ? "," : "", pl_moment_name((pl_moment)m));
    put(&p, "],\"estimate\":{\"tokens_per_second\":%.*s},", (int)n, number);
    if (plan->found.has_next) {
        n = pl_double_text(1.0 / plan->found.next.seconds_per_row, number);
        put(&p, "\"next\":{\"peak_bytes\":%llu,\"tokens_per_second\":%.*s},", (unsigned long long)plan->found.next.peak, (int)n, number);
    }
    put(&p, "\"model\":{\"family\":");
    put_string(&p, plan->model.family);
    put(&p, ",\"task\":\"%s\",\"digest\":\"%016llx\"},\"plimsoll\":\"%s\"}\n", task_name(plan->model.task), (unsigned long long)plan->digest, PL_VERSION);
    return p.status;
}

/* ---- for people ---- */

static void text_head(printer *p, const pl_plan *plan, bool color)
{
    char peak[32], limit[32], floor[32];
    const char *bold = color ? "\x1b[1m" : "", *plain = color ? "\x1b[0m" : "", *good = color ? "\x1b[32m" : "", *bad = color ? "\x1b[31m" : "";
    put(p, "%s%s%s  %s, %s, %s on %u thread%s, at most %u tokens a text\n", bold, plan->model.family, plain, task_name(plan->model.task),
        precision_name(plan->precision), plan->request.kernels->name, plan->request.threads, plan->request.threads == 1 ? "" : "s", plan->request.longest);
    put(p, "limit %s (%s)\n", pl_bytes_text(plan->limit, limit), plan->reason);
    put(p, "peak  %s%s%s%s of it, %sto the byte %llu; the smallest that works is %s\n", bold, plan->fits ? good : bad, pl_bytes_text(plan->peak, peak), plain,
        plan->fits ? "" : "which does not fit, ", (unsigned long long)plan->peak, pl_bytes_text(pl_plan_floor(plan), floor));
}

static void text_ledger(printer *p, const pl_plan *plan, bool color)
{
    const char *dim = color ? "\x1b[2m" : "", *plain = color ? "\x1b[0m" : "";
    char size[32];
    put(p, "\n%12s  %-28s %-12s lives\n", "bytes", "name", "group");
    for (size_t i = 0; i < plan->ledger.count; i++) {
        const pl_ledger_line *l = &plan->ledger.lines[i];
        bool always = l->from == 0 && l->to == PL_MOMENT_COUNT - 1;
        put(p, "%12llu  %-28s %s%-12s %s%s%s%s\n", (unsigned long long)l->bytes, l->name, dim, l->group, always ? "always" : pl_moment_name((pl_moment)l->from),
            always || l->from == l->to ? "" : " .. ", always || l->from == l->to ? "" : pl_moment_name((pl_moment)l->to), plain);
    }
    put(p, "\n%12s  by the moment\n", "bytes");
    for (unsigned m = 0; m < PL_MOMENT_COUNT; m++) {
        uint64_t bytes = pl_ledger_at(&plan->ledger, m);
        unsigned bar = plan->peak ? (unsigned)(bytes * 40 / plan->peak) : 0;
        put(p, "%12llu  %-13s ", (unsigned long long)bytes, pl_moment_name((pl_moment)m));
        for (unsigned i = 0; i < bar; i++)
            put(p, "█");
        put(p, " %s\n", pl_bytes_text(bytes, size));
    }
}

static void text_knobs(printer *p, const pl_plan *plan)
{
    const pl_knobs *k = &plan->knobs;
    char slab[32], next[32], streamed[32];
    put(p, "\n");
    if (k->slots == 0)
        put(p, "weights stay in memory: there is room for all of them\n");
    else
        put(p, "weights are %s: %s read for each window of %u token rows, in slabs of at most %s, %u in flight\n", k->resident ? "partly resident" : "streamed",
            pl_bytes_text(pl_program_streamed_bytes(&plan->program), streamed), k->pass_rows, pl_bytes_text(k->slab, slab), k->slots);
    put(p, "windows of %u token rows and %u texts, tiles of %u rows%s\n", k->pass_rows, plan->program.pass_texts, k->tile_rows, k->huge ? ", huge pages" : "");
    put(p, "about %.0f tokens a second\n", tokens_per_second(plan));
    if (plan->found.has_next)
        put(p, "with %s it would be %.2f times as fast\n", pl_bytes_text(plan->found.next.peak, next), plan->found.best.seconds_per_row / plan->found.next.seconds_per_row);
}

pl_status pl_plan_text(const pl_plan *plan, bool color, pl_write write, void *self, pl_error *e)
{
    printer p = {write, self, e, PL_OK};
    text_head(&p, plan, color);
    text_ledger(&p, plan, color);
    text_knobs(&p, plan);
    return p.status;
}

pl_status pl_plan_program(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    return pl_program_print(&plan->program, write, self, e);
}

/* ---- memory over time, drawn ---- */

enum { WIDTH = 860, HEIGHT = 420, LEFT = 90, TOP = 40, PLOT_WIDTH = 520, PLOT_HEIGHT = 320 };

/* One colour a group, in order of appearance. */
static const char *group_color(const pl_plan *plan, const char *group, size_t *index)
{
    static const char *const colors[] = {"#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac"};
    const char *seen[PL_COUNT(colors)];
    size_t count = 0;
    for (size_t i = 0; i < plan->ledger.count; i++) {
        size_t k = 0;
        while (k < count && strcmp(seen[k], plan->ledger.lines[i].group) != 0)
            k++;
        if (k == count && count < PL_COUNT(colors))
            seen[count++] = plan->ledger.lines[i].group;
        if (k < PL_COUNT(colors) && strcmp(plan->ledger.lines[i].group, group) == 0) {
            *index = k;
            return colors[k];
        }
    }
    *index = PL_COUNT(colors) - 1;
    return colors[*index];
}

static void svg_bars(printer *p, const pl_plan *plan, double scale)
{
    double step = (double)PLOT_WIDTH / PL_MOMENT_COUNT;
    for (unsigned m = 0; m < PL_MOMENT_COUNT; m++) {
        double y = TOP + PLOT_HEIGHT;
        for (size_t i = 0; i < plan->ledger.count; i++) {
            const pl_ledger_line *l = &plan->ledger.lines[i];
            if (l->from > m || m > l->to)
                continue;
            double h = (double)l->bytes * scale;
            size_t index;
            y -= h;
            put(p, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%s\" stroke=\"#fff\" stroke-width=\".3\"><title>%s: %llu bytes</title></rect>\n",
                LEFT + m * step, y, step, h, group_color(plan, l->group, &index), l->name, (unsigned long long)l->bytes);
        }
        put(p, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", LEFT + (m + 0.5) * step, TOP + PLOT_HEIGHT + 18, pl_moment_name((pl_moment)m));
    }
}

static void svg_legend(printer *p, const pl_plan *plan)
{
    size_t next = 0;
    for (size_t i = 0; i < plan->ledger.count; i++) {
        size_t index;
        const char *color = group_color(plan, plan->ledger.lines[i].group, &index);
        if (index != next)
            continue;
        int y = TOP + 20 * (int)next++;
        put(p, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + PLOT_WIDTH + 24, y, color, LEFT + PLOT_WIDTH + 42, y + 10, plan->ledger.lines[i].group);
    }
}

/* Ledger names are plain words and the outside names given by the caller, which are escaped here. */
pl_status pl_plan_svg(const pl_plan *plan, pl_write write, void *self, pl_error *e)
{
    printer p = {write, self, e, PL_OK};
    char text[32];
    bool limit_seen = plan->limit < 2 * plan->peak;
    double most = (double)(limit_seen ? pl_max(plan->limit, plan->peak) : plan->peak) * 1.05, scale = PLOT_HEIGHT / most;
    put(&p, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", WIDTH, HEIGHT);
    put(&p, "<text x=\"%d\" y=\"22\" font-size=\"15\">memory of %s, peak %s</text>\n", LEFT, plan->model.family, pl_bytes_text(plan->peak, text));
    svg_bars(&p, plan, scale);
    struct {
        uint64_t bytes;
        const char *name, *color;
        bool shown;
    } marks[] = {{plan->peak, "peak", "#222", true}, {plan->limit, "limit", "#c00", limit_seen}};
    for (size_t i = 0; i < PL_COUNT(marks); i++) {
        double y = TOP + PLOT_HEIGHT - (double)marks[i].bytes * scale;
        if (marks[i].shown)
            put(&p, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-dasharray=\"4 3\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\">%s %s</text>\n",
                LEFT, LEFT + PLOT_WIDTH, y, y, marks[i].color, LEFT - 4, y + 4, marks[i].color, marks[i].name, pl_bytes_text(marks[i].bytes, text));
    }
    svg_legend(&p, plan);
    put(&p, "</svg>\n");
    return p.status;
}
