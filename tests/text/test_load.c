/* Opening: what is wrong is named with its place, memory is counted exactly, and every allocation that
 * fails is an error without a leak. */
#include "base/failing.h"
#include "text/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Quotes are written ' here. */
static const char *json_of(const char *text)
{
    static char out[1 << 16];
    size_t n = strlen(text);
    assert_true(n < sizeof out);
    for (size_t i = 0; i <= n; i++)
        out[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    return out;
}

#define WORDPIECE "'model':{'type':'WordPiece','unk_token':'u','continuing_subword_prefix':'##','max_input_chars_per_word':100,'vocab':{'u':0,'a':1}}"
#define NORMALIZER(x) "{'normalizer':" x "," WORDPIECE "}"
#define SPLITTER(x) "{'pre_tokenizer':" x "," WORDPIECE "}"
#define POST(x) "{'post_processor':" x "," WORDPIECE "}"
#define ADDED(x) "{'added_tokens':[" x "]," WORDPIECE "}"
#define TOKEN(rest) "{'id':9,'content':'x','single_word':false,'lstrip':false,'rstrip':false,'normalized':false,'special':false" rest "}"
#define VOCAB(x) "{'model':{'type':'WordPiece','unk_token':'u','continuing_subword_prefix':'##','max_input_chars_per_word':100,'vocab':" x "}}"
#define BPE(vocab, merges) "{'model':{'type':'BPE','vocab':" vocab ",'merges':" merges "}}"
#define UNIGRAM(rest) "{'model':{'type':'Unigram'," rest "}}"

static const struct {
    const char *json, *error; /* error: what the message must hold; NULL: it opens */
} files[] = {
    {"{" WORDPIECE "}", NULL},
    {"", "is empty"},
    {"{", "line 1"},
    {"[]", "is an object"},
    {"{}", "model: is missing"},
    {"{" WORDPIECE "} x", "after the end"},
    {"{'version':'2.0'," WORDPIECE "}", "version"},
    {"{" WORDPIECE "," WORDPIECE "}", "\"model\" stands there twice"},
    {"{'model':{'type':'Word'}}", "\"Word\" is not known"},
    {"{'model':{}}", "not the members of any kind"},
    {"{'model':7}", "must be an object"},
    /* the vocabulary */
    {VOCAB("{'u':0,'u':1}"), "\"u\" stands there twice"},
    {VOCAB("{'u':0,'a':0}"), "same id"},
    {VOCAB("{'u':3,'b':1,'a':3}"), "same id"},
    {VOCAB("{'u':-1}"), "has the id -1"},
    {VOCAB("{'u':1.5}"), "has the id 1.5"},
    {VOCAB("{'u':4294967296}"), "has the id 4294967296"},
    {VOCAB("{'u':99999999999999999999999999}"), "has the id"},
    {VOCAB("{'u':'0'}"), "has no id"},
    {VOCAB("['u']"), "model.vocab"},
    {VOCAB("[['u',0]]"), "must be an object"},
    {VOCAB("null"), "model.vocab"},
    {VOCAB("{}"), NULL},
    {VOCAB("{'u':70000,'a':5}"), NULL},
    {"{'model':{'type':'WordPiece','vocab':{}}}", "\"unk_token\" is missing"},
    {"{'model':{'type':'WordLevel','vocab':{'a':0},'unk_token':3}}", "\"unk_token\" must be a string"},
    /* BPE */
    {BPE("{'a':0,'b':1,'ab':2}", "['a b']"), NULL},
    {BPE("{'a':0,'b':1,'ab':2}", "[['a','b']]"), NULL},
    {BPE("{'a':0,'b':1}", "['a b']"), "make a token that is not in the vocabulary"},
    {BPE("{'a':0}", "[['a','b']]"), "\"b\" is not in the vocabulary"},
    {BPE("{'a':0}", "['a']"), "no pair"},
    {BPE("{'a':0}", "['a a a']"), "no pair"},
    {BPE("{'a':0,'aa':1}", "['a a',['a','a']]"), "some entries are lists"},
    {BPE("{'a':0}", "[7]"), "no pair"},
    {BPE("{'a':0,'aa':1}", "[['a','a','a']]"), "no pair"},
    {"{'model':{'type':'BPE','vocab':{}}}", "\"merges\" is missing"},
    {"{'model':{'type':'BPE','dropout':0.1,'vocab':{},'merges':[]}}", "dropout"},
    {"{'model':{'type':'BPE','dropout':0.0,'vocab':{},'merges':[]}}", NULL},
    /* Unigram */
    {UNIGRAM("'unk_id':0,'vocab':[['u',0.0],['a',-1.5]]"), NULL},
    {UNIGRAM("'unk_id':2,'vocab':[['u',0.0],['a',-1.5]]"), "unk_id"},
    {UNIGRAM("'unk_id':-1,'vocab':[['u',0.0]]"), "unk_id"},
    {UNIGRAM("'vocab':[['u']]"), "[piece, score]"},
    {UNIGRAM("'vocab':[['u',1,2]]"), "[piece, score]"},
    {UNIGRAM("'vocab':[['u',1e999]]"), "finite"},
    {UNIGRAM("'vocab':{'u':0}"), "must be a list"},
    /* parts */
    {NORMALIZER("null"), NULL},
    {NORMALIZER("{'type':'Foo'}"), "normalizer: the type \"Foo\" is not supported"},
    {NORMALIZER("{'type':'Sequence','normalizers':[{'type':'NFC'},{'type':'Foo'}]}"), "normalizer[1]: the type \"Foo\""},
    {NORMALIZER("{'type':'Sequence'}"), "\"normalizers\""},
    {NORMALIZER("{'type':'BertNormalizer','clean_text':1}"), "\"clean_text\" must be true or false"},
    {NORMALIZER("{'type':'Replace','pattern':{'Regex':'('},'content':''}"), "a group without an end"},
    {NORMALIZER("{'type':'Replace','pattern':'x','content':''}"), "\"pattern\""},
    {NORMALIZER("{'type':'Replace','pattern':{'Regex':'(a)\\\\1'},'content':''}"), "escape that is not supported"},
    {NORMALIZER("{'type':'Precompiled','precompiled_charsmap':'AAAA'}"), "no character map"},
    {NORMALIZER("{'type':'Precompiled','precompiled_charsmap':'!'}"), "no character map"},
    {SPLITTER("{'type':'Foo'}"), "pre_tokenizer: the type \"Foo\" is not supported"},
    {SPLITTER("{'type':'Metaspace','replacement':'ab'}"), "one character"},
    {SPLITTER("{'type':'Metaspace','replacement':'_','add_prefix_space':false}"), "prepend_scheme"},
    {SPLITTER("{'type':'Split','pattern':{'String':'a'},'behavior':'Foo','invert':false}"), "\"behavior\""},
    {SPLITTER("{'type':'FixedLength','length':0}"), "must not be 0"},
    {POST("{'type':'Foo'}"), "post_processor: the type \"Foo\" is not supported"},
    {POST("{'type':'BertProcessing','sep':['x'],'cls':['y',1]}"), "\"sep\" must be [token, id]"},
    {POST("{'type':'TemplateProcessing','single':[{'Sequence':{'id':'B','type_id':0}}],'pair':[],'special_tokens':{}}"), "second text"},
    {POST("{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'C','type_id':0}}],'pair':[],'special_tokens':{}}"), "\"C\" is not among"},
    {POST("{'type':'TemplateProcessing','single':[{'Sequence':{'id':'A','type_id':300}}],'pair':[],'special_tokens':{}}"), "type_id"},
    {POST("{'type':'Sequence','processors':[{'type':'BertProcessing','sep':['x',0],'cls':['y',1]},{'type':'BertProcessing','sep':['x',0],'cls':['y',1]}]}"),
        "post_processor[1]"},
    {ADDED(TOKEN("")), NULL},
    {ADDED(TOKEN(",'id':3")), "stands twice"},
    {ADDED("{'id':9}"), "added_tokens[0]: \"content\" is missing"},
    {ADDED("7"), "added_tokens[0]"},
    {"{'added_tokens':{}," WORDPIECE "}", "added_tokens: must be a list"},
    {"{'normalizer':{'type':'Lowercase'},'added_tokens':[{'id':9,'content':'X','single_word':false,'lstrip':false,'rstrip':false,'normalized':true,'special':"
     "false},"
     "{'id':9,'content':'x','single_word':false,'lstrip':false,'rstrip':false,'normalized':true,'special':false}]," WORDPIECE "}",
        NULL},
    {"{'normalizer':{'type':'StripAccents'},'added_tokens':[{'id':9,'content':'\xCC\x81','single_word':false,'lstrip':false,'rstrip':false,'normalized':true,'"
     "special':false}]," WORDPIECE "}",
        "nothing is left"},
};

static void names_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(files); i++) {
        const char *folder = scratch_folder("tokenizer.json", json_of(files[i].json));
        failing memory;
        failing_init(&memory, 0);
        pl_tokenizer *t;
        pl_error e;
        pl_status status = pl_tokenizer_open(folder, &memory.memory, &t, &e);
        if (!files[i].error) {
            if (status)
                fail_msg("%s: %s", files[i].json, e.text);
            pl_tokenizer_close(t);
        } else if (status != PL_BAD_INPUT || !strstr(e.text, files[i].error) || !strstr(e.text, "tokenizer.json: ")) {
            fail_msg("%s: %s", files[i].json, status ? e.text : "opened");
        }
        assert_int_equal(memory.blocks, 0);
    }
}

