/* The screen: the devices with their charts above, who holds memory below. Everything is drawn from
 * the state anew at each sample; ncurses sends only what changed. */
#define _XOPEN_SOURCE 700 /* wcwidth */
#define NCURSES_WIDECHAR 1
#include "watch/watch.h"

#include <langinfo.h>
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { CHART_MOST = 8, TABLE_LEAST = 8, GROUPS_LIMITED = 12 };
enum { COLOR_CALM = 1, COLOR_NEAR, COLOR_FULL, COLOR_DIM };

struct watch_screen {
    watch_state *w;
    SCREEN *terminal;
    bool color, utf8, paused, grouped, filtering, helping;
    watch_sort sort;
    char filter[64], message[200], host[64];
    uint32_t *order;
    size_t order_capacity, scroll;
};

/* ---- text that ends where the line ends, whatever is in it ---- */

static int put(int y, int x, const char *text)
{
    mbstate_t state = {0};
    int left = COLS - x;
    size_t n = strlen(text);
    if (y < 0 || y >= LINES || left <= 0)
        return x;
    move(y, x);
    while (n && left > 0) {
        wchar_t c;
        size_t used = mbrtowc(&c, text, n, &state);
        if (used == 0 || used > n) { /* not of this locale */
            c = L'?';
            used = 1;
            state = (mbstate_t){0};
        }
        int width = wcwidth(c);
        if (width < 0 || width > left)
            break;
        addnwstr(&c, 1);
        left -= width;
        text += used;
        n -= used;
    }
    return COLS - left;
}

static int PL_PRINTF(3, 4) put_format(int y, int x, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return put(y, x, text);
}

static void paint(const watch_screen *s, int pair, bool on)
{
    if (s->color)
        on ? attron(COLOR_PAIR(pair)) : attroff(COLOR_PAIR(pair));
}

static int level_color(double part) { return part < 0.75 ? COLOR_CALM : part < 0.9 ? COLOR_NEAR : COLOR_FULL; }

/* ---- devices ---- */

static void draw_chart(const watch_screen *s, const watch_history *h, int top, int height)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {" ", " ", " ", ".", ".", ":", ":", "#", "#"};
    int width = COLS - 2 < HISTORY_POINTS ? COLS - 2 : HISTORY_POINTS;
    for (int ago = 0; ago < width; ago++) {
        double part = watch_history_back(h, (unsigned)ago);
        if (part < 0)
            continue;
        int eighths = (int)(part * height * 8 + 0.5);
        paint(s, level_color(part), true);
        for (int row = 0; row < height; row++) {
            int here = eighths - row * 8;
            if (row == 0 && here < 1)
                here = 1;
            if (here > 0)
                put(top + height - 1 - row, COLS - 2 - ago, (s->utf8 ? blocks : plain)[here > 8 ? 8 : here]);
        }
        paint(s, level_color(part), false);
    }
}

static int put_trend(int y, int x, const watch_trend *t, double left)
{
    double slope;
    bool sure;
    char rate[32], time[32];
    if (!watch_trend_slope(t, &slope, &sure))
        return x;
    x = put_format(y, x, "  %s", watch_rate_text(slope, rate));
    double until = watch_trend_until(t, left);
    if (until >= 0) {
        attron(A_BOLD);
        x = put_format(y, x, ", full in %s", watch_duration(until, time));
        attroff(A_BOLD);
    }
    return x;
}

static int put_device(const watch_screen *s, int y, const char *label, uint64_t free_bytes, uint64_t total)
{
    char a[32], b[32];
    double part = total ? (double)(total - free_bytes) / (double)total : 0;
    attron(A_BOLD);
    int x = put_format(y, 0, "%-12s", label);
    attroff(A_BOLD);
    x = put_format(y, x, " %9s free of %9s", pl_bytes_text(free_bytes, a), pl_bytes_text(total, b));
    paint(s, level_color(part), true);
    x = put_format(y, x, "  %3.0f %%", part * 100);
    paint(s, level_color(part), false);
    return x;
}

