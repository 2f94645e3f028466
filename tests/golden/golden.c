#include "golden/golden.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, PIECE = 4096 };
static const uint64_t GAMMA = 0x9E3779B97F4A7C15u;

uint64_t golden_key(const char *name)
{
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001B3u;
    return h;
}

double golden_uniform(uint64_t key, uint64_t index)
{
    uint64_t x = key + index * GAMMA; /* then the finaliser of MurmurHash3 */
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDu;
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53u;
    x ^= x >> 33;
    return (double)(x >> 40) / 8388608.0 - 1.0;
}

static bool fail(char *why, size_t capacity, const char *what, const char *name)
{
    snprintf(why, capacity, "%s: %s", name, what);
    return false;
}

static bool make_folders(const char *path)
{
    char part[PATH_BYTES];
    for (size_t i = 1; i < sizeof part && path[i - 1]; i++) {
        if (path[i] != '/' && path[i])
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) && errno != EEXIST)
            return false;
    }
    return true;
}

/* Opens folder/name for writing and makes the folders between. */
static FILE *create(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    bool made = make_folders(path);
    *slash = '/';
    return made ? fopen(path, "wb") : NULL;
}

static bool close_whole(FILE *f)
{
    bool good = !ferror(f);
    return fclose(f) == 0 && good;
}

static bool write_file(const char *folder, const char *name, const json_t *content)
{
    FILE *f = create(folder, name);
    if (!f)
        return false;
    if (json_is_string(content)) {
        fwrite(json_string_value(content), 1, json_string_length(content), f);
    } else {
        json_dumpf(content, f, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        fputc('\n', f);
    }
    return close_whole(f);
}

static bool copy_file(const char *from, const char *folder, const char *name)
{
    FILE *in = fopen(from, "rb");
    FILE *out = in ? create(folder, name) : NULL;
    char piece[PIECE];
    size_t n;
    while (out && (n = fread(piece, 1, sizeof piece, in)) > 0)
        fwrite(piece, 1, n, out);
    if (in)
        fclose(in);
    return out && close_whole(out);
}

/* ---- element types ---- */
static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/* Round to nearest even by way of an integer count of the half's last place; no infinities here. */
static uint16_t to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    int exponent = (int)((bits >> 23) & 0xFF) - 127;
    if (exponent < -25)
        return sign;
    uint32_t fraction = (bits & 0x7FFFFF) | 0x800000;
    unsigned shift = exponent < -14 ? (unsigned)(13 - 14 - exponent) : 13;
    uint32_t kept = fraction >> shift, rest = fraction & ((1u << shift) - 1), half = 1u << (shift - 1);
    kept += rest > half || (rest == half && (kept & 1));
    uint32_t biased = exponent < -14 ? kept : kept + ((uint32_t)(exponent + 14) << 10);
    return (uint16_t)(sign | biased);
}

typedef struct element_type {
    const char *name;
    size_t bytes;
} element_type;
static const element_type types[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"I32", 4}, {"U8", 1}};

static const element_type *type_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

static void put_element(const element_type *type, double value, unsigned char *out)
{
    float single = (float)value;
    double wide = single; /* F64 weights hold float32 values: the answer stays comparable */
    uint16_t half = type->name[0] == 'B' ? to_bf16(single) : to_f16(single);
    int64_t whole = (int64_t)value;
    int32_t shorter = (int32_t)value;
    switch (type->name[0] == 'I' || type->name[0] == 'U' ? -(int)type->bytes : (int)type->bytes) {
    case 2: memcpy(out, &half, 2); break;
    case 4: memcpy(out, &single, 4); break;
    case 8: memcpy(out, &wide, 8); break;
    case -1: *out = (unsigned char)whole; break;
    case -4: memcpy(out, &shorter, 4); break;
    default: memcpy(out, &whole, 8); break;
    }
}

typedef struct tensor {
    const element_type *type;
    const char *name;
    const json_t *shape;
    double offset, scale;
    bool counting;
    uint64_t count;
} tensor;

