/* What computes: a table of kernels per instruction set, each a pure function of its arguments.
 *
 * docs/NUMERICS.md defines every f32 result to the bit; the plain C reference (cpu/reference/)
 * implements it as one would read it; every other table must equal the reference bit for bit. In
 * bf16 the results are promised per table.
 *
 * Every kernel works on a range of independent units (weight panels, text-head pairs, rows, texts):
 * how the units are shared out among threads never changes a result. Kernels never allocate; what
 * they need beside their arguments is a workspace of the stated size, 64-byte aligned.
 * Activations are f32 (some may be bf16 where the table says so), row-major, with a stride in
 * elements. */
#ifndef PL_DEVICE_H
#define PL_DEVICE_H

#include "base/base.h"

/* ---- activation functions: name in config.json, in the order of PL_ACT_* ---- */
#define PL_ACT_MAP(X)                                                                                    \
    X(NONE, "linear")           /* x */                                                                  \
    X(GELU, "gelu")             /* x/2 (1 + erf(x/sqrt 2)); also gelu_python */                          \
    X(GELU_10, "gelu_10")       /* gelu clipped to [-10, 10] */                                          \
    X(GELU_NEW, "gelu_new")     /* tanh form; also gelu_pytorch_tanh, gelu_python_tanh, gelu_accurate */ \
    X(GELU_FAST, "gelu_fast")   /* tanh form with 0.7978845608 as HF writes it */                        \
    X(QUICK_GELU, "quick_gelu") /* x sigmoid(1.702 x) */                                                 \
    X(RELU, "relu")                                                                                      \
    X(RELU2, "relu2")                                                                                    \
    X(RELU6, "relu6")                                                                                    \
    X(LEAKY_RELU, "leaky_relu") /* 0.01 */                                                               \
    X(SILU, "silu") /* also swish */ X(MISH, "mish") X(LAPLACE, "laplace") X(SIGMOID, "sigmoid") X(TANH, "tanh")
typedef enum pl_act {
#define PL_ACT_ENUM(name, text) PL_ACT_##name,
    PL_ACT_MAP(PL_ACT_ENUM)
#undef PL_ACT_ENUM
        PL_ACT_COUNT
} pl_act;
/* By the names that Hugging Face's ACT2FN knows, synonyms included. */
bool pl_act_parse(const char *name, pl_act *act);
const char *pl_act_name(pl_act act);

/* ---- matrix product: C[rows, columns] = epilogue(A[rows, depth] x B[depth, columns]) ---- */
/* Each element of C is one sequential FMA chain over depth, from zero or from what C holds.
 * `last` says that the chain ends here and the epilogue follows: + bias, act, + residual. */
typedef struct pl_gemm {
    size_t rows, columns, depth;
    union {
        const float *a; /* [rows, depth] */
        const uint16_t *a_bf16;
    };
    size_t a_stride;
    const void *b; /* packed panels of exactly these columns and this depth */
    union {
        float *c; /* [rows, columns]; never aliases a or residual */
        uint16_t *c_bf16;
    };
    size_t c_stride;
    const float *bias;     /* [columns] or NULL */
    const float *residual; /* [rows, columns] or NULL */
    size_t residual_stride;
    pl_act act;
    bool go_on, last;
    /* PL_F32, or PL_BF16 in a table whose `activation` is PL_BF16: a as the product would round it
     * anyway, c rounded on its way out (last and not go_on only). A product or an attention that
     * reads such a c gives the bits that it would give for the f32 one. */
    pl_dtype a_type, c_type;
} pl_gemm;

/* Packing of a weight as Hugging Face saves it ([columns = out features][depth = in features]) into
 * the panels that gemm reads. `first_column` is any column: several weights may stand side by side
 * in one packed weight (q, k, v). Calls come with growing first_column and no gaps and write into
 * one `out`; each sets the columns behind its last one, up to a whole panel, and the padding of
 * depth to zero. */
typedef struct pl_pack {
    void *out; /* base of the whole packed weight */
    size_t first_column, columns, depth;
    const void *in;   /* row of first_column; elements of `type`, depth contiguous */
    size_t in_stride; /* bytes from one row to the next */
    pl_dtype type;    /* F32 F16 BF16 F64 */
} pl_pack;

/* ---- attention of whole texts: softmax(scale q k^T) v per text and head, no mask ---- */
/* Unit u is text u / heads, head u % heads. How it blocks depends on the text's length alone. */
typedef struct pl_attention {
    size_t texts, heads, head_width;
    const uint32_t *starts; /* [texts + 1] rows of the tile: text t has rows starts[t]..starts[t+1] */
    union {
        struct {
            const float *q, *k, *v; /* [rows, heads * head_width] each, same stride */
        };
        struct {
            const uint16_t *q_bf16, *k_bf16, *v_bf16;
        };
    };
    size_t stride;
    union {
        float *out; /* [rows, heads * head_width] */
        uint16_t *out_bf16;
    };
    size_t out_stride;
    float scale;                /* positive */
    pl_dtype in_type, out_type; /* of q, k, v and of out: as a_type and c_type of pl_gemm */
} pl_attention;

