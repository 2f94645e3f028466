/* plimsoll-pull: what `plimsoll pull ORG/NAME[@REV]` starts; runs alone as well. */
#include "pull/pull.h"
#include "pull/settings.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum when { AUTO, ALWAYS, NEVER } when;

typedef struct options {
    const char *model;
    when progress;
    bool json, quiet, verbose;
} options;

static const char usage[] = "usage: plimsoll pull ORG/NAME[@REV] [--json] [--progress auto|always|never] [-q] [-v]\n";

static volatile int stop; /* the signal's number; written in a handler, so no larger than sig_atomic_t */
_Static_assert(sizeof(int) == sizeof(sig_atomic_t), "a handler may write it");
static void on_signal(int number) { stop = number; }

static void install_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &action, NULL); /* a file that may not grow is an error of write */
}

static pl_status set_progress(options *o, const char *value, pl_error *e)
{
    static const char *const names[] = {"auto", "always", "never"};
    for (unsigned i = 0; value && i < PL_COUNT(names); i++)
        if (strcmp(value, names[i]) == 0) {
            o->progress = (when)i;
            return PL_OK;
        }
    return value ? pl_fail(e, PL_USAGE, "--progress '%s': must be auto, always or never", value) : pl_fail(e, PL_USAGE, "--progress: needs a value");
}

static pl_status parse_option(int argc, char **argv, int *at, options *o, pl_error *e)
{
    static const char *const known[] = {"--json", "--progress", "--quiet", "--verbose", "--help"};
    const char *word = argv[*at];
    if (strcmp(word, "--json") == 0)
        o->json = true;
    else if (strcmp(word, "-q") == 0 || strcmp(word, "--quiet") == 0)
        o->quiet = true;
    else if (strcmp(word, "-v") == 0 || strcmp(word, "--verbose") == 0)
        o->verbose = true;
    else if (strcmp(word, "--progress") == 0)
        return set_progress(o, *at + 1 < argc ? argv[++*at] : NULL, e);
    else if (strncmp(word, "--progress=", 11) == 0)
        return set_progress(o, word + 11, e);
    else {
        const char *near = pl_nearest(word, known, PL_COUNT(known));
        pl_fail(e, PL_USAGE, "%s: pull has no such option", word);
        if (near)
            pl_hint(e, "did you mean %s?", near);
        return PL_USAGE;
    }
    return PL_OK;
}

static pl_status parse(int argc, char **argv, options *o, pl_error *e)
{
    bool words = false; /* behind -- */
    for (int i = argc > 1 && strcmp(argv[1], "pull") == 0 ? 2 : 1; i < argc; i++) {
        pl_status s = PL_OK;
        if (!words && strcmp(argv[i], "--") == 0)
            words = true;
        else if (!words && argv[i][0] == '-')
            s = parse_option(argc, argv, &i, o, e);
        else if (o->model)
            s = pl_fail(e, PL_USAGE, "%s: one model at a time, %s is named before", argv[i], o->model);
        else
            o->model = argv[i];
        if (s)
            return s;
    }
    return o->model ? PL_OK : pl_fail(e, PL_USAGE, "pull: the model is missing, ORG/NAME or ORG/NAME@REV");
}

static pl_status name_source(const options *o, pl__source *s, pl_error *e)
{
    if (!pl_hub_name_parse(o->model, &s->name)) {
        pl_fail(e, PL_USAGE, "%s: is no name on the hub, ORG/NAME or ORG/NAME@REV would be", o->model);
        return PL_USAGE;
    }
    snprintf(s->repository, sizeof s->repository, "%.*s", (int)pl_min(strcspn(o->model, "@"), sizeof s->repository - 1), o->model);
    return PL_OK;
}

/* Without the network: what the cache has. */
static pl_status answer_offline(const options *o, const pl__settings *set, char path[PL__PATH_BYTES], pl_error *e)
{
    if (pl_hub_find(o->model, &set->hub, path, PL__PATH_BYTES, e) == PL_OK)
        return PL_OK;
    pl_error_clear(e);
    pl_fail(e, PL_BAD_INPUT, "%s: is not in the cache %s, and HF_HUB_OFFLINE forbids to download it", o->model, set->cache);
    return PL_BAD_INPUT;
}

typedef struct job {
    pl__source source;
    pl__store store;
    pl__listing list;
    pl__progress progress;
    const options *options;
} job;

static pl_status fetch_one(job *j, pl__entry *entry, pl_error *e)
{
    pl_status s = pl__fetch(&j->source, &j->store, entry, &j->progress, e);
    if (!s && j->options->verbose && !j->options->quiet) {
        char bytes[32];
        pl__progress_end(&j->progress);
        fprintf(stderr, "%s: %s%s\n", entry->path, pl_bytes_text(entry->bytes, bytes), entry->downloaded ? "" : ", was here");
    }
    return s;
}

static pl_status read_early(void *self, pl__entry *entry, char *path, size_t capacity, pl_error *e)
{
    job *j = self;
    pl_status s = pl__fetch(&j->source, &j->store, entry, &j->progress, e);
    if (!s && (size_t)snprintf(path, capacity, "%s/snapshots/%s/%s", j->store.folder, j->source.commit, entry->path) >= capacity)
        s = pl_fail(e, PL_BAD_INPUT, "%s: the path is too long", entry->path);
    return s;
}