static int draw_cpu(const watch_screen *s, int y, int chart)
{
    const watch_machine *m = &s->w->machine;
    char a[32], b[32];
    if (!m->known)
        return put(y, 0, "CPU memory   unknown: /proc/meminfo cannot be read"), y + 1;
    int x = put_device(s, y, "CPU memory", m->available < m->total ? m->available : m->total, m->total);
    put_trend(y++, x, &m->trend, (double)m->free);
    x = m->has_group && m->group.limit != UINT64_MAX
        ? put_format(y, 2, "limit: %s free of %s", pl_bytes_text(m->group.headroom, a), pl_bytes_text(m->group.limit, b))
        : put(y, 2, "no limit set");
    if (m->swap_total)
        x = put_format(y, x, "   swap %s of %s", pl_bytes_text(m->swap_total - m->swap_free, a), pl_bytes_text(m->swap_total, b));
    if (m->pressure.has_stall)
        x = put_format(y, x, "   pressure some %.2f %% full %.2f %%", m->pressure.some, m->pressure.full);
    uint64_t kills = watch_oom_kills(s->w);
    paint(s, COLOR_FULL, kills > 0);
    put_format(y++, x, "   killed for memory %llu", (unsigned long long)kills);
    paint(s, COLOR_FULL, false);
    draw_chart(s, &m->history, y, chart);
    return y + chart;
}

static int draw_gpu(const watch_screen *s, size_t i, int y, int chart)
{
    const watch_gpu *g = &s->w->gpus.list[i];
    char label[32];
    snprintf(label, sizeof label, g->mig ? "  MIG %u/%u" : "GPU %u", g->index, g->instance);
    int x = g->known ? put_device(s, y, label, g->free, g->total) : put_format(y, 0, "%-12s", label);
    if (g->known)
        x = put_trend(y, x, &g->trend, (double)g->free);
    x = put_format(y, x, "  %s", g->name);
    if (g->trouble[0]) {
        paint(s, COLOR_FULL, true);
        put_format(y, x, ": %s", g->trouble);
        paint(s, COLOR_FULL, false);
    }
    if (!g->mig)
        draw_chart(s, &g->history, y + 1, chart);
    return y + 1 + (g->mig ? 0 : chart);
}

/* As high as there is room for, the table keeping its third. */
static int chart_height(const watch_screen *s)
{
    int charts = 1, fixed = 6;
    for (size_t i = 0; i < s->w->gpus.count; i++) {
        charts += !s->w->gpus.list[i].mig;
        fixed++;
    }
    int table = LINES / 3 > TABLE_LEAST ? LINES / 3 : TABLE_LEAST, height = (LINES - fixed - table) / charts;
    return height < 0 ? 0 : height > CHART_MOST ? CHART_MOST : height;
}

/* ---- who holds it ---- */

static bool room_for_order(watch_screen *s)
{
    size_t wanted = s->w->processes.count + s->w->groups.count + 1;
    if (wanted <= s->order_capacity)
        return true;
    uint32_t *larger = realloc(s->order, wanted * sizeof *larger);
    if (!larger)
        return false;
    s->order = larger;
    s->order_capacity = wanted;
    return true;
}

static void head(int y, const char *text)
{
    attron(A_REVERSE);
    put_format(y, 0, "%-*s", COLS, text);
    attroff(A_REVERSE);
}

static void keep_scroll(watch_screen *s, size_t count, int rows)
{
    size_t most = count > (size_t)rows ? count - (size_t)rows : 0;
    if (s->scroll > most)
        s->scroll = most;
}

static void draw_processes(watch_screen *s, int y)
{
    static const char *const sorted[] = {"memory", "GPU memory", "growth", "number", "name"};
    const watch_state *w = s->w;
    char text[160];
    int rows = LINES - y - 2;
    size_t count = room_for_order(s) ? watch_order(w, s->sort, s->filter, s->order, s->order_capacity) : 0;
    snprintf(
        text, sizeof text, "    PID USER       RESIDENT      SWAP       GPU        GROWTH  NAME             CONTAINER   (%zu by %s)", count, sorted[s->sort]);
    head(y++, text);
    keep_scroll(s, count, rows);
    for (size_t i = s->scroll; i < count && rows-- > 0; i++) {
        const watch_process *x = &w->processes.list[s->order[i]];
        char a[32], b[32], c[32], rate[32], user[24];
        put_format(y++, 0, "%7d %-8.8s %10s %9s %9s %13s  %-16s %s", x->pid, watch_user_name(x->uid, user), pl_bytes_text(x->resident, a),
            x->swap ? pl_bytes_text(x->swap, b) : "-", x->gpu ? pl_bytes_text(x->gpu, c) : "-", watch_rate_text(x->rate, rate), x->name,
            x->group < w->groups.count ? w->groups.list[x->group].label : "");
    }
}

