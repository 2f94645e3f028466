#!/usr/bin/env python3
"""Writes cases/*.json: small random models in every form that Hugging Face saves, and the answers
that float64 transformers gives to them. Run by hand after a case is added:

    python3 make_models.py GOLDEN_MAKE [NAME ...]

GOLDEN_MAKE is build/tests/golden/golden_make, which turns a case into a model folder (the weights
are recipes, see golden.h). Needs numpy, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3.

A case: {"about", "task": "embed" | "classify", "tokenizer", "files", "weights", "max_length",
"problem", "labels", "text": {"ids", "values", "bf16_cosine"}, "pair": the same}. The inputs are those
of inputs.json under the case's "inputs" name. `values` are float64 results in 9 digits.
"""
import json
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

WORDS = """the of and to in is it that was for on are with as his they at be this from have or by one had not
but what all were when we there can an your which their said if do will each about how up out them then she many
some so these would other into has more her two like him see time could no make than first been its who now people
my made over did down only way find use may water long little very after words called just where most know ship sea
line load heavy storm harbour anchor""".split()
PIECES = ["##" + p for p in "s ed ing er ly tion est ment able al en ness ful ive ous 's in on at or an re th es te ti".split()]


def vocabulary():
    chars = [chr(c) for c in range(33, 127) if not chr(c).isupper()] + list("éüß中日船")
    return ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + chars + ["##" + c for c in chars if c.isalnum()] + WORDS + PIECES


def write_tokenizers():
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    words = list(dict.fromkeys(vocabulary()))
    ids = {w: i for i, w in enumerate(words)}
    t = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    t.decoder = decoders.WordPiece()
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    os.makedirs(os.path.join(HERE, "tokenizers"), exist_ok=True)
    t.save(os.path.join(HERE, "tokenizers", "wordpiece.json"))
    return words


LONG = ("The plimsoll line is the line on a ship that shows how far it may be loaded, and that every master had to "
        "see before the ship went out; there were those who said it could not be done, and they were the ones who "
        "owned the heavy ships. ") * 6
INPUTS = {
    "main": ["", "a", "the ship", "Most people know this.", "the ship", "anchored in the harbour, waiting", "naïve café — 日本 船 中",
             "No man is an island; every man is a piece of the continent.", "[MASK] is a token", "x" * 120,
             "How do they find the way when the sea is heavy and there is no line to see? They do not; they wait.", LONG[:230], LONG],
    "few": ["the ship", "", "How do they find the way when the sea is heavy?", LONG[:300]],
    "pairs": [["the ship", "in the harbour"], ["", "a"], ["what is this", ""], [LONG[:150], "short"], ["short", LONG[:400]], [LONG[:230], LONG[100:330]]],
}


# ---- tensors -------------------------------------------------------------------------------------
class Weights:
    """Rows [type, offset, scale, name, shape]; `types` says the type of each, a name or a cycle."""

    def __init__(self, prefix="", types=("F32",), norm=("weight", "bias")):
        self.rows, self.prefix, self.types, self.norm_names = [], prefix, types, norm

    def add(self, name, shape, offset=0.0, scale=1.0, type=None, bare=False):
        type = type or self.types[len(self.rows) % len(self.types)]
        self.rows.append([type, offset, scale if isinstance(scale, str) else float("%.5g" % scale), ("" if bare else self.prefix) + name, list(shape)])

    def linear(self, name, out, inner, gain=1.0, bare=False, bias=True):
        self.add(name + ".weight", (out, inner), 0, gain * math.sqrt(3 / inner), bare=bare)
        if bias:
            self.add(name + ".bias", (out,), 0, 0.2, bare=bare)

    def norm(self, name, width):
        self.add(name + "." + self.norm_names[0], (width,), 1, 0.4)
        self.add(name + "." + self.norm_names[1], (width,), 0, 0.25)