static bool read_tensor(const json_t *row, tensor *t)
{
    const json_t *scale = json_array_get(row, 2);
    *t = (tensor){.type = type_of(json_string_value(json_array_get(row, 0))),
        .name = json_string_value(json_array_get(row, 3)),
        .shape = json_array_get(row, 4),
        .offset = json_number_value(json_array_get(row, 1)),
        .scale = json_number_value(scale),
        .counting = json_is_string(scale),
        .count = 1};
    for (size_t i = 0; i < json_array_size(t->shape); i++)
        t->count *= (uint64_t)json_integer_value(json_array_get(t->shape, i));
    return t->type && t->name && json_is_array(t->shape);
}

static void write_values(const tensor *t, FILE *f)
{
    uint64_t key = golden_key(t->name);
    unsigned char piece[PIECE];
    size_t used = 0;
    for (uint64_t i = 0; i < t->count; i++) {
        double value = t->counting ? (double)i : t->offset + t->scale * golden_uniform(key, i);
        put_element(t->type, value, piece + used);
        used += t->type->bytes;
        if (used + 8 > sizeof piece || i + 1 == t->count) {
            fwrite(piece, 1, used, f);
            used = 0;
        }
    }
}

/* The header as safetensors writes it: compact JSON padded with blanks to a multiple of 8. */
static char *header_text(const json_t *rows, size_t *length)
{
    json_t *header = json_object();
    json_object_set_new(header, "__metadata__", json_pack("{s:s}", "format", "pt"));
    uint64_t at = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        tensor t;
        if (!read_tensor(json_array_get(rows, i), &t)) {
            json_decref(header);
            return NULL;
        }
        uint64_t end = at + t.count * t.type->bytes;
        json_object_set_new(
            header, t.name, json_pack("{s:s, s:O, s:[I, I]}", "dtype", t.type->name, "shape", t.shape, "data_offsets", (json_int_t)at, (json_int_t)end));
        at = end;
    }
    char *compact = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    size_t n = compact ? strlen(compact) : 0;
    *length = (n + 7) / 8 * 8;
    char *padded = compact ? malloc(*length + 1) : NULL;
    if (padded)
        snprintf(padded, *length + 1, "%-*s", (int)*length, compact);
    free(compact);
    return padded;
}

static bool write_weights(const char *folder, const char *name, const json_t *rows)
{
    size_t length;
    char *header = header_text(rows, &length);
    FILE *f = header ? create(folder, name) : NULL;
    if (f) {
        uint64_t n = length;
        fwrite(&n, 8, 1, f);
        fwrite(header, 1, length, f);
        for (size_t i = 0; i < json_array_size(rows); i++) {
            tensor t;
            read_tensor(json_array_get(rows, i), &t);
            write_values(&t, f);
        }
    }
    free(header);
    return f && close_whole(f);
}

bool golden_make(const char *case_file, const char *folder, char *why, size_t capacity)
{
    json_error_t where;
    json_t *root = json_load_file(case_file, 0, &where);
    if (!root)
        return fail(why, capacity, where.text, case_file);
    bool good = make_folders(folder);
    const char *name = "";
    json_t *value;
    json_object_foreach(json_object_get(root, "files"), name, value)
    {
        if (good && !(good = write_file(folder, name, value)))
            fail(why, capacity, "could not be written", name);
    }
    const char *tokenizer = json_string_value(json_object_get(root, "tokenizer"));
    const char *slash = strrchr(case_file, '/');
    if (good && tokenizer) {
        char from[PATH_BYTES];
        snprintf(from, sizeof from, "%.*s/../tokenizers/%s.json", slash ? (int)(slash - case_file) : 1, slash ? case_file : ".", tokenizer);
        if (!(good = copy_file(from, folder, "tokenizer.json")))
            fail(why, capacity, "could not be copied", from);
    }
    json_object_foreach(json_object_get(root, "weights"), name, value)
    {
        if (good && !(good = write_weights(folder, name, value)))
            fail(why, capacity, "weights could not be written", name);
    }
    json_decref(root);
    return good;
}