/* What is to come, and whether the disk has room for it. */
static pl_status measure(job *j, pl_error *e)
{
    pl__progress *p = &j->progress;
    *p = (pl__progress){.shown = p->shown, .what = j->source.repository, .start = pl__seconds()};
    for (size_t i = 0; i < j->list.count; i++) {
        const pl__entry *entry = &j->list.entries[i];
        if (!entry->wanted)
            continue;
        p->files++;
        p->all += entry->bytes;
        p->done += pl__store_has(&j->store, entry) ? entry->bytes : pl__store_begun(&j->store, entry);
    }
    p->begun = p->done;
    return pl__store_room(&j->store, p->all - p->done, e);
}

static pl_status pull(job *j, pl_error *e)
{
    pl_status s = pl__list_commit(&j->source, e);
    if (!s)
        s = pl__list_files(&j->source, &j->list, e);
    if (!s)
        s = pl__choose(&j->list, j->source.repository, read_early, j, e);
    if (!s)
        s = measure(j, e);
    for (size_t i = 0; i < j->list.count && !s; i++)
        if (j->list.entries[i].wanted) {
            s = fetch_one(j, &j->list.entries[i], e);
            j->progress.files_done++;
        }
    pl__progress_end(&j->progress);
    return s ? s : pl__store_reference(&j->store, j->source.name.revision, j->source.commit, e);
}

static void print_string(const char *text, FILE *out)
{
    char piece[6 * PL__PATH_BYTES + 2];
    size_t n = pl_json_string(text, strlen(text), piece, sizeof piece);
    fwrite(piece, 1, pl_min(n, sizeof piece), out);
}

static void print_json(const job *j, const char *path, FILE *out)
{
    typedef unsigned long long ull;
    uint64_t all = 0, came = 0;
    const char *between = "";
    fputs("{\"model\":", out);
    print_string(j->source.repository, out);
    fputs(",\"revision\":", out);
    print_string(j->source.name.revision, out);
    fprintf(out, ",\"commit\":\"%s\",\"path\":", j->source.commit);
    print_string(path, out);
    fputs(",\"files\":[", out);
    for (size_t i = 0; i < j->list.count; i++) {
        const pl__entry *entry = &j->list.entries[i];
        if (!entry->wanted)
            continue;
        fprintf(out, "%s{\"path\":", between);
        print_string(entry->path, out);
        fprintf(out, ",\"bytes\":%llu,\"downloaded_bytes\":%llu}", (ull)entry->bytes, (ull)entry->downloaded);
        all += entry->bytes;
        came += entry->downloaded;
        between = ",";
    }
    fprintf(out, "],\"bytes\":%llu,\"downloaded_bytes\":%llu}\n", (ull)all, (ull)came);
}

static pl_status print_answer(const job *j, const char *path, pl_error *e)
{
    if (j->options->json)
        print_json(j, path, stdout);
    else
        printf("%s\n", path);
    return fflush(stdout) ? pl_fail(e, PL_MACHINE, "standard output cannot be written") : PL_OK;
}

static pl_status run(const options *o, pl_error *e)
{
    static pl__settings set;
    static job j;
    char path[PL__PATH_BYTES];
    j.options = o;
    pl_status s = pl__settings_read(&set, e);
    if (!s)
        s = name_source(o, &j.source, e);
    if (!s && set.offline) {
        s = answer_offline(o, &set, path, e);
        if (s)
            return s;
        snprintf(j.source.commit, sizeof j.source.commit, "%s", strrchr(path, '/') ? strrchr(path, '/') + 1 : "");
        return print_answer(&j, path, e);
    }
    j.source.endpoint = set.endpoint;
    j.source.stop = &stop;
    j.store.quiet = o->quiet;
    j.progress.shown = !o->quiet && (o->progress == ALWAYS || (o->progress == AUTO && isatty(STDERR_FILENO)));
    if (!s)
        s = pl__http_open(set.endpoint, set.token[0] ? set.token : NULL, &stop, &j.source.http, e);
    if (!s)
        s = pl__store_open(&j.store, set.cache, &j.source.name, e);
    if (!s)
        s = pull(&j, e);
    if (!s && !pl__store_path(&j.store, path, "snapshots/%s", j.source.commit))
        s = pl_fail(e, PL_BAD_INPUT, "%s: the path is too long", j.store.folder);
    if (!s)
        s = print_answer(&j, path, e);
    pl__http_close(j.source.http);
    pl__list_free(&j.list);
    return s;
}

int main(int argc, char **argv)
{
    static options o;
    static pl_error e;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return fflush(stdout) ? pl_status_exit_code(PL_MACHINE) : 0;
        }
    pl_error_clear(&e);
    install_signals();
    pl_status s = parse(argc, argv, &o, &e);
    if (!s && curl_global_init(CURL_GLOBAL_DEFAULT))
        s = pl_fail(&e, PL_MACHINE, "libcurl cannot start");
    if (!s)
        s = run(&o, &e);
    if (s) {
        static char message[sizeof e + 4096];
        size_t n = pl_error_print(&e, message, sizeof message);
        fwrite(message, 1, pl_min(n, sizeof message - 1), stderr);
    }
    curl_global_cleanup();
    return s == PL_STOPPED && stop ? 128 + stop : pl_status_exit_code(s);
}