def bert_weights(c, w, pooler=True, position_ids=False):
    h, inner = c["hidden_size"], c["intermediate_size"]
    w.add("embeddings.word_embeddings.weight", (c["vocab_size"], h), 0, 0.08)
    w.add("embeddings.position_embeddings.weight", (c["max_position_embeddings"], h), 0, 0.05)
    w.add("embeddings.token_type_embeddings.weight", (c["type_vocab_size"], h), 0, 0.05)
    w.norm("embeddings.LayerNorm", h)
    if position_ids:
        w.add("embeddings.position_ids", (1, c["max_position_embeddings"]), 0, "count", "I64")
    for i in range(c["num_hidden_layers"]):
        p = "encoder.layer.%d." % i
        w.linear(p + "attention.self.query", h, h, 1.4)
        w.linear(p + "attention.self.key", h, h, 1.4)
        w.linear(p + "attention.self.value", h, h)
        w.linear(p + "attention.output.dense", h, h)
        w.norm(p + "attention.output.LayerNorm", h)
        w.linear(p + "intermediate.dense", inner, h, 1.3)
        w.linear(p + "output.dense", h, inner, 1.3)
        w.norm(p + "output.LayerNorm", h)
    if pooler:
        w.linear("pooler.dense", h, h)


def distilbert_weights(c, w):
    h, inner = c["dim"], c["hidden_dim"]
    w.add("embeddings.word_embeddings.weight", (c["vocab_size"], h), 0, 0.08)
    w.add("embeddings.position_embeddings.weight", (c["max_position_embeddings"], h), 0, 0.05)
    w.norm("embeddings.LayerNorm", h)
    for i in range(c["n_layers"]):
        p = "transformer.layer.%d." % i
        for k in ("q_lin", "k_lin"):
            w.linear(p + "attention." + k, h, h, 1.4)
        w.linear(p + "attention.v_lin", h, h)
        w.linear(p + "attention.out_lin", h, h)
        w.norm(p + "sa_layer_norm", h)
        w.linear(p + "ffn.lin1", inner, h, 1.3)
        w.linear(p + "ffn.lin2", h, inner, 1.3)
        w.norm(p + "output_layer_norm", h)


