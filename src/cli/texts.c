#include "cli/texts.h"

const char cli_purpose[] = "run Hugging Face transformer encoders inside a memory limit";

const char cli_description[] = "plimsoll runs and fine-tunes transformer models straight from their folder (config.json, *.safetensors, tokenizer.json) inside "
                               "a memory limit that it knows to be enough before it starts. The limit never changes the answer.";

const char *const cli_group_titles[GROUP_COUNT] = {
    [GROUP_INPUT] = "Input",
    [GROUP_OUTPUT] = "Output",
    [GROUP_LIMIT] = "Memory and speed",
    [GROUP_PLAN] = "Planning",
    [GROUP_TRAIN] = "Training",
    [GROUP_REPORT] = "Report",
    [GROUP_MESSAGE] = "Messages",
};

/* clang-format off */
const cli_verb_text cli_verb_texts[VERB_COUNT] = {
    [VERB_PLAN] = {
        {"Gives every byte of the job a name, and the moment from which and to which it lives; the knobs that were chosen and why; the next better "
          "plan and what it would need. Reads the configuration, the tokenizer and the headers of the weight files, no weight. What does not fit is "
          "printed all the same, and the exit code is 4.",
         "Takes the options of the run that it plans; with -i it reads the texts and plans for their real lengths. Of a training (--train) -i "
          "gives texts alone, --data texts with the labels that will be learned.", NULL},
        {{"plimsoll plan MODEL --memory 32MiB", "the ledger of a run in 32 MiB"},
         {"plimsoll plan MODEL -i texts.jsonl --json > saved.json", "a plan to run later with --plan saved.json"},
         {"plimsoll plan MODEL --train --batch 32 --svg memory.svg", "memory over one step of training"},
         {"plimsoll plan MODEL --for pytorch --train --batch 64 --device-memory 11GiB", "would it fit in PyTorch?"}},
    },
    [VERB_TOKENIZE] = {
        {"Prints {\"ids\":[...]} for each text, special tokens included: the ids of the tokenizers library on the folder's tokenizer.", NULL},
        {{"plimsoll tokenize MODEL -t 'Hello world!' --tokens --offsets", "one text, with everything"},
         {"plimsoll tokenize MODEL -i texts.txt -o ids.jsonl", "a file, a text a line"}},
    },
    [VERB_EMBED] = {
        {"Prints {\"embedding\":[...]} for each text, in the order of the input and as soon as it is ready. Pooling and normalisation are those of "
          "the folder (modules.json), else the mean of the tokens.", NULL},
        {{"plimsoll embed MODEL -t 'Hello world!'", "one text"},
         {"plimsoll embed MODEL -i texts.jsonl --format npy -o vectors.npy --memory 64MiB", "a file, within 64 MiB"},
         {"tail -f log | plimsoll embed MODEL -i -", "each line as it comes"},
         {"plimsoll embed MODEL -i texts.txt -o out.jsonl --skip 1200", "go on after an interruption"}},
    },
    [VERB_CLASSIFY] = {
        {"Prints {\"label\":\"...\",\"score\":0.98} for each text. A model with several labels a text (problem_type multi_label_classification) "
          "prints all of them with their scores in \"labels\"; a regression prints {\"score\":x}.",
         "With --label-column the right answers are read too: by the label's name, or its number where names are not numbers (-100: none). "
           "Accuracy, F1 (of the second label where there are two, else the mean over labels) and Matthews' correlation are printed for "
           "single labels; exact matches, micro and macro F1 for several; mean squared error, Pearson's and Spearman's "
           "correlation for a regression (Spearman's for up to 65536 texts).", NULL},
        {{"plimsoll classify MODEL -t 'a good film' --top 3", "the three best labels"},
         {"plimsoll classify MODEL -i test.csv --label-column label > answers.jsonl", "answers, and how many are right"},
         {"plimsoll classify MODEL -i pairs.tsv --text-column premise --text-pair-column hypothesis", "pairs of texts"}},
    },
    [VERB_TRAIN] = {
        {"Fine-tunes a classifier on texts with labels, with the defaults of Hugging Face's Trainer. The output is a folder that transformers loads "
          "as it is. How much memory there is never changes what is learned.", NULL},
        {{"plimsoll train MODEL --data train.csv --eval test.csv -o trained --memory 512MiB", "within 512 MiB"},
         {"plimsoll train MODEL --data train.csv -o trained --resume", "go on after an interruption"}},
    },
    [VERB_EXPLAIN] = {
        {"Finds each out-of-memory failure in a log (PyTorch, TensorFlow, JAX, ONNX Runtime, llama.cpp, vLLM, the Linux kernel and more), in LOG or "
          "standard input, and says what ran out, who held what, the cause, and the changes that help with their bytes. Exit code 1 when there is "
          "none.", NULL},
        {{"plimsoll explain train.log", "what happened, and what to change"},
         {"python train.py 2>&1 | plimsoll explain --json", "the same for a program"}},
    },
    [VERB_WATCH] = {
        {"Shows memory over time, who holds it and when it will be full, for the machine, its containers and its GPUs.", NULL},
        {{"plimsoll watch", "on a terminal"},
         {"plimsoll watch --once --json", "one sample"},
         {"plimsoll watch --alert 'free<2GiB' --exec 'notify-send memory'", "a warning in time"},
         {"plimsoll watch --run -- python train.py", "a job under observation"}},
    },
    [VERB_DEVICES] = {
        {"Lists CPU memory with the limit that holds for this process, and each GPU.", NULL},
        {{"plimsoll devices", "a table"}, {"plimsoll devices --json", "for programs"}},
    },
    [VERB_SHRINK] = {
        {"Asks the running plimsoll with the process number PID to go on within SIZE from now on; 0 is what it began with. Below what the job needs "
          "at least nothing changes, and the exit code is 4. The bare signal SIGUSR1 asks a job to give back all that it can.", NULL},
        {{"plimsoll shrink 4711 64MiB", "give the rest back"}, {"plimsoll shrink 4711 0", "take it again"}},
    },
    [VERB_PULL] = {
        {"Downloads what is needed of a model, resumably and checked by hash, into the cache that Hugging Face's libraries share; it is then called "
          "ORG/NAME.", NULL},
        {{"plimsoll pull sentence-transformers/all-MiniLM-L6-v2", "a model of the hub"}},
    },
    [VERB_HELP] = {{NULL}, {{"plimsoll help embed", "all about embed"}}},
};

