/* Modules of a folder; its accounts; each allocation and system call failed once. */
#include "base/failing.h"
#include "hub/make.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- system calls that fail once, by number (linked with --wrap) ---- */
static size_t calls, fail_call; /* 0: none fails */
static int fail_error;          /* 0: a short read instead */

static bool call_fails(void)
{
    if (++calls != fail_call)
        return false;
    errno = fail_error;
    return true;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset);

int __wrap_open(const char *path, int flags, ...) { return call_fails() && fail_error ? -1 : __real_open(path, flags); }

ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset)
{
    if (!call_fails())
        return __real_pread(fd, out, bytes, offset);
    return fail_error ? -1 : __real_pread(fd, out, 1, offset);
}

#define CONFIG "model/config.json"
#define MODULES "model/modules.json"

/* ---- modules ---- */

#define TYPE(name) "\"type\":\"sentence_transformers.models." name "\""
#define T "{\"idx\":0,\"name\":\"0\",\"path\":\"\"," TYPE("Transformer") "}"
#define P "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\"," TYPE("Pooling") "}"
#define N "{\"idx\":2,\"name\":\"2\",\"path\":\"2_Normalize\"," TYPE("Normalize") "}"
#define D "{\"idx\":3,\"name\":\"3\",\"path\":\"3_Dense\"," TYPE("Dense") "}"
#define POOLING "model/1_Pooling/config.json"
#define DENSE "model/3_Dense/config.json"
#define DENSE_WEIGHTS "model/3_Dense/model.safetensors"

static void make_modules(const char *list, const char *pooling)
{
    make_model();
    make_text(MODULES, list);
    if (pooling)
        make_text(POOLING, pooling);
}

static void poolings_are_read(void **state)
{
    (void)state;
    enum {
        CLS = 1 << PL_HUB_POOLING_CLS,
        MAX = 1 << PL_HUB_POOLING_MAX,
        MEAN = 1 << PL_HUB_POOLING_MEAN,
        SQRT = 1 << PL_HUB_POOLING_SQRT_MEAN,
        WEIGHTED = 1 << PL_HUB_POOLING_WEIGHTED_MEAN,
        LAST = 1 << PL_HUB_POOLING_LAST
    };
    static const struct {
        const char *config;
        uint32_t bits, count, first, last;
        uint64_t out;
    } cases[] = {
        {"{\"word_embedding_dimension\":8,\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":false}", MEAN, 1,
            PL_HUB_POOLING_MEAN, PL_HUB_POOLING_MEAN, 8},
        {"{\"word_embedding_dimension\":8,\"pooling_mode_mean_tokens\":true,\"pooling_mode_cls_token\":true,\"pooling_mode_max_tokens\":true,\"pooling_mode_"
         "mean_sqrt_len_tokens\":true}",
            CLS | MAX | MEAN | SQRT, 4, PL_HUB_POOLING_CLS, PL_HUB_POOLING_SQRT_MEAN, 32},
        {"{\"word_embedding_dimension\":8,\"pooling_mode_lasttoken\":true,\"pooling_mode_weightedmean_tokens\":true,\"include_prompt\":true}", WEIGHTED | LAST,
            2, PL_HUB_POOLING_WEIGHTED_MEAN, PL_HUB_POOLING_LAST, 16},
        {"{\"embedding_dimension\":8,\"pooling_mode\":\"mean\",\"include_prompt\":true}", MEAN, 1, PL_HUB_POOLING_MEAN, PL_HUB_POOLING_MEAN, 8},
        {"{\"embedding_dimension\":8,\"pooling_mode\":[\"mean\",\"cls\"]}", MEAN | CLS, 2, PL_HUB_POOLING_MEAN, PL_HUB_POOLING_CLS, 16},
        {"{\"embedding_dimension\":8,\"pooling_mode\":\"lasttoken\",\"pooling_mode_cls_token\":true}", LAST, 1, PL_HUB_POOLING_LAST, PL_HUB_POOLING_LAST, 8},
        {"{\"word_embedding_dimension\":8}", MEAN, 1, PL_HUB_POOLING_MEAN, PL_HUB_POOLING_MEAN, 8},
        {"{}", MEAN, 1, PL_HUB_POOLING_MEAN, PL_HUB_POOLING_MEAN, 0},
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        make_modules("[" T "," P "," N "]", cases[i].config);
        pl_folder *f = make_open();
        assert_int_equal(pl_folder_modules(f), 3);
        assert_int_equal(pl_folder_module(f, 0)->kind, PL_MODULE_TRANSFORMER);
        const pl_module *m = pl_folder_module(f, 1);
        assert_int_equal(m->kind, PL_MODULE_POOLING);
        assert_int_equal(m->pooling, cases[i].bits);
        assert_int_equal(m->pooling_count, cases[i].count);
        assert_int_equal(m->pooling_order[0], cases[i].first);
        assert_int_equal(m->pooling_order[m->pooling_count - 1], cases[i].last);
        assert_int_equal(m->out_features, cases[i].out);
        assert_int_equal(pl_folder_module(f, 2)->kind, PL_MODULE_NORMALIZE);
        pl_folder_close(f);
    }
    static const struct {
        const char *config, *words;
    } bad[] = {
        {"{\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":false}", "no pooling_mode is true"},
        {"{\"pooling_mode_mean_tokens\":\"yes\"}", "pooling_mode_mean_tokens"},
        {"{\"pooling_mode_median_tokens\":true}", "pooling_mode_median_tokens"},
        {"{\"pooling_mode\":\"median\"}", "\"median\" is not supported"},
        {"{\"pooling_mode\":[\"mean\",\"mean\"]}", "stands there twice"},
        {"{\"pooling_mode\":[]}", "names no mode"},
        {"{\"pooling_mode\":3}", "pooling_mode"},
        {"{\"pooling_mode\":[3]}", "pooling_mode"},
        {"{\"word_embedding_dimension\":0}", "word_embedding_dimension"},
        {"{\"word_embedding_dimension\":\"8\"}", "word_embedding_dimension"},
        {"[]", "no object"},
    };
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        make_modules("[" T "," P "]", bad[i].config);
        make_refused(POOLING, bad[i].words);
    }
    make_modules("[" T "," P "]", NULL);
    make_refused(POOLING, "there is no such file");
}

