/* The command line as one table: each verb and each option stands here once, and parser, help,
 * manual page and shell completions are all driven by it. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/base.h"

/* ---- verbs: id, name, operands, fewest and most operands, purpose ---- */
/* clang-format off */
#define CLI_VERB_MAP(X)                                                                                              \
    X(PLAN,     "plan",     "MODEL",            1, 1, "print the ledger of a job: every byte by name, before it runs") \
    X(TOKENIZE, "tokenize", "MODEL",            1, 1, "print the token ids of texts")                                \
    X(EMBED,    "embed",    "MODEL",            1, 1, "print an embedding of each text")                             \
    X(CLASSIFY, "classify", "MODEL",            1, 1, "print the label of each text")                                \
    X(TRAIN,    "train",    "MODEL",            1, 1, "fine-tune a classifier inside a memory limit")                \
    X(EXPLAIN,  "explain",  "[LOG]",            0, 1, "say what ran out of memory in a log, why, and what to change") \
    X(WATCH,    "watch",    "",                 0, 0, "show who holds memory now and where it is going")             \
    X(DEVICES,  "devices",  "",                 0, 0, "list each device: total, free, held by whom")                 \
    X(SHRINK,   "shrink",   "PID SIZE",         2, 2, "ask a running plimsoll to go on within SIZE")                 \
    X(PULL,     "pull",     "ORG/NAME[@REV]",   1, 1, "download a model into the cache of the Hugging Face hub")     \
    X(HELP,     "help",     "[VERB]",           0, 1, "print this, or all about one verb")
/* clang-format on */

typedef enum cli_verb_id {
#define CLI_VERB_ENUM(id, name, operands, least, most, purpose) VERB_##id,
    CLI_VERB_MAP(CLI_VERB_ENUM)
#undef CLI_VERB_ENUM
        VERB_COUNT
} cli_verb_id;

/* Sets of verbs, for the table below. */
enum {
#define CLI_VERB_BIT(id, name, operands, least, most, purpose) OF_##id = 1 << VERB_##id,
    CLI_VERB_MAP(CLI_VERB_BIT)
#undef CLI_VERB_BIT
        OF_RUN = OF_EMBED | OF_CLASSIFY,
    OF_TEXT = OF_RUN | OF_PLAN | OF_TOKENIZE, /* reads texts */
    OF_RESULT = OF_RUN | OF_TOKENIZE,         /* gives a result a text */
    OF_JOB = OF_RUN | OF_PLAN | OF_TRAIN,     /* has a plan */
    OF_LEARN = OF_PLAN | OF_TRAIN,            /* training, or the plan of one */
    OF_HERE = OF_JOB | OF_TOKENIZE,           /* parsed here, not by a program of its own */
    OF_ALL = (1 << VERB_COUNT) - 1,
};

/* What an option's value is. COUNT is a whole number from 1, NATURAL from 0; CHOICE is one of the
 * words listed after the argument's name. */
typedef enum cli_kind { KIND_FLAG, KIND_TEXT, KIND_FILE, KIND_SIZE, KIND_COUNT, KIND_NATURAL, KIND_REAL, KIND_CHOICE } cli_kind;

typedef enum cli_group { GROUP_INPUT, GROUP_OUTPUT, GROUP_LIMIT, GROUP_PLAN, GROUP_TRAIN, GROUP_REPORT, GROUP_MESSAGE, GROUP_COUNT } cli_group;

