/* The command `plimsoll`: picks the verb, and turns how it ended into an exit code. */
#include "cli/cli.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A file opened later must not become standard output by chance. What was closed stays useless:
 * writing to it fails. */
static void secure_descriptors(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", modes[fd]); /* the lowest free number is this one */
}

/* One heap, which gives back what is freed: small values of configuration files pass through it. */
static void tame_malloc(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 64 << 10);
    mallopt(M_TRIM_THRESHOLD, 64 << 10);
    mallopt(M_TOP_PAD, 16 << 10);
}

static const char *const helpers[VERB_COUNT] = {
    [VERB_EXPLAIN] = "plimsoll-explain",
    [VERB_WATCH] = "plimsoll-watch",
    [VERB_DEVICES] = "plimsoll-watch",
    [VERB_PULL] = "plimsoll-pull",
};

static const cli_verb_run runs[VERB_COUNT] = {
    [VERB_PLAN] = cli_verb_plan,
    [VERB_TOKENIZE] = cli_verb_tokenize,
    [VERB_EMBED] = cli_verb_embed,
    [VERB_CLASSIFY] = cli_verb_classify,
    [VERB_TRAIN] = cli_verb_train,
    [VERB_SHRINK] = cli_verb_shrink,
    [VERB_HELP] = cli_verb_help,
};

/* Programs of their own read their own options; only what asks for help is looked for. */
static bool wants_help(int count, char *const *words)
{
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    return false;
}

static pl_status run_verb(cli_call *call, int argc, pl_error *e)
{
    cli_options *o = &call->options;
    pl_status status = cli_verb_find(call->argv[1], &o->verb, e);
    if (status != PL_OK)
        return status;
    cli_verb_id verb = o->verb;
    if (helpers[verb])
        return wants_help(argc - 2, call->argv + 2) ? cli_help_print(verb, e) : cli_helper_exec(call, helpers[verb], e);
    status = cli_options_parse(o, verb, argc - 2, call->argv + 2, e);
    call->voice = cli_voice_make(o);
    if (status != PL_OK)
        return status;
    return cli_given(o, OPT_HELP) ? cli_help_print(verb, e) : runs[verb](call, e);
}

static pl_status fail_no_verb(pl_error *e)
{
    pl_fail(e, PL_USAGE, "the verb is missing: plimsoll VERB [OPTIONS] ...");
    for (int i = 0; i < VERB_COUNT; i++)
        pl_hint(e, "plimsoll %-8s  %s", cli_verbs[i].name, cli_verbs[i].purpose);
    return PL_USAGE;
}

static pl_status dispatch(cli_call *call, int argc, pl_error *e)
{
    const char *first = argc > 1 ? call->argv[1] : NULL;
    if (!first)
        return fail_no_verb(e);
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return cli_usage_print(e);
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
        return cli_version_print(e);
    if (first[0] == '-') {
        pl_fail(e, PL_USAGE, "%s: a verb is needed before any option", first);
        pl_hint(e, "`plimsoll help` lists the verbs");
        return PL_USAGE;
    }
    return run_verb(call, argc, e);
}

int main(int argc, char **argv)
{
    static cli_call call;
    static pl_error e;
    call.started = cli_seconds();
    secure_descriptors();
    tame_malloc();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write */
    call.argv = argv;
    call.voice = cli_voice_make(&call.options);
    pl_status status = dispatch(&call, argc, &e);
    if (status != PL_OK && status != PL_BROKEN_PIPE)
        cli_say_error(&call.voice, &e);
    return status == PL_STOPPED && cli_signals_caught() ? 128 + cli_signals_caught() : pl_status_exit_code(status);
}