const cli_note cli_words[3] = {
    {"MODEL", "a folder as Hugging Face saves it, or ORG/NAME in the cache of the Hugging Face hub, where `plimsoll pull` and Python put it"},
    {"SIZE", "300MiB, 2GiB, 1.5G, 800MB or 123456789 (bytes); iB and bare letters are powers of 1024, kB MB GB of 1000"},
    {"FILE", "for input also - (standard input) or a pipe; UTF-8"},
};

const cli_note cli_exit_codes[7] = {
    {"0", "done"},
    {"1", "nothing found (explain)"},
    {"2", "wrong usage"},
    {"3", "bad input: a file or folder that cannot be used"},
    {"4", "does not fit the limit"},
    {"5", "the machine failed: a full disk, a full standard output"},
    {"130, 143, 141", "interrupted by SIGINT or SIGTERM, finished results are kept; the reader of the output has gone"},
};

const cli_note cli_environment[9] = {
    {"HF_HUB_CACHE, HF_HOME", "where the cache of the Hugging Face hub is, as its own tools have it"},
    {"XDG_CACHE_HOME, HOME", "the same where those are not set"},
    {"PLIMSOLL_ISA", "the instructions to use: reference, avx2, avx512, avx512_bf16 or amx; default the fastest there is"},
    {"PLIMSOLL_MACHINE", "file with the measured speeds of this machine, for better plans"},
    {"XDG_RUNTIME_DIR", "where the jobs of one user tell each other what they plan to take"},
    {"NO_COLOR", "no colours where nothing else is said"},
    {"TERM", "dumb: no colours and no moving progress"},
    {NULL, NULL},
    {NULL, NULL},
};
/* clang-format on */
