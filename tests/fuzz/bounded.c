/* A fuzz target without libFuzzer: runs each seed, then a fixed number of mutations of them, the same
 * ones every time, so that a bounded run is part of every build's tests.
 *     bounded RUNS SEED...     a SEED is a file or a folder of files
 * An input that crashes the target is written to ./crash-input. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MOST_SEEDS = 256, MOST_BYTES = 1 << 16 };

typedef struct seed {
    uint8_t *bytes;
    size_t n;
} seed;

static seed seeds[MOST_SEEDS];
static size_t seed_count;
static uint8_t input[MOST_BYTES];
static size_t input_bytes;
static uint64_t state = 1;

static size_t roll(size_t below)
{
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return below ? (size_t)((z ^ (z >> 31)) % below) : 0;
}

static void keep_input(int signal_number)
{
    int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0 && write(fd, input, input_bytes) >= 0)
        close(fd);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void add_seed(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        exit(1);
    }
    if (S_ISDIR(st.st_mode)) {
        struct dirent **names;
        int count = scandir(path, &names, NULL, alphasort); /* sorted: the same run everywhere */
        for (int i = 0; i < count; i++) {
            char inside[4096];
            snprintf(inside, sizeof inside, "%s/%s", path, names[i]->d_name);
            if (names[i]->d_name[0] != '.')
                add_seed(inside);
            free(names[i]);
        }
        if (count >= 0)
            free(names);
        return;
    }
    FILE *f = fopen(path, "rb");
    if (!f || st.st_size > MOST_BYTES || seed_count == MOST_SEEDS) {
        fprintf(stderr, "%s: cannot be read, is too large or one too many\n", path);
        exit(1);
    }
    seed *s = &seeds[seed_count++];
    s->n = (size_t)st.st_size;
    s->bytes = malloc(s->n + 1);
    if (!s->bytes || fread(s->bytes, 1, s->n, f) != s->n)
        exit(1);
    fclose(f);
}

/* Replaces input[at..at + gone) by n bytes, as far as there is room. */
static void splice(size_t at, size_t gone, const void *bytes, size_t n)
{
    if (input_bytes - gone + n > sizeof input)
        return;
    uint8_t copy[256];
    n = n < sizeof copy ? n : sizeof copy;
    memcpy(copy, bytes, n); /* it may come from the input itself */
    memmove(input + at + n, input + at + gone, input_bytes - at - gone);
    memcpy(input + at, copy, n);
    input_bytes = input_bytes - gone + n;
}

static void mutate(void)
{
    static const char *const words[] = {
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "\\",
        "\\u0000",
        "\\ud83d",
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1e999",
        "1.5",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "\"\"",
        "[[[[[[[[",
        "{\"a\":",
        "../",
        "/",
        "\xFF",
        "\xC3",
        "\xED\xA0\x80",
        "\n",
        "    ",
    };
    size_t at = roll(input_bytes + 1), length = roll(16) + 1, left = input_bytes - at;
    length = length < left ? length : left;
    const char *word = words[roll(sizeof words / sizeof *words)];
    const seed *other = &seeds[roll(seed_count)];
    size_t from = roll(other->n + 1), n = roll(64);
    switch (roll(8)) {
    case 0:
        if (left)
            input[at] ^= (uint8_t)(1u << roll(8));
        return;
    case 1:
        if (left)
            input[at] = (uint8_t)roll(256);
        return;
    case 2: splice(at, length, "", 0); return;
    case 3: splice(at, 0, word, strlen(word)); return;
    case 4: splice(at, length, word, strlen(word)); return;
    case 5: splice(at, 0, input + at, length); return; /* doubled */
    case 6: splice(at, length, other->bytes + from, n < other->n - from ? n : other->n - from); return;
    default: input_bytes = roll(4) ? input_bytes : at; return; /* cut, not too often */
    }
}

static void run(const seed *s, size_t mutations)
{
    memcpy(input, s->bytes, s->n);
    input_bytes = s->n;
    while (mutations-- > 0)
        mutate();
    uint8_t *exact = malloc(input_bytes ? input_bytes : 1); /* so that a sanitizer sees the end */
    if (!exact)
        exit(1);
    memcpy(exact, input, input_bytes);
    LLVMFuzzerTestOneInput(exact, input_bytes);
    free(exact);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    size_t runs = strtoul(argv[1], NULL, 10);
    for (int i = 2; i < argc; i++)
        add_seed(argv[i]);
    if (seed_count == 0)
        return 2;
    signal(SIGABRT, keep_input);
    signal(SIGSEGV, keep_input);
    for (size_t i = 0; i < seed_count; i++)
        run(&seeds[i], 0);
    for (size_t i = 0; i < runs; i++)
        run(&seeds[roll(seed_count)], 1 + roll(6));
    printf("%zu seeds and %zu mutations of them\n", seed_count, runs);
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    return 0;
}