/* ---- options: id, letter, name, kind, argument, words, group, verbs, meaning ---- */
/* clang-format off */
#define CLI_OPTION_MAP(X)                                                                                            \
    X(INPUT, 'i', "input", FILE, "FILE", NULL, INPUT, OF_TEXT,                                                       \
      "read texts from FILE, - is standard input; .txt holds one text a line, .jsonl objects with \"text\" (and \"text_pair\"), .csv and .tsv columns under a header") \
    X(INPUT_FORMAT, 0, "input-format", CHOICE, "FORMAT", "txt jsonl csv tsv", INPUT, OF_TEXT | OF_TRAIN,             \
      "how the input is read, whatever its name; default by the extension, else txt")                                \
    X(TEXT, 't', "text", TEXT, "TEXT", NULL, INPUT, OF_TEXT,                                                         \
      "a text, instead of -i; may be repeated")                                                                      \
    X(TEXT_PAIR, 0, "text-pair", TEXT, "TEXT", NULL, INPUT, OF_TEXT,                                                 \
      "the second text of a pair, for the -t before it")                                                             \
    X(TEXT_COLUMN, 0, "text-column", TEXT, "NAME", NULL, INPUT, OF_TEXT | OF_TRAIN,                                  \
      "column or key of the texts; default text (and text_pair), in a table also sentence1 sentence2, premise hypothesis, question sentence, or sentence") \
    X(TEXT_PAIR_COLUMN, 0, "text-pair-column", TEXT, "NAME", NULL, INPUT, OF_TEXT | OF_TRAIN,                        \
      "column or key of the second texts")                                                                           \
    X(LABEL_COLUMN, 0, "label-column", TEXT, "NAME", NULL, INPUT, OF_CLASSIFY | OF_LEARN,                            \
      "column or key of the right answers; classify then prints the metrics against it on standard error and puts them into --stats") \
    X(SKIP, 0, "skip", NATURAL, "N", NULL, INPUT, OF_RESULT | OF_PLAN,                                               \
      "pass over the first N texts; with -o and the FILE.partial of an interrupted run, go on behind its first N results") \
    X(DATA, 0, "data", FILE, "FILE", NULL, TRAIN, OF_LEARN,                                                          \
      "what to learn from: .csv, .tsv or .jsonl with texts and labels")                                              \
    X(EVAL, 0, "eval", FILE, "FILE", NULL, TRAIN, OF_LEARN,                                                          \
      "what to evaluate on after each epoch")                                                                        \
    X(OUTPUT, 'o', "output", FILE, "FILE", NULL, OUTPUT, OF_RESULT | OF_LEARN,                                       \
      "write to FILE: beside it as FILE.partial, renamed when complete; default standard output, as -. For train: the folder to write") \
    X(FORMAT, 0, "format", CHOICE, "FORMAT", "jsonl npy", OUTPUT, OF_EMBED | OF_PLAN,                                \
      "jsonl is {\"embedding\":[...]} a line, npy a float32 array of texts x dimension, which needs a seekable output") \
    X(POOLING, 0, "pooling", CHOICE, "HOW", "mean cls max last", OUTPUT, OF_EMBED | OF_PLAN,                         \
      "how token vectors become one; default as the folder says, else mean")                                         \
    X(NORMALIZE, 0, "normalize", FLAG, NULL, NULL, OUTPUT, OF_EMBED | OF_PLAN,                                       \
      "divide each embedding by its length; default as the folder says")                                             \
    X(NO_NORMALIZE, 0, "no-normalize", FLAG, NULL, NULL, OUTPUT, OF_EMBED | OF_PLAN,                                 \
      "leave each embedding as long as it is")                                                                       \
    X(LOGITS, 0, "logits", FLAG, NULL, NULL, OUTPUT, OF_CLASSIFY | OF_PLAN,                                          \
      "add the raw \"logits\"")                                                                                      \
    X(TOP, 0, "top", COUNT, "K", NULL, OUTPUT, OF_CLASSIFY | OF_PLAN,                                                \
      "print the K best \"labels\" with their scores, best first")                                                   \
    X(TOKENS, 0, "tokens", FLAG, NULL, NULL, OUTPUT, OF_TOKENIZE,                                                    \
      "add the \"tokens\" as text")                                                                                  \
    X(OFFSETS, 0, "offsets", FLAG, NULL, NULL, OUTPUT, OF_TOKENIZE,                                                  \
      "add the \"offsets\" of the tokens, in characters")                                                            \
    X(MEMORY, 0, "memory", SIZE, "SIZE", NULL, LIMIT, OF_JOB,                                                        \
      "the limit for the whole process; default what the machine can spare now, which is printed with its reason")   \
    X(DEVICE, 0, "device", TEXT, "DEVICE", NULL, LIMIT, OF_JOB,                                                      \
      "where it runs: cpu, cuda:N or auto (the default)")                                                            \
    X(DEVICE_MEMORY, 0, "device-memory", SIZE, "SIZE", NULL, LIMIT, OF_JOB,                                          \
      "the limit on the GPU; default what is free there now, less a reserve")                                        \
    X(PRECISION, 0, "precision", CHOICE, "TYPE", "f32 bf16 f16 auto", LIMIT, OF_JOB,                                 \
      "the type to compute in, default f32; only auto lets the planner choose")                                      \
    X(THREADS, 0, "threads", COUNT, "N", NULL, LIMIT, OF_JOB,                                                        \
      "default the CPUs that the process may use, physical cores first")                                             \
    X(MAX_LENGTH, 0, "max-length", COUNT, "N", NULL, LIMIT, OF_JOB | OF_TOKENIZE,                                    \
      "truncate to N tokens, special ones included; default the model's own maximum")                                \
    X(PLAN, 0, "plan", FILE, "FILE", NULL, LIMIT, OF_RUN | OF_TRAIN,                                                 \
      "run the plan saved by plan --json exactly, or refuse with exit code 4")                                       \
    X(TRAINING, 0, "train", FLAG, NULL, NULL, PLAN, OF_PLAN,                                                         \
      "plan one step of training")                                                                                   \
    X(TASK, 0, "task", CHOICE, "TASK", "auto embed classify", PLAN, OF_PLAN,                                         \
      "the run to plan for; auto is classify where the folder has a classifier, else embed")                         \
    X(PROGRAM, 0, "program", FLAG, NULL, NULL, PLAN, OF_PLAN,                                                        \
      "print the program that would run")                                                                            \
    X(SVG, 0, "svg", FILE, "FILE", NULL, PLAN, OF_PLAN,                                                              \
      "draw memory over time")                                                                                       \
    X(FOR, 0, "for", CHOICE, "PROGRAM", "pytorch", PLAN, OF_PLAN,                                                    \
      "plan for another program: would the job fit in PyTorch?")                                                     \
    X(ATTENTION, 0, "attention", CHOICE, "KIND", "sdpa eager", PLAN, OF_PLAN,                                        \
      "with --for pytorch: its attention")                                                                           \
    X(CHECKPOINTING, 0, "checkpointing", FLAG, NULL, NULL, PLAN, OF_PLAN,                                            \
      "with --for pytorch: gradient checkpointing on")                                                               \
    X(EPOCHS, 0, "epochs", REAL, "N", NULL, TRAIN, OF_LEARN, "passes over the data, fractions allowed; default 3")   \
    X(MAX_STEPS, 0, "max-steps", COUNT, "N", NULL, TRAIN, OF_LEARN, "stop after N steps, whatever --epochs says")    \
    X(BATCH, 0, "batch", COUNT, "N", NULL, TRAIN, OF_LEARN | OF_EXPLAIN,                                             \
      "texts a step of the optimizer, default 8; how the planner splits it never changes what is learned")           \
    X(LR, 0, "lr", REAL, "R", NULL, TRAIN, OF_LEARN, "learning rate, default 5e-5")                                  \
    X(SCHEDULE, 0, "schedule", CHOICE, "KIND", "linear cosine constant constant_with_warmup", TRAIN, OF_LEARN,       \
      "how the rate goes on, default linear")                                                                        \
    X(WARMUP_STEPS, 0, "warmup-steps", NATURAL, "N", NULL, TRAIN, OF_LEARN, "steps until the full rate, default 0")  \
    X(WARMUP_RATIO, 0, "warmup-ratio", REAL, "R", NULL, TRAIN, OF_LEARN, "the same as a share of all steps")         \
    X(OPTIMIZER, 0, "optimizer", CHOICE, "NAME", "adamw adafactor adamw8bit sgd", TRAIN, OF_LEARN, "default adamw")  \
    X(WEIGHT_DECAY, 0, "weight-decay", REAL, "R", NULL, TRAIN, OF_LEARN,                                             \
      "default 0; never on biases and norms")                                                                        \
    X(MAX_GRAD_NORM, 0, "max-grad-norm", REAL, "R", NULL, TRAIN, OF_LEARN,                                           \
      "clip the gradient's length to R, default 1.0; 0 leaves it")                                                   \
    X(LABEL_SMOOTHING, 0, "label-smoothing", REAL, "R", NULL, TRAIN, OF_LEARN, "default 0")                          \
    X(DROPOUT, 0, "dropout", REAL, "P", NULL, TRAIN, OF_LEARN, "default as config.json says")                        \
    X(SHUFFLE, 0, "shuffle", CHOICE, "HOW", "epoch none", TRAIN, OF_LEARN,                                           \
      "a new order each epoch (the default), or the file's")                                                         \
    X(SEED, 0, "seed", NATURAL, "N", NULL, TRAIN, OF_LEARN, "of shuffling, dropout and a fresh head, default 42")    \
    X(LOG_EVERY, 0, "log-every", COUNT, "N", NULL, TRAIN, OF_LEARN, "steps a line of output, default 500")           \
    X(SAVE_EVERY, 0, "save-every", COUNT, "N", NULL, TRAIN, OF_LEARN, "steps a checkpoint, default 500")             \
    X(KEEP, 0, "keep", COUNT, "N", NULL, TRAIN, OF_LEARN, "checkpoints to keep, default 2")                          \
    X(RESUME, 0, "resume", FLAG, NULL, NULL, TRAIN, OF_LEARN, "go on from the last checkpoint")                      \
    X(OVERWRITE, 0, "overwrite", FLAG, NULL, NULL, TRAIN, OF_LEARN, "replace an output folder that exists")          \
    X(TUNE, 0, "tune", TEXT, "WHAT", NULL, TRAIN, OF_LEARN, "what is trained: all (the default), head or last:N")    \
    X(SHARDS, 0, "shards", COUNT, "N", NULL, TRAIN, OF_LEARN, "fixed shards of a step, part of the recipe, default 1") \
    X(SPILL, 0, "spill", FILE, "FOLDER", NULL, TRAIN, OF_LEARN, "where to spill to; default beside the output")      \
    X(BEST, 0, "best", FLAG, NULL, NULL, TRAIN, OF_LEARN, "end with the best evaluated weights, not the last")       \
    X(METRIC, 0, "metric", TEXT, "NAME", NULL, TRAIN, OF_LEARN, "what --best and --early-stopping go by")            \
    X(EARLY_STOPPING, 0, "early-stopping", COUNT, "N", NULL, TRAIN, OF_LEARN,                                        \
      "stop after N evaluations without a better one")                                                               \
    X(DRY_RUN, 0, "dry-run", FLAG, NULL, NULL, TRAIN, OF_LEARN, "one step, nothing saved")                           \
    X(MODEL, 0, "model", FILE, "MODEL", NULL, REPORT, OF_EXPLAIN, "the model of the job, to compute what it needs")  \
    X(PID, 0, "pid", COUNT, "N", NULL, REPORT, OF_WATCH, "watch this process")                                       \
    X(ONCE, 0, "once", FLAG, NULL, NULL, REPORT, OF_WATCH, "print one sample and end")                               \
    X(INTERVAL, 0, "interval", REAL, "SECONDS", NULL, REPORT, OF_WATCH, "time between samples, default 1")           \
    X(ALERT, 0, "alert", TEXT, "CONDITION", NULL, REPORT, OF_WATCH, "end, or run --exec, when it holds: 'free<2GiB'") \
    X(EXEC, 0, "exec", TEXT, "COMMAND", NULL, REPORT, OF_WATCH, "what --alert starts")                               \
    X(RUN, 0, "run", FLAG, NULL, NULL, REPORT, OF_WATCH,                                                             \
      "start the command after -- under observation, and explain it if it dies of memory")                           \
    X(JSON, 0, "json", FLAG, NULL, NULL, REPORT, OF_PLAN | OF_EXPLAIN | OF_WATCH | OF_DEVICES,                       \
      "print JSON instead of text; sizes in bytes")                                                                  \
    X(STATS, 0, "stats", FILE, "FILE", NULL, REPORT, OF_RUN | OF_LEARN,                                              \
      "write texts, tokens, seconds, planned and measured peak as JSON after the run; - is standard output")         \
    X(PROGRESS, 0, "progress", CHOICE, "WHEN", "auto always never", MESSAGE, OF_HERE | OF_PULL,                      \
      "show progress on standard error; auto where it is a terminal")                                                \
    X(QUIET, 'q', "quiet", FLAG, NULL, NULL, MESSAGE, OF_HERE | OF_PULL, "nothing on standard error but errors")     \
    X(VERBOSE, 'v', "verbose", FLAG, NULL, NULL, MESSAGE, OF_HERE, "tell more on standard error")                    \
    X(COLOR, 0, "color", CHOICE, "WHEN", "auto always never", MESSAGE, OF_HERE | OF_EXPLAIN | OF_WATCH | OF_DEVICES, \
      "colour messages; auto where they go to a terminal and NO_COLOR is not set")                                   \
    X(HELP, 'h', "help", FLAG, NULL, NULL, MESSAGE, OF_ALL, "print the help of the verb")
