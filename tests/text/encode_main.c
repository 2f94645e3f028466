/* Prints what the tokenizer of a folder makes of texts: the room's own program, for comparisons with
 * the reference library that need no model.
 *
 *     encode_main FOLDER MAX_LENGTH [ids|full|time] < INPUT
 *
 * INPUT is a stream of texts: 'S' or 'P' (one text or a pair), then for each text its length in bytes
 * as 4 bytes, little-endian, and the bytes. A line of JSON a text: {"ids":[...],...} or
 * {"error":"..."}. `time` prints nothing but tokens and seconds of CPU. */
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct input {
    char *bytes;
    size_t n, at;
} input;

static input read_all(FILE *f)
{
    input in = {0};
    size_t capacity = 0;
    for (;;) {
        if (in.n == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            in.bytes = realloc(in.bytes, capacity);
            if (!in.bytes)
                abort();
        }
        size_t got = fread(in.bytes + in.n, 1, capacity - in.n, f);
        if (got == 0)
            return in;
        in.n += got;
    }
}

static pl_text_view next_text(input *in)
{
    const unsigned char *p = (const unsigned char *)in->bytes + in->at;
    size_t n = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    in->at += 4 + n;
    return (pl_text_view){(const char *)p + 4, n, false};
}

static void print_tokens(const pl_tokenizer *t, const pl_encoding *out, bool full)
{
    printf("{\"ids\":[");
    for (size_t i = 0; i < out->count; i++)
        printf("%s%u", i ? "," : "", out->ids[i]);
    if (full) {
        printf("],\"types\":[");
        for (size_t i = 0; i < out->count; i++)
            printf("%s%u", i ? "," : "", out->types[i]);
        printf("],\"offsets\":[");
        for (size_t i = 0; i < out->count; i++)
            printf("%s[%u,%u]", i ? "," : "", out->offsets[i][0], out->offsets[i][1]);
        printf("],\"tokens\":[");
        for (size_t i = 0; i < out->count; i++) {
            size_t n;
            const char *token = pl_tokenizer_token(t, out->ids[i], &n);
            char *quoted = malloc(6 * n + 3);
            size_t m = token ? pl_json_string(token, n, quoted, 6 * n + 2) : 0;
            printf("%s%.*s", i ? "," : "", (int)m, token ? quoted : "");
            if (!token)
                printf("null");
            free(quoted);
        }
    }
    printf("]}\n");
}

static void print_error(const pl_error *e)
{
    char quoted[16384];
    size_t n = pl_json_string(e->text, strlen(e->text), quoted, sizeof quoted);
    printf("{\"error\":%.*s}\n", (int)n, quoted);
}

int main(int argc, char **argv)
{
    pl_error e;
    pl_tokenizer *t;
    if (argc < 3)
        return 2;
    const char *mode = argc > 3 ? argv[3] : "full";
    if (pl_tokenizer_open(argv[1], NULL, &t, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 3;
    }
    if (strcmp(mode, "facts") == 0) {
        printf("held %zu peak %zu ids %u special %u %u\n", pl_tokenizer_held(t), pl_tokenizer_load_peak(t), pl_tokenizer_ids(t),
            pl_tokenizer_special_count(t, false), pl_tokenizer_special_count(t, true));
        pl_tokenizer_close(t);
        return 0;
    }
    input in = read_all(stdin);
    size_t max_length = strtoul(argv[2], NULL, 10), longest = 0, tokens = 0;
    for (in.at = 0; in.at < in.n;) {
        bool pair = in.bytes[in.at++] == 'P';
        for (int i = 0; i < (pair ? 2 : 1); i++)
            longest = pl_max(longest, next_text(&in).bytes);
    }
    size_t room = pl_tokenizer_workspace(t, longest, max_length);
    void *workspace = malloc(room);
    pl_encoding out = {malloc(4 * max_length), malloc(max_length), malloc(8 * max_length), max_length, 0};
    bool timed = strcmp(mode, "time") == 0;
    if (!workspace || !out.ids || !out.types || !out.offsets)
        abort();
    uint32_t(*offsets)[2] = out.offsets;
    if (timed)
        out.offsets = NULL;
    clock_t begin = clock();
    for (in.at = 0; in.at < in.n;) {
        bool pair = in.bytes[in.at++] == 'P';
        pl_text_view a = next_text(&in), b = {0};
        if (pair)
            b = next_text(&in);
        if (pl_tokenizer_encode(t, workspace, room, &a, pair ? &b : NULL, max_length, &out, &e))
            print_error(&e);
        else if (!timed)
            print_tokens(t, &out, strcmp(mode, "full") == 0);
        tokens += out.count;
    }
    if (timed)
        printf("%zu tokens %.6f seconds\n", tokens, (double)(clock() - begin) / CLOCKS_PER_SEC);
    free(in.bytes);
    free(workspace);
    free(out.ids);
    free(out.types);
    free(offsets);
    pl_tokenizer_close(t);
    return 0;
}