static void wants_some_tokenizer(void **state)
{
    (void)state;
    pl_tokenizer *t;
    pl_error e;
    const char *folder = scratch_folder("other.txt", "x");
    assert_int_equal(pl_tokenizer_open(folder, NULL, &t, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "has no tokenizer.json"));
    folder = scratch_folder("vocab.txt", "[PAD]\n[UNK]\na\n");
    assert_int_equal(pl_tokenizer_open(folder, NULL, &t, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "no \"[CLS]\""));
    folder = scratch_folder("vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n\r\nharbour\r\n##s\r\nharbour\r\n");
    assert_int_equal(pl_tokenizer_open(folder, NULL, &t, &e), PL_OK);
    uint32_t id;
    assert_true(pl_tokenizer_id(t, "harbour", 7, &id)); /* said twice: the last line counts */
    assert_int_equal(id, 7);
    assert_int_equal(pl_tokenizer_ids(t), 9); /* [MASK] is added behind */
    pl_tokenizer_close(t);
    folder = scratch_folder("vocab.txt", "[UNK]\n[CLS]\n\xFFq\n");
    assert_int_equal(pl_tokenizer_open(folder, NULL, &t, &e), PL_BAD_INPUT);
    assert_non_null(strstr(e.text, "vocab.txt: line 3: is not UTF-8"));
}