static void lists_of_modules_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *list, *words;
    } bad[] = {
        {"{}", "no array"},
        {"[]", "names no module"},
        {"[{", "line 1"},
        {"[5]", "module 0: must be an object"},
        {"[{\"path\":\"\"}]", "module 0"},
        {"[{\"type\":5,\"path\":\"\"}]", "module 0"},
        {"[{" TYPE("Transformer") "}]", "module 0"},
        {"[" P "]", "module 0: is Pooling"},
        {"[" T "," T "]", "module 1: is Transformer"},
        {"[" T ",{\"path\":\"x\"," TYPE("Sorcery") "}]", "\"sentence_transformers.models.Sorcery\" is not supported"},
        {"[{\"path\":\"\",\"type\":\"custom_st.Transformer\"}]", "custom_st.Transformer"},
        {"[" T ",{\"path\":\"../x\"," TYPE("Pooling") "}]", "leads out of"},
        {"[" T ",{\"path\":\"/etc\"," TYPE("Pooling") "}]", "leads out of"},
        {"[{\"path\":\"..\"," TYPE("Transformer") "}]", "leads out of"},
        {"[" T ",{\"path\":\"a\\u0000b\"," TYPE("Pooling") "}]", "leads out of"},
    };
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        make_modules(bad[i].list, "{}");
        make_refused(MODULES, bad[i].words);
    }
    char many[16384] = "[" T;
    for (int i = 0; i < 64; i++)
        strcat(many, "," N);
    strcat(many, "]");
    make_modules(many, "{}");
    make_refused(MODULES, "names 65 modules");
    /* today's paths of the classes */
    make_modules("[{\"path\":\"\",\"type\":\"sentence_transformers.base.modules.transformer.Transformer\"},"
                 "{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.sentence_transformer.modules.pooling.Pooling\"},"
                 "{\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.base.modules.normalize.Normalize\"}]",
        "{\"embedding_dimension\":8,\"pooling_mode\":\"cls\"}");
    make_text("model/2_Normalize/config.json", "{\"module_input_name\":\"sentence_embedding\",\"module_output_name\":\"sentence_embedding\"}");
    pl_folder_close(make_open());
    make_text("model/2_Normalize/config.json", "{\"module_input_name\":\"token_embeddings\"}");
    make_refused("model/2_Normalize/config.json", "token_embeddings");
}

