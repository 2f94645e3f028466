#include "pytorch/print.h"

#include <stdio.h>
#include <string.h>

static const char *precision_name(pl_torch_precision p) { return p == PL_TORCH_BF16 ? "bf16" : p == PL_TORCH_F16 ? "f16" : "f32"; }
static const char *attention_name(pl_torch_attention a) { return a == PL_TORCH_EAGER ? "eager" : "sdpa"; }
static const char *optimizer_name(pl_torch_optimizer o) { return o == PL_TORCH_ADAMW8BIT ? "adamw8bit" : o == PL_TORCH_SGD ? "sgd" : "adamw"; }

typedef unsigned long long ull;

static void fit_json(const pl_torch_fit *f, FILE *out)
{
    const pl_torch_parts *p = &f->parts;
    const pl_torch_settings *s = &f->settings;
    fprintf(out, "\"for\":\"pytorch\",\"fits\":%s,\"limit_bytes\":%llu,\"peak_bytes\":%llu,\"biggest_batch\":%u,", f->fits ? "true" : "false", (ull)f->limit,
        (ull)f->peak, f->biggest_batch);
    fprintf(out,
        "\"parts\":{\"weights\":%llu,\"gradients\":%llu,\"optimizer\":%llu,\"activations\":%llu,\"temporaries\":%llu,\"rounding\":%llu,\"context\":%llu},",
        (ull)p->weights, (ull)p->gradients, (ull)p->optimizer, (ull)p->activations, (ull)p->temporaries, (ull)p->rounding, (ull)p->context);
    fprintf(out, "\"settings\":{\"train\":%s,\"batch\":%u,\"max_length\":%u,\"precision\":\"%s\",\"attention\":\"%s\",\"checkpointing\":%s",
        s->train ? "true" : "false", s->batch, s->length, precision_name(s->precision), attention_name(s->attention), s->checkpointing ? "true" : "false");
    if (s->train) {
        char drop[32];
        size_t n = pl_double_text(s->hidden_dropout, drop);
        fprintf(out, ",\"optimizer\":\"%s\",\"dropout\":%.*s", optimizer_name(s->optimizer), (int)n, drop);
    }
    fprintf(out, "}");
}

void pl_torch_print_json(const pl_torch_fit *fit, const pl_torch_fit *others, size_t count, FILE *out)
{
    fputc('{', out);
    fit_json(fit, out);
    fputs(",\"alternatives\":[", out);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ",{" : "{", out);
        fit_json(&others[i], out);
        fputc('}', out);
    }
    fputs("]}\n", out);
}

static void part(const char *name, uint64_t bytes, uint64_t whole, FILE *out)
{
    char size[32];
    unsigned bar = whole ? (unsigned)(bytes * 40 / whole) : 0;
    fprintf(out, "  %-12s %10s  ", name, pl_bytes_text(bytes, size));
    for (unsigned i = 0; i < bar; i++)
        fputs("█", out);
    fputc('\n', out);
}

const char *pl_torch_how(const pl_torch_settings *s, char out[PL_TORCH_HOW])
{
    const char *flag = s->train ? " --optimizer " : "", *optimizer = s->train ? optimizer_name(s->optimizer) : "";
    snprintf(out, PL_TORCH_HOW, "--precision %s --attention %s%s%s%s", precision_name(s->precision), attention_name(s->attention), flag, optimizer,
        s->checkpointing ? " --checkpointing" : "");
    return out;
}

static void print_others(const pl_torch_fit *others, size_t count, const char *good, const char *bad, const char *plain, FILE *out)
{
    char how[PL_TORCH_HOW], peak[32];
    int wide = 0;
    for (size_t i = 0; i < count; i++)
        wide = (int)pl_max((size_t)wide, strlen(pl_torch_how(&others[i].settings, how)));
    fprintf(out, "\n%-*s  %10s  %13s\n", wide, "other settings", "needs", "biggest batch");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%-*s  %s%10s%s  %13u\n", wide, pl_torch_how(&others[i].settings, how), others[i].fits ? good : bad, pl_bytes_text(others[i].peak, peak),
            plain, others[i].biggest_batch);
}

void pl_torch_print_text(const char *family, const pl_torch_fit *f, const pl_torch_fit *others, size_t count, bool color, FILE *out)
{
    const char *good = color ? "\x1b[32m" : "", *bad = color ? "\x1b[31m" : "", *plain = color ? "\x1b[0m" : "";
    const pl_torch_settings *s = &f->settings;
    const pl_torch_parts *p = &f->parts;
    char peak[32], limit[32], before[32], begins[32], update[32], how[PL_TORCH_HOW];
    fprintf(out, "%s in PyTorch, %s, %u text%s of %u tokens: %s\n", family, s->train ? "training" : "inference", s->batch, s->batch == 1 ? "" : "s", s->length,
        pl_torch_how(s, how));
    fprintf(out, "%s%s%s: needs %s of %s; the biggest batch that fits is %u\n\n", f->fits ? good : bad, f->fits ? "fits" : "does not fit", plain,
        pl_bytes_text(f->peak, peak), pl_bytes_text(f->limit, limit), f->biggest_batch);
    const struct {
        const char *name;
        uint64_t bytes;
    } parts[] = {{"weights", p->weights}, {"gradients", p->gradients}, {"optimizer", p->optimizer}, {"activations", p->activations},
        {"temporaries", p->temporaries}, {"rounding", p->rounding}, {"context", p->context}};
    for (size_t i = 0; i < PL_COUNT(parts); i++)
        if (parts[i].bytes)
            part(parts[i].name, parts[i].bytes, f->peak, out);
    uint64_t standing = p->weights + p->gradients + p->optimizer + p->context;
    if (s->train)
        fprintf(out, "\nby the moment: before a step and in its update %s, when backward begins %s, at the fullest %s\n", pl_bytes_text(standing, before),
            pl_bytes_text(standing + p->activations, begins), pl_bytes_text(f->peak, update));
    else
        fprintf(out, "\nby the moment: before a batch %s, at the fullest %s\n", pl_bytes_text(standing, before), pl_bytes_text(f->peak, update));
    print_others(others, count, good, bad, plain, out);
}