/* ---- y = (x + residual - mean) / sqrt(variance + eps) * gain + shift, per row ---- */
typedef struct pl_norm {
    size_t width;
    const float *x, *residual; /* [rows, width]; residual may be NULL */
    size_t x_stride, residual_stride;
    float *y; /* may be x or residual */
    size_t y_stride;
    const float *gain, *shift; /* [width] */
    float eps;
} pl_norm;

/* ---- x = (x + type[types[row]]) + position[positions[row]] ---- */
typedef struct pl_embed_sum {
    size_t width;
    float *x; /* [rows, width]: word rows on entry */
    size_t stride;
    const float *position;     /* [.., width] */
    const uint32_t *positions; /* [rows] */
    const float *type;         /* [.., width] or NULL */
    const uint8_t *types;      /* [rows] or NULL */
} pl_embed_sum;

/* ---- token rows of each text -> one row ---- */
typedef enum pl_pooling { PL_POOL_CLS, PL_POOL_MEAN, PL_POOL_MAX, PL_POOL_SQRT_MEAN, PL_POOL_LAST, PL_POOL_WEIGHTED_MEAN, PL_POOLING_COUNT } pl_pooling;
typedef struct pl_pool {
    pl_pooling mode; /* SQRT_MEAN: sum / sqrt(n); WEIGHTED_MEAN: weights 1..n; of no rows: zeros */
    size_t width;
    const uint32_t *starts; /* [texts + 1] */
    const float *x;         /* [rows, width] */
    size_t x_stride;
    float *y; /* [texts, width] */
    size_t y_stride;
} pl_pool;

/* What a thread must set before kernels run on it, and give back after. */
typedef struct pl_fp_state {
    uint32_t control; /* MXCSR */
    bool tiles;       /* AMX tiles configured */
} pl_fp_state;

typedef struct pl_kernels {
    const char *name;    /* "reference" "avx2" "avx512" "avx512_bf16" "amx" */
    pl_dtype compute;    /* PL_F32, or PL_BF16: products of bf16-rounded operands, sums in f32 */
    pl_dtype activation; /* PL_BF16: what only products and attention read may be bf16; else PL_F32 */
    size_t panel;        /* columns of a weight panel */
    size_t depth_step;   /* slices of depth end at a multiple of it (32 where bf16 chains take tiles) */

    void (*enter)(pl_fp_state *saved); /* round to nearest, no flush to zero, exceptions masked */
    void (*leave)(const pl_fp_state *saved);

    size_t (*packed_bytes)(size_t columns, size_t depth); /* multiple of 64 */
    void (*pack)(const pl_pack *p);
    size_t (*gemm_workspace)(size_t rows, size_t depth); /* bytes for one caller; serves every product of at most so many rows and depth; may be 0 */
    void (*gemm)(const pl_gemm *g, void *workspace, size_t first_panel, size_t last_panel);
    size_t (*attention_workspace)(size_t longest_text, size_t head_width);
    void (*attention)(const pl_attention *a, void *workspace, size_t first_unit, size_t last_unit);
    void (*norm)(const pl_norm *n, size_t first_row, size_t last_row);
    void (*embed_sum)(const pl_embed_sum *e, size_t first_row, size_t last_row);
    void (*pool)(const pl_pool *p, size_t first_text, size_t last_text);
    /* x / max(|x|, 1e-12) per row, in place */
    void (*unit_length)(float *x, size_t stride, size_t width, size_t first_row, size_t last_row);
    void (*activate)(pl_act act, float *x, size_t n);                   /* the bits of a product with it */
    void (*widen)(float *out, const void *in, pl_dtype type, size_t n); /* F32 F16 BF16 F64 -> f32 */
} pl_kernels;

/* Instruction sets, weakest first; a CPU that has one has those before it, but for the last two. */
#define PL_ISA_MAP(X) X(REFERENCE, "reference") X(AVX2, "avx2") X(AVX512, "avx512") X(AVX512_BF16, "avx512_bf16") X(AMX, "amx")
typedef enum pl_isa {
#define PL_ISA_ENUM(name, text) PL_ISA_##name,
    PL_ISA_MAP(PL_ISA_ENUM)
#undef PL_ISA_ENUM
        PL_ISA_COUNT
} pl_isa;

/* What this CPU and operating system can run, as a bit per pl_isa (asks CPUID, XCR0 and, for AMX,
 * arch_prctl once). */
unsigned pl_isa_present(void);
const char *pl_isa_name(pl_isa isa);
bool pl_isa_parse(const char *name, pl_isa *isa);
/* The table for one instruction set and compute type: AVX512_BF16 and AMX compute f32 by the
 * avx512 table; REFERENCE, AVX2 and AVX512 compute bf16 as f32 arithmetic on bf16-rounded values
 * (bit-equal to each other). Never NULL. */
const pl_kernels *pl_kernels_of(pl_isa isa, pl_dtype compute);
/* The fastest among some (a bit each) for a compute type (f32: avx512 before avx2; bf16: amx, then avx512_bf16
 * except where it is known slower than f32 arithmetic, i.e. Intel). */
pl_isa pl_isa_best(unsigned among, pl_dtype compute);

/* Scalar functions of docs/NUMERICS.md, for the few values computed outside kernels. */
float pl_math_exp(float x);
float pl_math_tanh(float x);
float pl_math_sigmoid(float x);

#endif
