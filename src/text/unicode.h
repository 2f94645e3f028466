/* What the reference library knows of each code point (tables written by make_unicode.py), and UTF-8.
 *
 * Each property is three stages: block[row[top[c >> 12] * 64 + (c >> 6 & 63)] * 64 + (c & 63)]. */
#ifndef PL_TEXT_UNICODE_H
#define PL_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL__UNICODE_TABLE(name, type)                                                   \
    extern const uint8_t pl__##name##_top[];                                            \
    extern const uint16_t pl__##name##_row[];                                           \
    extern const type pl__##name##_block[];                                             \
    static inline type pl__##name(uint32_t c)                                           \
    {                                                                                   \
        size_t row = pl__##name##_row[pl__##name##_top[c >> 12] * 64u + (c >> 6 & 63)]; \
        return pl__##name##_block[row * 64u + (c & 63)];                                \
    }

/* Bits of pl__class. OTHER is what BERT's clean_text drops; NONSPACING and MARK come from two crates
 * and differ; WORD is \w of the regex crate. PLAIN: a text may be cut between two plain characters
 * and normalised part by part (no composition, reordering or grapheme crosses the cut). */
enum { PL__WHITE = 1, PL__OTHER = 2, PL__PUNCTUATION = 4, PL__NONSPACING = 8, PL__MARK = 16, PL__NUMERIC = 32, PL__WORD = 64, PL__PLAIN = 128 };
PL__UNICODE_TABLE(class, uint8_t)

/* General category (low five bits, in the order below) and three more sets, as the regular
 * expressions of the library (Oniguruma) see them. */
enum {
    PL__CN,
    PL__LU,
    PL__LL,
    PL__LT,
    PL__LM,
    PL__LO,
    PL__MN,
    PL__MC,
    PL__ME,
    PL__ND,
    PL__NL,
    PL__NO,
    PL__PC,
    PL__PD,
    PL__PS,
    PL__PE,
    PL__PI,
    PL__PF,
    PL__PO,
    PL__SM,
    PL__SC,
    PL__SK,
    PL__SO,
    PL__ZS,
    PL__ZL,
    PL__ZP,
    PL__CC,
    PL__CF,
    PL__CS,
    PL__CO,
    PL__CATEGORIES
};
enum { PL__ONIG_CATEGORY = 31, PL__ONIG_ALPHA = 32, PL__ONIG_UPPER = 64, PL__ONIG_LOWER = 128 };
PL__UNICODE_TABLE(onig, uint8_t)


/* Letters, marks, decimal digits, connectors: what \w is in a class. Standing alone, and at \b, it has six more of Latin-1. */
static inline bool pl__onig_word(uint32_t c)
{
    uint32_t mask = 1u << PL__MN | 1u << PL__MC | 1u << PL__ME | 1u << PL__ND | 1u << PL__PC;
    uint8_t bits = pl__onig(c);
    return (bits & PL__ONIG_ALPHA) || mask >> (bits & PL__ONIG_CATEGORY) & 1;
}
static inline bool pl__onig_lone_word(uint32_t c) { return pl__onig_word(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0xBC && c <= 0xBE); }

PL__UNICODE_TABLE(onig_script, uint8_t)           /* 0: none; else index + 1 into the names */
extern const char *const pl__onig_script_names[]; /* "oldturkic" */
extern const uint32_t pl__onig_scripts;

/* Grapheme clusters. EXTEND_LINKER is a linker of Indic conjuncts, EXTEND_END ends a conjunct. */
enum {
    PL__GRAPHEME_OTHER,
    PL__GRAPHEME_CONTROL,
    PL__GRAPHEME_EXTEND,
    PL__GRAPHEME_PREPEND,
    PL__GRAPHEME_PICTURE,
    PL__GRAPHEME_CONJUNCT,
    PL__GRAPHEME_EXTEND_LINKER,
    PL__GRAPHEME_EXTEND_END
};
PL__UNICODE_TABLE(grapheme, uint8_t)

PL__UNICODE_TABLE(script, uint8_t)         /* 0: any; Han, Hiragana and Katakana are one */
PL__UNICODE_TABLE(ccc, uint8_t)            /* canonical combining class */
PL__UNICODE_TABLE(lower, uint8_t)          /* index into pl__lower_delta, 0: stays */
PL__UNICODE_TABLE(decomposition, uint16_t) /* offset + 1 into pl__decomposition_pool, 0: none */

/* The one lower case of two characters (U+0130) has this delta. */
enum { PL__LOWER_TWO = 0x110000 };
extern const int32_t pl__lower_delta[];
extern const uint32_t pl__lower_deltas; /* how many */
/* Per entry: bytes and text of the canonical form, then of the compatible one; 0 bytes: the former
 * is the character itself, the latter is the former. */
extern const uint8_t pl__decomposition_pool[];
/* Sorted by (first, second). */
extern const uint32_t pl__compositions, pl__composition_first[], pl__composition_second[], pl__composition_whole[];

/* What BertNormalizer puts blanks around. */
bool pl__is_chinese(uint32_t c);

/* ---- UTF-8; the text is valid ---- */

static inline size_t pl__width(char lead)
{
    unsigned char c = (unsigned char)lead;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static inline size_t pl__decode(const char *text, uint32_t *c)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *c = s[0];
        return 1;
    }
    if (s[0] < 0xE0) {
        *c = (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
        return 2;
    }
    if (s[0] < 0xF0) {
        *c = (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
        return 3;
    }
    *c = (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    return 4;
}

/* The character that ends before text[at], at > 0. */
static inline size_t pl__decode_before(const char *text, size_t at, uint32_t *c)
{
    size_t start = at - 1;
    while (((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    return pl__decode(text + start, c);
}

static inline size_t pl__encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* ---- Unicode normal forms (normal_form.c) ---- */

/* The decomposition of c, at most 18 characters; returns how many. */
enum { PL__DECOMPOSED = 18 };
size_t pl__decompose(uint32_t c, bool compatible, uint32_t out[PL__DECOMPOSED]);
/* The character that first and second compose to, 0 if none. */
uint32_t pl__compose(uint32_t first, uint32_t second);
/* Lower case of c: one or two characters. */
size_t pl__lowercase(uint32_t c, uint32_t out[2]);

#endif
