#include "cli/job.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- environment ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* A folder that is ours alone; made if it is not there. */
static bool own_folder(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && lstat(path, &st) != 0)
        return false;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

/* XDG_RUNTIME_DIR/plimsoll, else what the login manager would have made, else a private folder of
 * /tmp; NULL where none is safe. From malloc. */
static char *runtime_folder(void)
{
    char path[PATH_MAX];
    const char *base = variable("XDG_RUNTIME_DIR");
    unsigned user = (unsigned)geteuid();
    int n = base && *base == '/' ? snprintf(path, sizeof path, "%s/plimsoll", base) : -1;
    bool found = n > 0 && n < PATH_MAX && own_folder(path);
    if (!found) {
        snprintf(path, sizeof path, "/run/user/%u/plimsoll", user);
        found = own_folder(path);
    }
    if (!found) {
        snprintf(path, sizeof path, "/tmp/plimsoll-%u", user);
        found = own_folder(path);
    }
    return found ? strdup(path) : NULL;
}

static void read_environment(cli_job *job)
{
    job->runtime = runtime_folder();
    job->environment = (pl_environment){
        .hf_hub_cache = variable("HF_HUB_CACHE"),
        .hf_home = variable("HF_HOME"),
        .xdg_cache_home = variable("XDG_CACHE_HOME"),
        .home = variable("HOME"),
        .runtime_folder = job->runtime,
        .isa = variable("PLIMSOLL_ISA"),
        .machine_record = variable("PLIMSOLL_MACHINE"),
    };
    if (!job->environment.hf_hub_cache)
        job->environment.hf_hub_cache = variable("HUGGINGFACE_HUB_CACHE"); /* its older name */
}

/* ---- options ---- */

static pl_status small_number(const cli_options *o, cli_option_id id, uint32_t *out, pl_error *e)
{
    const cli_value *value = &o->values[id];
    if (value->number > UINT32_MAX)
        return pl_fail(e, PL_USAGE, "--%s: '%s' is too large, at most %u", cli_option_rows[id].name, value->text, UINT32_MAX);
    *out = (uint32_t)value->number;
    return PL_OK;
}

/* The library says which devices there are; here only what is no name of any. */
static pl_status check_device(const char *device, pl_error *e)
{
    bool cuda = device && strncmp(device, "cuda", 4) == 0;
    const char *number = cuda && device[4] == ':' ? device + 5 : NULL;
    bool numbered = number && *number && strspn(number, "0123456789") == strlen(number);
    if (!device || strcmp(device, "cpu") == 0 || strcmp(device, "auto") == 0 || numbered || (cuda && !device[4]))
        return PL_OK;
    return pl_fail(e, PL_USAGE, "--device: '%s' names no device, write cpu, cuda:N or auto", device);
}

pl_status cli_job_start(cli_job *job, const cli_call *call, pl_task task, pl_error *e)
{
    const cli_options *o = &call->options;
    const cli_value *v = o->values;
    *job = (cli_job){.call = call, .model = o->operands[0]};
    /* What most models need; a plan that says otherwise is made again with its own figures. */
    job->needs = (cli_needs){.labels = 1024};
    pl_options_init(&job->options);
    job->options.task = task;
    job->options.memory = v[OPT_MEMORY].number;
    job->options.device = v[OPT_DEVICE].text;
    job->options.precision = cli_given(o, OPT_PRECISION) ? (pl_precision)v[OPT_PRECISION].choice : PL_PRECISION_F32;
    job->options.pooling = cli_given(o, OPT_POOLING) ? (pl_pooling_choice)(v[OPT_POOLING].choice + 1) : PL_POOLING_FOLDER;
    if (cli_given(o, OPT_NORMALIZE) && cli_given(o, OPT_NO_NORMALIZE))
        return pl_fail(e, PL_USAGE, "--normalize and --no-normalize: only one of them can be meant");
    job->options.normalize = cli_given(o, OPT_NORMALIZE) ? PL_NORMALIZE_YES : cli_given(o, OPT_NO_NORMALIZE) ? PL_NORMALIZE_NO : PL_NORMALIZE_FOLDER;
    read_environment(job);
    job->options.environment = &job->environment;
    pl_status status = check_device(job->options.device, e);
    if (status == PL_OK)
        status = small_number(o, OPT_THREADS, &job->options.threads, e);
    if (status == PL_OK)
        status = small_number(o, OPT_MAX_LENGTH, &job->options.max_length, e);
    return status;
}

/* ---- the plan ---- */

static pl_status make(cli_job *job, pl_error *e)
{
    const cli_options *o = &job->call->options;
    cli_outside(o, &job->needs, job->outside);
    job->options.outside = job->outside;
    job->options.outside_count = CLI_OUTSIDE;
    pl_plan_free(job->plan);
    job->plan = NULL;
    if (cli_given(o, OPT_PLAN))
        return pl_plan_load(job->model, &job->options, o->values[OPT_PLAN].text, &job->plan, e);
    return pl_plan_make(job->model, &job->options, &job->plan, e);
}

pl_status cli_job_plan(cli_job *job, pl_error *e)
{
    const cli_options *o = &job->call->options;
    for (;;) { /* ends: needs only grow, and a plan's do not depend on them */
        pl_status status = make(job, e);
        if (status != PL_OK)
            return status;
        pl_answer answer = pl_plan_answer(job->plan);
        size_t labels = answer == PL_ANSWER_EMBEDDING ? 0 : pl_plan_width(job->plan);
        cli_needs real = {
            .labels = pl_max(labels, job->needs.labels),
            .regression = answer == PL_ANSWER_REGRESSION,
        };
        bool enough = cli_buffers_bytes(o, &real) <= cli_buffers_bytes(o, &job->needs);
        job->needs = real;
        if (enough)
            return PL_OK;
    }
}

void cli_job_end(cli_job *job)
{
    pl_plan_free(job->plan);
    free(job->runtime);
    job->plan = NULL;
    job->runtime = NULL;
}