static void prompts_are_not_forgotten(void **state)
{
    (void)state;
    static const char file[] = "model/config_sentence_transformers.json";
    static const char *const right[] = {
        "{}",
        "{\"prompts\":{\"query\":\"q: \"},\"default_prompt_name\":null}",
        "{\"prompts\":{\"query\":\"\"},\"default_prompt_name\":\"query\"}",
        "{\"__version__\":{\"transformers\":\"4.6.1\"},\"similarity_fn_name\":\"cosine\"}",
    };
    for (size_t i = 0; i < PL_COUNT(right); i++) {
        make_modules("[" T "," P "]", "{}");
        make_text(file, right[i]);
        pl_folder_close(make_open());
    }
    make_text(file, "{\"prompts\":{\"query\":\"q: \"},\"default_prompt_name\":\"query\"}");
    make_refused(file, "\"query\" puts \"q: \" before each text");
    make_text(file, "{\"default_prompt_name\":5}");
    make_refused(file, "default_prompt_name");
}

static void transformers_may_stand_below(void **state)
{
    (void)state;
    make_modules("[{\"path\":\"0_Transformer\"," TYPE("Transformer") "}," P "]", "{}");
    assert_int_equal(mkdir(make_path("model/0_Transformer"), 0700), 0);
    assert_int_equal(rename(make_path(CONFIG), make_path("model/0_Transformer/config.json")), 0);
    assert_int_equal(rename(make_path("model/model.safetensors"), make_path("model/0_Transformer/model.safetensors")), 0);
    make_text("model/0_Transformer/sentence_bert_config.json", "{\"max_seq_length\":99}");
    pl_folder *f = make_open();
    assert_string_equal(pl_folder_path(f), make_path("model/0_Transformer"));
    assert_int_equal(pl_folder_sentence_length(f), 99);
    assert_int_equal(pl_folder_modules(f), 2);
    pl_folder_close(f);
}

static const char dense_config[] = "{\"in_features\":3,\"out_features\":2,\"bias\":true,\"activation_function\":\"torch.nn.modules.activation.Tanh\"}";
static const char dense_header[] = "{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"linear.bias\":{\"dtype\":\"F32\","
                                   "\"shape\":[2],\"data_offsets\":[24,32]}}";

static void make_dense(const char *config, const char *header, size_t data)
{
    make_modules("[" T "," P "," D "," N "]", "{}");
    make_text(DENSE, config);
    make_safetensors(DENSE_WEIGHTS, header, data);
}

static void dense_modules_are_read(void **state)
{
    (void)state;
    make_dense(dense_config, dense_header, 32);
    pl_folder *f = make_open();
    const pl_module *m = pl_folder_module(f, 2);
    assert_int_equal(m->kind, PL_MODULE_DENSE);
    assert_int_equal(m->in_features, 3);
    assert_int_equal(m->out_features, 2);
    assert_true(m->has_bias);
    assert_string_equal(m->activation, "tanh");
    assert_string_equal(pl_folder_file_name(f, m->weight->file), make_path(DENSE_WEIGHTS));
    unsigned char byte;
    pl_error e;
    assert_int_equal(pl_folder_read(f, m->bias->file, m->bias->offset, &byte, 1, &e), PL_OK);
    assert_int_equal(byte, 24);
    assert_null(pl_folder_tensor(f, "linear.weight")); /* not the model's */
    assert_int_equal(pl_folder_tensors(f), 2);
    pl_folder_close(f);

    static const char *const activations[][2] = {
        {"torch.nn.modules.linear.Identity", "linear"},
        {"torch.nn.modules.activation.ReLU", "relu"},
        {"torch.nn.modules.activation.GELU", "gelu"},
        {"torch.nn.modules.activation.SiLU", "silu"},
        {"torch.nn.modules.activation.Sigmoid", "sigmoid"},
        {"torch.nn.Tanh", "tanh"},
    };
    for (size_t i = 0; i < PL_COUNT(activations); i++) {
        char config[256];
        snprintf(config, sizeof config, "{\"in_features\":3,\"out_features\":2,\"bias\":false,\"activation_function\":\"%s\"}", activations[i][0]);
        make_dense(config, dense_header, 32);
        f = make_open();
        assert_string_equal(pl_folder_module(f, 2)->activation, activations[i][1]);
        assert_false(pl_folder_module(f, 2)->has_bias);
        assert_null(pl_folder_module(f, 2)->bias);
        pl_folder_close(f);
    }
}