def bert_config(vocab, hidden=40, heads=4, inner=72, layers=2, positions=64, **more):
    c = {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": vocab, "hidden_size": hidden, "num_attention_heads": heads,
         "intermediate_size": inner, "num_hidden_layers": layers, "max_position_embeddings": positions, "type_vocab_size": 2,
         "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    c.update(more)
    return {k: v for k, v in c.items() if v != "absent"}


def distilbert_config(vocab, dim=40, heads=4, inner=72, layers=2, positions=64, **more):
    c = {"architectures": ["DistilBertModel"], "model_type": "distilbert", "vocab_size": vocab, "dim": dim, "n_heads": heads, "hidden_dim": inner,
         "n_layers": layers, "max_position_embeddings": positions, "activation": "gelu", "pad_token_id": 0, "dropout": 0.1,
         "attention_dropout": 0.1, "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False}
    c.update(more)
    return {k: v for k, v in c.items() if v != "absent"}


def labelled(names):
    return {"id2label": {str(i): n for i, n in enumerate(names)}, "label2id": {n: i for i, n in enumerate(names)}}


# ---- the cases -----------------------------------------------------------------------------------
def bert(about, prefix="", types=("F32",), norm=("weight", "bias"), labels=None, pooler=True, position_ids=False, shards=1, extra=None,
         problem=None, modules=None, pairs=False, inputs="main", files=None, drop_files=(), **config):
    c = bert_config(len(VOCAB), **config)
    if labels is not None:
        c["architectures"] = ["BertForSequenceClassification"]
    w = Weights(prefix, types, norm)
    bert_weights(c, w, pooler, position_ids)
    if labels is not None:
        w.linear("classifier", labels if isinstance(labels, int) else len(labels), c["hidden_size"], 1.5, bare=True)
    if extra:
        extra(w, c)
    return finish(about, c, w, labels, problem, modules, pairs, inputs, shards, files)


def distilbert(about, prefix="distilbert.", types=("F32",), labels=None, problem=None, pairs=False, inputs="main", modules=None, **config):
    c = distilbert_config(len(VOCAB), **config)
    w = Weights(prefix, types)
    distilbert_weights(c, w)
    if labels is not None:
        c["architectures"] = ["DistilBertForSequenceClassification"]
        w.linear("pre_classifier", c["dim"], c["dim"], bare=True)
        w.linear("classifier", len(labels), c["dim"], 1.5, bare=True)
    return finish(about, c, w, labels, problem, modules, pairs, inputs, 1, None)


def finish(about, c, w, labels, problem, modules, pairs, inputs, shards, files):
    if labels is not None and not isinstance(labels, int):
        c.update(labelled(labels))
    if isinstance(labels, int):
        labels = ["LABEL_%d" % i for i in range(labels)]
    if problem in ("single_label_classification", "multi_label_classification", "regression"):
        c["problem_type"] = problem
    case = {"about": about, "task": "embed" if labels is None else "classify", "inputs": inputs, "tokenizer": "wordpiece",
            "files": {"config.json": c}, "weights": {"model.safetensors": w.rows}}
    if shards > 1:
        parts = {"model-%05d-of-%05d.safetensors" % (i + 1, shards): w.rows[i::shards] for i in range(shards)}
        case["weights"] = parts
        case["files"]["model.safetensors.index.json"] = {"metadata": {"total_size": 0}, "weight_map": {r[3]: f for f, rows in parts.items() for r in rows}}
    case["max_length"] = c["max_position_embeddings"]
    if labels is not None:
        case["labels"] = labels
        case["problem"] = problem or ("regression" if len(labels) == 1 else "single_label_classification")
    if modules:
        add_modules(case, modules, c.get("hidden_size") or c.get("dim"))
    case["files"].update(files or {})
    if "sentence_bert_config.json" in case["files"]:
        case["max_length"] = case["files"]["sentence_bert_config.json"]["max_seq_length"]
    case["pairs"] = pairs
    return case


MODES = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def add_modules(case, modules, width):
    """modules: ("pool", mode...), ("dense", out, activation, bias), ("normalize",)"""
    case["modules"] = modules
    listed = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    for i, m in enumerate(modules, 1):
        kind = {"pool": "Pooling", "dense": "Dense", "normalize": "Normalize"}[m[0]]
        path = "%d_%s" % (i, kind)
        listed.append({"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind})
        if m[0] == "pool":
            config = {"word_embedding_dimension": width}
            for mode in MODES:
                if mode not in ("weightedmean_tokens", "lasttoken") or mode in m[1:]:
                    config["pooling_mode_" + mode] = mode in m[1:]
            case["files"][path + "/config.json"] = config
            width *= len(m) - 1
        elif m[0] == "dense":
            activation = {"tanh": "torch.nn.modules.activation.Tanh", "identity": "torch.nn.modules.linear.Identity",
                          "relu": "torch.nn.modules.activation.ReLU"}[m[2]]
            case["files"][path + "/config.json"] = {"in_features": width, "out_features": m[1], "bias": m[3], "activation_function": activation}
            w = Weights()
            w.linear("linear", m[1], width, bias=m[3])
            case["weights"][path + "/model.safetensors"] = w.rows
            width = m[1]
    case["files"]["modules.json"] = listed


def predictions(w, c):
    h = c["hidden_size"]
    w.add("cls.predictions.bias", (c["vocab_size"],), 0, 0.2, bare=True)
    w.linear("cls.predictions.transform.dense", h, h, bare=True)
    w.add("cls.predictions.transform.LayerNorm." + w.norm_names[0], (h,), 1, 0.1, bare=True)
    w.add("cls.predictions.transform.LayerNorm." + w.norm_names[1], (h,), 0, 0.1, bare=True)
    w.linear("cls.seq_relationship", 2, h, bare=True)


def tied_decoder(w, c):
    predictions(w, c)
    w.add("cls.predictions.decoder.weight", (c["vocab_size"], c["hidden_size"]), 0, 0.08, bare=True)
    w.add("cls.predictions.decoder.bias", (c["vocab_size"],), 0, 0.2, bare=True)


ACTIVATIONS = """gelu gelu_10 gelu_new gelu_pytorch_tanh gelu_python gelu_python_tanh gelu_accurate gelu_fast quick_gelu relu relu2 relu6
leaky_relu silu swish mish laplace sigmoid tanh linear""".split()


def cases():
    out = {
        # forms of the folder
        "bert": bert("BertModel without a prefix"),
        "bert_prefix": bert("BertModel with the prefix bert.", "bert.", pairs=True),
        "bert_pretraining": bert("the form of bert-base-uncased: gamma and beta, predictions with tied decoder", "bert.", norm=("gamma", "beta"),
                                 extra=predictions, architectures=["BertForMaskedLM"], inputs="few"),
        "bert_decoder": bert("predictions with the decoder saved", "bert.", extra=tied_decoder, architectures=["BertForPreTraining"], inputs="few"),
        "bert_gamma": bert("gamma and beta without a prefix", norm=("gamma", "beta"), inputs="few"),
        "bert_position_ids": bert("position_ids buffer", position_ids=True, inputs="few"),
        "bert_position_ids_prefix": bert("position_ids buffer and prefix", "bert.", position_ids=True, labels=["no", "yes"], inputs="few"),
        "bert_no_pooler": bert("no pooler saved", pooler=False, inputs="few"),
        "bert_no_architectures": bert("config without architectures", architectures="absent", inputs="few"),
        "bert_least_config": bert("config with what has no default alone", pad_token_id="absent", hidden_dropout_prob="absent", layer_norm_eps="absent",
                                  attention_probs_dropout_prob="absent", hidden_act="absent", inputs="few"),
        "bert_sharded": bert("three shards", shards=3),
        "bert_sharded_cls": bert("five shards, two labels", "bert.", shards=5, labels=["bad", "good"], inputs="few"),
        # types
        "bert_f16": bert("F16", types=("F16",), inputs="few"),
        "bert_bf16": bert("BF16", types=("BF16",), inputs="few"),
        "bert_f64": bert("F64", types=("F64",), inputs="few"),
        "bert_mixed": bert("mixed types", types=("F32", "BF16", "F16", "F64", "F32", "F16"), labels=["a", "b", "c"], prefix="bert.", inputs="few"),
        # sizes
        "bert_odd": bert("odd sizes: 5 heads of 7, inner 51", hidden=35, heads=5, inner=51, layers=3),
        "bert_one_head": bert("one head of 20, inner 3", hidden=20, heads=1, inner=3, inputs="few"),
        "bert_thin_heads": bert("heads one wide", hidden=9, heads=9, inner=17, inputs="few"),
        "bert_wide_head": bert("one head of 130", hidden=130, heads=1, inner=33, layers=1, inputs="few"),
        "bert_prime": bert("hidden 37, one head, inner 101", hidden=37, heads=1, inner=101, inputs="few"),
        "bert_deep": bert("nine layers", layers=9, hidden=24, heads=3, inner=40, inputs="few"),
        "bert_one_layer": bert("one layer, hidden 64", layers=1, hidden=64, heads=2, inner=128, inputs="few"),
        "bert_long": bert("300 positions", positions=300, hidden=24, heads=2, inner=32, pairs=True),
        "bert_short": bert("8 positions", positions=8, hidden=24, heads=2, inner=32, pairs=True),
        "bert_one_type": bert("type_vocab_size 1, pairs", "bert.", type_vocab_size=1, labels=["no", "yes"], pairs=True),
        "bert_three_types": bert("type_vocab_size 3, pairs", type_vocab_size=3, pairs=True, inputs="few"),
        "bert_eps": bert("layer-norm eps 1e-3", layer_norm_eps=1e-3, inputs="few"),
        "bert_eps_large": bert("layer-norm eps 0.5", "bert.", layer_norm_eps=0.5, labels=["no", "yes"], inputs="few"),
        "bert_eps_above_one": bert("layer-norm eps 2", "bert.", layer_norm_eps=2.0, labels=["no", "yes"], inputs="few"),
        # heads
        "bert_cls3": bert("three labels", "bert.", labels=["negative", "neutral", "positive"], pairs=True),
        "bert_cls3_noprefix": bert("three labels, base without a prefix", labels=["negative", "neutral", "positive"], inputs="few"),
        "bert_cls_default": bert("two labels without id2label", "bert.", labels=2, inputs="few"),
        "bert_cls70": bert("seventy labels, odd names", "bert.", labels=["label \"%d\" ü\\n" % i for i in range(70)], inputs="few"),
        "bert_cls_single": bert("problem_type single_label_classification", "bert.", labels=["x", "y"], problem="single_label_classification", inputs="few"),
        "bert_multi": bert("multi label", "bert.", labels=["toxic", "rude", "kind", "dull", "odd"], problem="multi_label_classification"),
        "bert_regression": bert("one label and no problem_type is regression", "bert.", labels=["LABEL_0"]),
        "bert_regression_named": bert("problem_type regression", "bert.", labels=["score"], problem="regression", types=("F16",), inputs="few"),
        "bert_cls_gamma": bert("labels with gamma and beta", "bert.", norm=("gamma", "beta"), labels=["no", "yes"], inputs="few"),
        # DistilBERT
        "distilbert": distilbert("DistilBertModel with the prefix"),
        "distilbert_noprefix": distilbert("DistilBertModel without the prefix", prefix="", pairs=True),
        "distilbert_cls2": distilbert("two labels", labels=["NEGATIVE", "POSITIVE"], pairs=True),
        "distilbert_multi": distilbert("multi label, BF16", labels=["a", "b", "c"], problem="multi_label_classification", types=("BF16",), inputs="few"),
        "distilbert_regression": distilbert("regression", labels=["LABEL_0"], inputs="few"),
        "distilbert_relu": distilbert("relu", activation="relu", inputs="few"),
        "distilbert_odd": distilbert("3 heads of 11, inner 50, F16", dim=33, heads=3, inner=50, types=("F16",), inputs="few"),
        # sentence-transformers
        "st_mean": bert("mean pooling and normalise", modules=[("pool", "mean_tokens"), ("normalize",)], pairs=True),
        "st_cls": bert("cls pooling", modules=[("pool", "cls_token")], inputs="few"),
        "st_max": bert("max pooling", modules=[("pool", "max_tokens")], inputs="few"),
        "st_sqrt": bert("sqrt-mean pooling", modules=[("pool", "mean_sqrt_len_tokens")], inputs="few"),
        "st_weighted": bert("weighted mean pooling", modules=[("pool", "weightedmean_tokens")], inputs="few"),
        "st_last": bert("last token pooling", modules=[("pool", "lasttoken")], inputs="few"),
        "st_several": bert("cls, max and mean, normalised", modules=[("pool", "cls_token", "max_tokens", "mean_tokens"), ("normalize",)], inputs="few"),
        "st_all": bert("every pooling at once", modules=[("pool", *MODES)], hidden=21, heads=3, inner=30, inputs="few"),
        "st_dense": bert("mean, Dense with tanh, normalise", modules=[("pool", "mean_tokens"), ("dense", 19, "tanh", True), ("normalize",)], inputs="few"),
        "st_dense_two": bert("mean, two Dense without bias or activation", modules=[("pool", "mean_tokens", "max_tokens"), ("dense", 70, "identity", False), ("dense", 30, "relu", True)], inputs="few"),
        "st_dense_distilbert": distilbert("DistilBERT with Dense", prefix="", modules=[("pool", "mean_tokens"), ("dense", 33, "tanh", True)], inputs="few"),
        "st_length": bert("max_seq_length 24", modules=[("pool", "mean_tokens"), ("normalize",)], files={"sentence_bert_config.json": {"max_seq_length": 24, "do_lower_case": False}}),
        "st_f16": bert("mean pooling, F16 weights", types=("F16",), modules=[("pool", "mean_tokens"), ("normalize",)], inputs="few"),
        # the tokenizer as vocab.txt
        "bert_vocab_txt": bert("vocab.txt instead of tokenizer.json", labels=["no", "yes"], prefix="bert.", inputs="few"),
    }
    out["bert_vocab_txt"]["tokenizer"] = None
    out["bert_vocab_txt"]["files"]["vocab.txt"] = "".join(w + "\n" for w in VOCAB)
    out["bert_vocab_txt"]["files"]["tokenizer_config.json"] = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 40}
    out["bert_vocab_txt"]["max_length"] = 40
    for name in ACTIVATIONS:
        out["act_" + name] = bert("hidden_act " + name, hidden=24, heads=3, inner=40, layers=1, hidden_act=name, inputs="few")
    return out


# ---- the answers ---------------------------------------------------------------------------------
def tokenizer_of(case, folder):
    from tokenizers import Tokenizer
    path = os.path.join(folder, "tokenizer.json")
    t = Tokenizer.from_file(path if os.path.exists(path) else os.path.join(HERE, "tokenizers", "wordpiece.json"))
    t.enable_truncation(case["max_length"], strategy="longest_first")
    return t


def pooled(torch, hidden, modules, folder, case, width):
    for i, m in enumerate(modules, 1):
        if m[0] == "pool":
            n, parts = hidden.shape[0], []
            for mode in MODES:
                if mode not in m[1:]:
                    continue
                weights = torch.arange(1, n + 1, dtype=hidden.dtype).unsqueeze(1)
                parts.append({"cls_token": lambda: hidden[0], "max_tokens": lambda: hidden.max(0).values, "mean_tokens": lambda: hidden.sum(0) / n,
                              "mean_sqrt_len_tokens": lambda: hidden.sum(0) / math.sqrt(n), "lasttoken": lambda: hidden[-1],
                              "weightedmean_tokens": lambda: (hidden * weights).sum(0) / weights.sum()}[mode]())
            x = torch.cat(parts)
        elif m[0] == "dense":
            from safetensors.torch import load_file
            t = load_file(os.path.join(folder, "%d_Dense" % i, "model.safetensors"))
            x = t["linear.weight"].to(x.dtype) @ x + (t["linear.bias"].to(x.dtype) if "linear.bias" in t else 0)
            x = {"tanh": torch.tanh, "identity": lambda v: v, "relu": torch.relu}[m[2]](x)
        else:
            x = x / x.norm().clamp(min=1e-12)
    return x


def answers(case, folder, dtype_name):
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification
    torch.set_num_threads(1)
    dtype = getattr(torch, dtype_name)
    maker = AutoModel if case["task"] == "embed" else AutoModelForSequenceClassification
    model, info = maker.from_pretrained(folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    missing = [k for k in info["missing_keys"] if "pooler" not in k]
    assert not missing, (case["about"], missing)
    model.eval()
    tokenizer = tokenizer_of(case, folder)
    result = {}
    with open(os.path.join(HERE, "inputs.json")) as f:
        inputs = json.load(f)
    for kind, rows in (("text", [(t,) for t in inputs[case["inputs"]]]), ("pair", inputs["pairs"] if case["pairs"] else [])):
        ids, values = [], []
        for row in rows:
            e = tokenizer.encode(*row)
            ids.append(e.ids)
            given = {"input_ids": torch.tensor([e.ids]), "attention_mask": torch.ones(1, len(e.ids), dtype=torch.long)}
            config = case["files"]["config.json"]
            if config["model_type"] == "bert":
                types = e.type_ids if config.get("type_vocab_size", 2) > 1 else [0] * len(e.ids)
                given["token_type_ids"] = torch.tensor([types])
            with torch.no_grad():
                y = model(**given)
            x = y.logits[0] if case["task"] == "classify" else pooled(torch, y.last_hidden_state[0], case.get("modules") or [("pool", "mean_tokens")], folder, case, 0)
            values.append(x.to(torch.float64).tolist())
        if rows:
            result[kind] = {"ids": ids, "values": values}
    return result


def cosine(a, b, centre):
    import numpy as np
    a, b = np.array(a), np.array(b)
    if not centre:
        return float(((a * b).sum(1) / np.maximum(1e-300, np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).min())
    a, b = a - b.mean(0), b - b.mean(0)
    return float((a * b).sum() / max(1e-300, np.linalg.norm(a) * np.linalg.norm(b)))


def write_case(path, case):
    """JSON with one tensor, one list of ids and one row of values a line."""
    rows = []
    inner = {k: v for k, v in case.items() if k not in ("weights", "text", "pair")}
    text = json.dumps(inner, ensure_ascii=False, indent=1)[:-2]
    rows.append(text + ',\n "weights": {')
    rows.append(",\n".join("  %s: [\n%s\n  ]" % (json.dumps(name), ",\n".join("   " + json.dumps(r) for r in tensors)) for name, tensors in case["weights"].items()))
    rows.append(" }")
    for kind in ("text", "pair"):
        if kind in case:
            k = case[kind]
            rows[-1] += ","
            rows.append(' "%s": {\n  "bf16_cosine": %.6f,\n  "ids": [\n%s\n  ],\n  "values": [\n%s\n  ]\n }' % (
                kind, k["bf16_cosine"], ",\n".join("   " + json.dumps(i, separators=(",", ":")) for i in k["ids"]),
                ",\n".join("   [" + ",".join("%.9g" % v for v in row) + "]" for row in k["values"])))
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(rows) + "\n}\n")


def main():
    global VOCAB
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    VOCAB = write_tokenizers()
    with open(os.path.join(HERE, "inputs.json"), "w", encoding="utf-8") as f:
        json.dump(INPUTS, f, ensure_ascii=False, indent=1)
        f.write("\n")
    os.makedirs(os.path.join(HERE, "cases"), exist_ok=True)
    for name, case in cases().items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        path = os.path.join(HERE, "cases", name + ".json")
        write_case(path, case)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.argv[1], path, folder], check=True)
            exact, half = answers(case, folder, "float64"), answers(case, folder, "bfloat16")
        for kind, k in exact.items():
            k["bf16_cosine"] = cosine(half[kind]["values"], k["values"], case["task"] == "classify")
            case[kind] = k
        write_case(path, case)
        print("%-28s %s" % (name, "  ".join("%s %d x %d, bf16 %.5f" % (kind, len(k["values"]), len(k["values"][0]), k["bf16_cosine"]) for kind, k in exact.items())), flush=True)


VOCAB = []
if __name__ == "__main__":
    main()