static const watch_group *sorting_groups;
static int compare_groups(const void *a, const void *b)
{
    const watch_group *x = &sorting_groups[*(const uint32_t *)a], *y = &sorting_groups[*(const uint32_t *)b];
    uint64_t p = x->resident + x->swap, q = y->resident + y->swap;
    return p != q ? (p < q ? 1 : -1) : strcmp(x->label, y->label);
}

static void draw_groups(watch_screen *s, int y)
{
    const watch_state *w = s->w;
    int rows = LINES - y - 2;
    size_t count = 0;
    for (size_t i = 0; room_for_order(s) && i < w->groups.count; i++)
        if (w->groups.list[i].key && w->groups.list[i].processes)
            s->order[count++] = (uint32_t)i;
    sorting_groups = w->groups.list;
    if (count)
        qsort(s->order, count, sizeof *s->order, compare_groups);
    head(y++, "  PROCS   RESIDENT      SWAP       GPU        GROWTH  LEFT OF LIMIT         CONTAINER");
    keep_scroll(s, count, rows);
    for (size_t i = s->scroll; i < count && rows-- > 0; i++) {
        const watch_group *g = &w->groups.list[s->order[i]];
        char a[32], b[32], c[32], rate[32], limit[72] = "-";
        pl_group m;
        if (i - s->scroll < GROUPS_LIMITED && pl_os_group(&w->view, g->pid, &m) && m.limit != UINT64_MAX)
            snprintf(limit, sizeof limit, "%s of %s", pl_bytes_text(m.headroom, a), pl_bytes_text(m.limit, b));
        put_format(y++, 0, "%7zu %10s %9s %9s %13s  %-21s %s", g->processes, pl_bytes_text(g->resident, a), g->swap ? pl_bytes_text(g->swap, b) : "-",
            g->gpu ? pl_bytes_text(g->gpu, c) : "-", watch_rate_text(g->rate, rate), limit, g->label[0] ? g->label : "(none)");
    }
}

/* ---- all ---- */

static void draw_help(int y)
{
    static const char *const lines[] = {
        "s      sort by memory, GPU memory, growth, number, name",
        "g      processes or containers",
        "/      show only what holds the text typed next (Enter keeps, Esc drops it)",
        "arrows scroll, also Page Up and Page Down, Home",
        "space  pause",
        "?      this help",
        "q      quit",
    };
    for (size_t i = 0; i < PL_COUNT(lines); i++)
        put(y + (int)i, 2, lines[i]);
}

static void draw_foot(const watch_screen *s)
{
    char text[512];
    int y = LINES - 1;
    if (s->filtering || s->filter[0]) {
        put_format(y, 0, "filter: %s%s", s->filter, s->filtering ? "_" : "");
    } else if (s->message[0]) {
        paint(s, COLOR_FULL, true);
        put(y, 0, s->message);
        paint(s, COLOR_FULL, false);
    } else {
        watch_unseen(s->w, text, sizeof text);
        paint(s, COLOR_DIM, true);
        put_format(y, 0, "%s%s", *text ? "not seen: " : "", text);
        paint(s, COLOR_DIM, false);
    }
}