static void broken_dense_modules_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *config, *words;
    } bad[] = {
        {"{}", "in_features and out_features"},
        {"{\"in_features\":3}", "in_features and out_features"},
        {"{\"in_features\":0,\"out_features\":2}", "in_features"},
        {"{\"in_features\":3,\"out_features\":2,\"bias\":1}", "bias"},
        {"{\"in_features\":3,\"out_features\":2,\"use_residual\":true}", "use_residual"},
        {"{\"in_features\":3,\"out_features\":2,\"activation_function\":\"os.system\"}", "os.system"},
        {"{\"in_features\":3,\"out_features\":2,\"activation_function\":\"torch.nn.modules.activation.Softplus\"}", "Softplus"},
        {"{\"in_features\":3,\"out_features\":2,\"activation_function\":null,\"module_input_name\":\"token_embeddings\"}", "token_embeddings"},
        {"{\"in_features\":3,\"out_features\":2,\"module_output_name\":\"other\"}", "other"},
    };
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        make_dense(bad[i].config, dense_header, 32);
        make_refused(DENSE, bad[i].words);
    }
    static const struct {
        const char *header;
        size_t data;
        const char *words;
    } weights[] = {
        {"{}", 0, "\"linear.weight\" is missing"},
        {"{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24, "\"linear.bias\" is missing"},
        {"{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}}", 24, "does not fit"},
        {"{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}", 24, "does not fit"},
        {"{\"linear.weight\":{\"dtype\":\"I32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24, "type I32"},
        {"{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 25, "belong to no tensor"},
    };
    for (size_t i = 0; i < PL_COUNT(weights); i++) {
        make_dense(dense_config, weights[i].header, weights[i].data);
        make_refused(DENSE_WEIGHTS, weights[i].words);
    }
    make_dense(dense_config, dense_header, 32);
    assert_int_equal(unlink(make_path(DENSE_WEIGHTS)), 0);
    make_refused(DENSE_WEIGHTS, "no such file");
    make_text("model/3_Dense/pytorch_model.bin", "x");
    make_refused("model/3_Dense/pytorch_model.bin", "is not read");
}

/* ---- without weights ---- */

static void tokenizers_need_no_weights(void **state)
{
    (void)state;
    make_empty();
    make_text("model/tokenizer_config.json", "{\"model_max_length\":12}");
    pl_folder *f;
    pl_error e;
    assert_int_equal(pl_folder_open_config(make_path("model"), NULL, &f, &e), PL_OK);
    assert_int_equal(pl_folder_model_max_length(f), 12);
    assert_int_equal(pl_folder_tensors(f), 0);
    assert_int_equal(pl_folder_modules(f), 0);
    assert_false(pl_json_has(pl_folder_config(f), "model_type"));
    pl_folder_close(f);
    make_text(CONFIG, "{\"model_type\":\"bert\"}");
    assert_int_equal(pl_folder_open_config(make_path("model/"), NULL, &f, &e), PL_OK);
    assert_true(pl_json_has(pl_folder_config(f), "model_type"));
    assert_string_equal(pl_folder_config(f).path, make_path(CONFIG));
    pl_folder_close(f);
    make_text(CONFIG, "{");
    assert_int_equal(pl_folder_open_config(make_path("model"), NULL, &f, &e), PL_BAD_INPUT);
    pl_folder_close(NULL);
}

/* ---- accounts ---- */

static void make_everything(void)
{
    make_dense(dense_config, dense_header, 32);
    make_text(CONFIG, "{\"model_type\":\"bert\",\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":\"c\"},\"more\":[1,2,{\"x\":null}]}");
    make_text("model/tokenizer_config.json", "{\"model_max_length\":512,\"x\":{\"y\":[1,2,3]}}");
    make_text("model/sentence_bert_config.json", "{\"max_seq_length\":256}");
    make_text("model/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s1\",\"b\":\"s2\"}}");
    unlink(make_path("model/model.safetensors"));
    make_safetensors("model/s1", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24);
    make_safetensors("model/s2", "{\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}", 8);
}

static void accounts_are_true(void **state)
{
    (void)state;
    make_everything();
    failing_jansson(0);
    failing source;
    failing_init(&source, 0);
    pl_folder *f;
    pl_error e;
    assert_int_equal(pl_folder_open(make_path("model"), &source.memory, &f, &e), PL_OK);
    size_t real = source.bytes + failing_jansson_bytes();
    assert_true(pl_folder_held(f) >= real);
    assert_true(pl_folder_held(f) < real + 16384); /* each block up to pages */
    assert_true(pl_folder_load_peak(f) >= source.most);
    assert_true(pl_folder_load_peak(f) >= pl_folder_held(f));
    assert_true(pl_folder_load_peak(f) < 200000);
    pl_folder_close(f);
    assert_int_equal(source.blocks, 0);
    assert_int_equal(failing_jansson_blocks(), 0);
}

static size_t open_files(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++) {
        struct stat st;
        count += fstat(fd, &st) == 0;
    }
    return count;
}