static void put_beside(const char *folder, const char *file, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = text ? fopen(path, "wb") : NULL;
    if (!text) {
        unlink(path);
        return;
    }
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* What the `transformers` library makes of the two files of before tokens were listed in the
 * configuration, and of roles that say one token with different flags. */
static void reads_the_older_files(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"};
#define MAP "{'cls_token':'<s>','sep_token':{'content':'</s>','lstrip':true,'rstrip':false,'single_word':false,'normalized':false},'pad_token':'<pad>'}"
#define BESIDE "{'<n2>':10,'<n1>':9,'<pad>':11}"
    static const struct {
        const char *files[3], *text, *error;
        size_t count;
        uint32_t tokens[8][3]; /* id, start, end */
    } cases[] = {
        {{NULL, MAP, BESIDE}, "ab<N1>b<n2>", NULL, 7, {{5, 0, 0}, {7, 0, 1}, {8, 1, 2}, {9, 2, 6}, {1, 6, 7}, {10, 7, 11}, {6, 0, 0}}},
        {{"{'sep_token':'[SEP]'}", MAP, BESIDE}, "a  </s><pad>", NULL, 5, {{5, 0, 0}, {7, 0, 1}, {6, 1, 7}, {11, 7, 12}, {6, 0, 0}}},
        {{"{'added_tokens_decoder':{}}", MAP, BESIDE}, "a", NULL, 3, {{2, 0, 0}, {7, 0, 1}, {3, 0, 0}}},
        {{"{'bos_token':{'content':'[CLS]','rstrip':true}}", NULL, NULL}, "[CLS]  a", NULL, 4, {{2, 0, 0}, {2, 0, 5}, {7, 7, 8}, {3, 0, 0}}},
        {{"{'mask_token':{'content':'[CLS]','rstrip':true}}", NULL, NULL}, "[CLS]  a", NULL, 4, {{2, 0, 0}, {2, 0, 7}, {7, 7, 8}, {3, 0, 0}}},
        {{"{'tokenizer_class':'MPNetTokenizer'}", NULL, NULL}, "<S>a  <mask>", NULL, 7,
            {{5, 0, 0}, {1, 0, 1}, {1, 1, 2}, {1, 2, 3}, {7, 3, 4}, {10, 6, 12}, {6, 0, 0}}},
        {{"{'tokenizer_class':'FunnelTokenizer'}", NULL, NULL}, "a", "the vocabulary has no \"<cls>\"", 0, {{0}}},
        {{NULL, NULL, "{'<n2>':-1}"}, "a", "added_tokens.json: \"<n2>\" has no id", 0, {{0}}},
        {{NULL, NULL, "['<n2>']"}, "a", "added_tokens.json: line 1", 0, {{0}}},
        {{NULL, "{'cls_token':", NULL}, "a", "special_tokens_map.json: line 1", 0, {{0}}},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        const char *folder = scratch_folder("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n<s>\n</s>\na\n##b\n");
        for (size_t j = 0; j < PL_COUNT(names); j++)
            put_beside(folder, names[j], cases[i].files[j] ? json_of(cases[i].files[j]) : NULL);
        pl_tokenizer *t;
        pl_error e;
        pl_status status = pl_tokenizer_open(folder, NULL, &t, &e);
        for (size_t j = 0; j < PL_COUNT(names); j++)
            put_beside(folder, names[j], NULL);
        if (cases[i].error) {
            assert_int_equal(status, PL_BAD_INPUT);
            assert_non_null(strstr(e.text, cases[i].error));
            continue;
        }
        assert_int_equal(status, PL_OK);
        bench b;
        bench_init(&b, t, 64, 16);
        assert_int_equal(bench_encode(&b, (pl_text_view){cases[i].text, strlen(cases[i].text), false}, NULL, 16, &e), PL_OK);
        assert_int_equal(b.out.count, cases[i].count);
        for (size_t j = 0; j < cases[i].count; j++) {
            assert_int_equal(b.out.ids[j], cases[i].tokens[j][0]);
            assert_int_equal(b.out.offsets[j][0], cases[i].tokens[j][1]);
            assert_int_equal(b.out.offsets[j][1], cases[i].tokens[j][2]);
        }
        bench_free(&b);
    }
}

static void path_of(const char *name, char path[512]) { snprintf(path, 512, PL_SOURCE_DIR "/tests/golden/tokenizer/%s", name); }

static void counts_its_memory(void **state)
{
    (void)state;
    for (const char *const *name = golden_tokenizers; *name; name++) {
        failing memory;
        failing_init(&memory, 0);
        char path[512];
        path_of(*name, path);
        pl_tokenizer *t;
        assert_int_equal(pl_tokenizer_open(path, &memory.memory, &t, NULL), PL_OK);
        assert_int_equal(pl_tokenizer_held(t), memory.bytes);
        assert_int_equal(pl_tokenizer_load_peak(t), memory.most);
        pl_tokenizer_close(t);
        assert_int_equal(memory.blocks, 0);
        assert_int_equal(memory.bytes, 0);
    }
}

static void survives_each_failing_take(void **state)
{
    (void)state;
    for (const char *const *name = golden_tokenizers; *name; name++) {
        char path[512];
        path_of(*name, path);
        for (size_t fail_at = 1;; fail_at++) {
            failing memory;
            failing_init(&memory, fail_at);
            pl_tokenizer *t = NULL;
            pl_error e;
            pl_status status = pl_tokenizer_open(path, &memory.memory, &t, &e);
            if (status == PL_OK) {
                pl_tokenizer_close(t);
                assert_true(memory.takes < fail_at && fail_at > 4);
                break;
            }
            if (status != PL_MACHINE)
                fail_msg("%s: take %zu failed: %s", *name, fail_at, e.text);
            assert_null(t);
            assert_non_null(strstr(e.text, "memory"));
            assert_int_equal(memory.blocks, 0);
        }
    }
}

/* The unknown token is only missed when a text needs it, and then by its name. */
static void misses_the_unknown_token_by_name(void **state)
{
    (void)state;
    static const char *const models[] = {
        "{'model':{'type':'WordPiece','unk_token':'[NO]','continuing_subword_prefix':'##','max_input_chars_per_word':100,'vocab':{'a':0}}}",
        "{'model':{'type':'WordLevel','unk_token':'[NO]','vocab':{'a':0}}}",
        "{'model':{'type':'BPE','unk_token':'[NO]','vocab':{'a':0},'merges':[]}}",
        "{'model':{'type':'Unigram','vocab':[['a',0.0]]}}",
    };
    for (size_t i = 0; i < PL_COUNT(models); i++) {
        bench b;
        pl_tokenizer *t;
        pl_error e;
        assert_int_equal(pl_tokenizer_open(scratch_folder("tokenizer.json", json_of(models[i])), NULL, &t, &e), PL_OK);
        bench_init(&b, t, 64, 16);
        assert_int_equal(bench_encode(&b, (pl_text_view){"a", 1, false}, NULL, 16, &e), PL_OK);
        assert_int_equal(b.out.count, 1);
        assert_int_equal(bench_encode(&b, (pl_text_view){"b", 1, false}, NULL, 16, &e), PL_BAD_INPUT);
        assert_non_null(strstr(e.text, i == 3 ? "no unknown token" : "[NO]"));
        bench_free(&b);
    }
}

/* The library's tokens and offsets of texts at the edge of what a tokenizer may say. */
static void reads_edges_as_the_library(void **state)
{
    (void)state;
#define MODEL(most, vocab)                                                                                                                                \
    "'pre_tokenizer':{'type':'BertPreTokenizer'},'model':{'type':'WordPiece','unk_token':'u','continuing_subword_prefix':'##','max_input_chars_per_word'" \
    ":" most ",'vocab':" vocab "}}"
#define WHITE(flags) "'added_tokens':[{'id':9,'content':'  '," flags ",'special':false}],"
#define ALL_FLAGS "'single_word':true,'lstrip':true,'rstrip':true"
    static const struct {
        const char *json, *text;
        size_t count;
        uint32_t tokens[3][3]; /* id, start, end */
    } edges[] = {
        /* a word that is too long from its first character on */
        {"{" MODEL("0", "{'u':0,'a':1}"), "ab1 \xC3\xA9z", 2, {{0, 0, 3}, {0, 4, 6}}},
        {"{" MODEL("1", "{'u':0,'a':1}"), "a abc", 2, {{1, 0, 1}, {0, 2, 5}}},
        /* a token whose white space the one before it has taken, wholly or in part */
        {"{" WHITE(ALL_FLAGS ",'normalized':false") MODEL("9", "{'u':0,'a':1}"), " \t    a", 2, {{2, 0, 6}, {1, 6, 7}}},
        {"{" WHITE(ALL_FLAGS ",'normalized':true") MODEL("9", "{'u':0,'a':1}"), " \t    a", 2, {{2, 0, 6}, {1, 6, 7}}},
        {"{'normalizer':{'type':'NFKC'}," WHITE(ALL_FLAGS ",'normalized':true") MODEL("9", "{'u':0,'a':1}"), "a      ", 2, {{1, 0, 1}, {2, 1, 7}}},
        {"{'normalizer':{'type':'NFKC'}," WHITE(ALL_FLAGS ",'normalized':false") MODEL("9", "{'u':0,'a':1}"), "a     a", 3, {{1, 0, 1}, {2, 1, 6}, {1, 6, 7}}},
    };
    for (size_t i = 0; i < PL_COUNT(edges); i++) {
        bench b;
        pl_tokenizer *t;
        pl_error e;
        assert_int_equal(pl_tokenizer_open(scratch_folder("tokenizer.json", json_of(edges[i].json)), NULL, &t, &e), PL_OK);
        bench_init(&b, t, 64, 16);
        assert_int_equal(bench_encode(&b, (pl_text_view){edges[i].text, strlen(edges[i].text), false}, NULL, 16, &e), PL_OK);
        assert_int_equal(b.out.count, edges[i].count);
        for (size_t j = 0; j < edges[i].count; j++) {
            assert_int_equal(b.out.ids[j], edges[i].tokens[j][0]);
            assert_int_equal(b.out.offsets[j][0], edges[i].tokens[j][1]);
            assert_int_equal(b.out.offsets[j][1], edges[i].tokens[j][2]);
        }
        bench_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(wants_some_tokenizer),
        cmocka_unit_test(reads_the_older_files),
        cmocka_unit_test(counts_its_memory),
        cmocka_unit_test(survives_each_failing_take),
        cmocka_unit_test(misses_the_unknown_token_by_name),
        cmocka_unit_test(reads_edges_as_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