/* clang-format on */

typedef enum cli_option_id {
#define CLI_OPTION_ENUM(id, letter, name, kind, argument, words, group, verbs, meaning) OPT_##id,
    CLI_OPTION_MAP(CLI_OPTION_ENUM)
#undef CLI_OPTION_ENUM
        OPT_COUNT
} cli_option_id;

typedef struct cli_verb_row {
    const char *name, *operands;
    int least, most;
    const char *purpose;
} cli_verb_row;

typedef struct cli_option_row {
    char letter; /* 0: none */
    const char *name;
    cli_kind kind;
    const char *argument, *words;
    cli_group group;
    unsigned verbs; /* OF_... */
    const char *meaning;
} cli_option_row;

extern const cli_verb_row cli_verbs[VERB_COUNT];
extern const cli_option_row cli_option_rows[OPT_COUNT];

/* The word at `index` of a CHOICE's words: its start and length, or NULL beyond the last. */
const char *cli_word(const char *words, int index, size_t *n);

/* ---- what was given ---- */
typedef struct cli_value {
    bool given;
    int choice;       /* CHOICE: index of the word */
    const char *text; /* as written */
    uint64_t number;  /* SIZE, COUNT, NATURAL */
    double real;      /* REAL */
} cli_value;

typedef struct cli_pair {
    const char *text, *pair; /* pair NULL: none */
} cli_pair;

enum { CLI_OPERANDS = 2 };

typedef struct cli_options {
    cli_verb_id verb;
    cli_value values[OPT_COUNT];
    const char *operands[CLI_OPERANDS];
    int operand_count;
    cli_pair *texts; /* [text_count], from pl_memory_system, as -t and --text-pair gave them */
    size_t text_count;
} cli_options;

/* The verb called `name`: PL_USAGE with the nearest one otherwise. */
pl_status cli_verb_find(const char *name, cli_verb_id *verb, pl_error *e);

/* Reads list[0..count), what follows the verb, checks each value's form and the number of operands.
 * With --help the rest is not looked at. Errors are PL_USAGE with the nearest right option. */
pl_status cli_options_parse(cli_options *o, cli_verb_id verb, int count, char *const *list, pl_error *e);

static inline bool cli_given(const cli_options *o, cli_option_id id) { return o->values[id].given; }

#endif