static void allocations_fail_once(void **state)
{
    (void)state;
    make_everything();
    size_t before = open_files();
    for (int heap = 0; heap < 2; heap++)
        for (size_t fail_at = 1;; fail_at++) {
            failing_jansson(heap ? fail_at : 0);
            failing source;
            failing_init(&source, heap ? 0 : fail_at);
            pl_folder *f = NULL;
            pl_error e;
            pl_error_clear(&e);
            pl_status status = pl_folder_open(make_path("model"), &source.memory, &f, &e);
            bool finished = (heap ? failing_jansson_takes() : source.takes) < fail_at;
            if (status) {
                assert_int_equal(status, PL_MACHINE);
                assert_null(f);
                assert_non_null(strstr(e.text, "no memory"));
            }
            pl_folder_close(f);
            assert_int_equal(source.blocks, 0);
            assert_int_equal(failing_jansson_blocks(), 0);
            assert_int_equal(open_files(), before);
            if (finished) {
                assert_int_equal(status, PL_OK);
                assert_true(fail_at > 10);
                break;
            }
        }
    failing_jansson(0);
}

static void system_calls_fail_once(void **state)
{
    (void)state;
    static const int errors[] = {EIO, EMFILE, EINTR, 0};
    make_everything();
    size_t before = open_files();
    for (size_t i = 0; i < PL_COUNT(errors); i++)
        for (fail_call = 1;; fail_call++) {
            calls = 0;
            fail_error = errors[i];
            pl_folder *f = NULL;
            pl_error e;
            pl_error_clear(&e);
            pl_status status = pl_folder_open(make_path("model"), NULL, &f, &e);
            if (status && (errors[i] == EIO || errors[i] == EMFILE))
                assert_int_equal(status, PL_MACHINE);
            if (status)
                assert_int_equal(strncmp(e.text, make_path("model"), strlen(make_path("model"))), 0);
            assert_true(!status || errors[i]); /* a short read is no fault */
            pl_folder_close(f);
            assert_int_equal(open_files(), before);
            if (calls < fail_call) {
                assert_int_equal(status, PL_OK);
                assert_true(fail_call > 20);
                break;
            }
            assert_true(status || errors[i] == EINTR || errors[i] == 0);
        }
    fail_call = 0;
}

/* Each file of the folder cut at each length: refused or read, never worse. */
static void files_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const char *const files[] = {CONFIG, MODULES, POOLING, DENSE, DENSE_WEIGHTS, "model/tokenizer_config.json", "model/sentence_bert_config.json",
        "model/model.safetensors.index.json", "model/s1"};
    for (size_t i = 0; i < PL_COUNT(files); i++) {
        make_everything();
        struct stat st;
        assert_int_equal(stat(make_path(files[i]), &st), 0);
        for (off_t n = st.st_size; n-- > 0;) {
            assert_int_equal(truncate(make_path(files[i]), n), 0);
            make_refused(files[i], "");
        }
    }
}

int main(void)
{
    failing_jansson(0); /* before jansson allocates anything */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poolings_are_read),
        cmocka_unit_test(lists_of_modules_are_judged),
        cmocka_unit_test(prompts_are_not_forgotten),
        cmocka_unit_test(transformers_may_stand_below),
        cmocka_unit_test(dense_modules_are_read),
        cmocka_unit_test(broken_dense_modules_are_named),
        cmocka_unit_test(tokenizers_need_no_weights),
        cmocka_unit_test(accounts_are_true),
        cmocka_unit_test(allocations_fail_once),
        cmocka_unit_test(system_calls_fail_once),
        cmocka_unit_test(files_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests_name("folder", tests, make_begin, make_end);
}