void watch_screen_draw(watch_screen *s)
{
    char text[256];
    time_t seconds = (time_t)(s->w->unix_ms / 1000);
    struct tm t;
    if (s->paused)
        return;
    localtime_r(&seconds, &t);
    erase();
    snprintf(text, sizeof text, " plimsoll watch  %s  %02d:%02d:%02d  every %g s   q quit  s sort  g group  / filter  ? help", s->host, t.tm_hour, t.tm_min,
        t.tm_sec, s->w->options->interval);
    head(0, text);
    int chart = chart_height(s), y = draw_cpu(s, 1, chart);
    for (size_t i = 0; i < s->w->gpus.count && y < LINES - 4; i++)
        y = draw_gpu(s, i, y, chart);
    if (s->w->root) {
        char a[32], b[32];
        int x = put_format(y, 0, "process %d   %s in %zu process%s, peak %s", s->w->root, pl_bytes_text(s->w->tree_resident + s->w->tree_swap, a),
            s->w->tree_count, s->w->tree_count == 1 ? "" : "es", pl_bytes_text(s->w->tree_peak, b));
        put_trend(y++, x, &s->w->tree_trend, (double)s->w->machine.free);
    }
    if (s->helping)
        draw_help(y + 1);
    else if (s->grouped)
        draw_groups(s, y);
    else
        draw_processes(s, y);
    draw_foot(s);
    refresh();
}

bool watch_screen_paused(const watch_screen *s) { return s->paused; }

void watch_screen_say(watch_screen *s, const char *text)
{
    watch_copy(s->message, sizeof s->message, text);
    watch_screen_draw(s);
}

static void type_filter(watch_screen *s, int key)
{
    size_t n = strlen(s->filter);
    if (key == 27) {
        s->filter[0] = '\0';
        s->filtering = false;
    } else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        s->filtering = false;
    } else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
        while (n && ((unsigned char)s->filter[--n] & 0xC0) == 0x80)
            ;
        s->filter[n] = '\0';
    } else if (key >= 32 && key < 256 && n + 1 < sizeof s->filter) {
        s->filter[n] = (char)key;
        s->filter[n + 1] = '\0';
    }
}

static bool take_key(watch_screen *s, int key)
{
    size_t page = (size_t)(LINES / 2 > 1 ? LINES / 2 : 1);
    if (s->filtering) {
        type_filter(s, key);
        return true;
    }
    switch (key) {
    case 'q':
    case 'Q': return false;
    case 's': s->sort = (watch_sort)((s->sort + 1) % SORT_COUNT); break;
    case 'g':
        s->grouped = !s->grouped;
        s->scroll = 0;
        break;
    case '/':
        s->filtering = true;
        s->filter[0] = '\0';
        s->message[0] = '\0';
        break;
    case 27: s->filter[0] = s->message[0] = '\0'; break;
    case ' ': s->paused = !s->paused; break;
    case 'h':
    case '?': s->helping = !s->helping; break;
    case KEY_DOWN: s->scroll++; break;
    case KEY_UP: s->scroll -= s->scroll > 0; break;
    case KEY_NPAGE: s->scroll += page; break;
    case KEY_PPAGE: s->scroll -= s->scroll < page ? s->scroll : page; break;
    case KEY_HOME: s->scroll = 0; break;
    default: break;
    }
    return true;
}

bool watch_screen_keys(watch_screen *s)
{
    int key;
    bool any = false;
    while ((key = getch()) != ERR) {
        any = true;
        if (!take_key(s, key))
            return false;
    }
    if (any)
        watch_screen_draw(s);
    return true;
}

bool watch_screen_open(watch_state *w, bool color, watch_screen **out)
{
    watch_screen *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->w = w;
    s->terminal = newterm(NULL, stdout, stdin);
    if (!s->terminal) {
        free(s);
        return false;
    }
    s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    s->color = color && has_colors() && start_color() == OK;
    if (s->color) {
        use_default_colors();
        init_pair(COLOR_CALM, COLOR_GREEN, -1);
        init_pair(COLOR_NEAR, COLOR_YELLOW, -1);
        init_pair(COLOR_FULL, COLOR_RED, -1);
        init_pair(COLOR_DIM, COLOR_CYAN, -1);
    }
    if (gethostname(s->host, sizeof s->host - 1) != 0)
        s->host[0] = '\0';
    watch_clean(s->host);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    *out = s;
    return true;
}

void watch_screen_close(watch_screen *s)
{
    if (!s)
        return;
    endwin();
    delscreen(s->terminal);
    free(s->order);
    free(s);
}
