#!/usr/bin/env python3
"""Hostile folders and inputs: each is refused with exit 3 and one line that names the file and the
place, within 2 s and in memory bounded by the file's size; nothing crashes, under sanitizers neither.
What Python would run although it is wrong (no layers, integer weights, an epsilon of zero) is refused
too; NaN weights and empty input are not faults."""
import json
import os
import shutil
import struct

import e2e

TENSOR = "bert.encoder.layer.1.output.dense.weight"


# ---- a folder's files, read and written ----------------------------------------------------------
def load(path):
    with open(path, "rb") as f:
        return f.read()


def save(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def config(change):
    def apply(folder):
        value = json.loads(load(os.path.join(folder, "config.json")))
        for k, v in change.items():
            if v == "absent":
                value.pop(k, None)
            else:
                value[k] = v
        save(folder, "config.json", json.dumps(value))
    return apply


def file(name, data):
    return lambda folder: save(folder, name, data)


def remove(name):
    return lambda folder: os.unlink(os.path.join(folder, name))


def tokenizer(change):
    def apply(folder):
        value = json.loads(load(os.path.join(folder, "tokenizer.json")))
        change(value)
        save(folder, "tokenizer.json", json.dumps(value))
    return apply


def header(change):
    """Changes the parsed safetensors header; offsets and data stay."""
    def apply(folder):
        data = load(os.path.join(folder, "model.safetensors"))
        n = struct.unpack("<Q", data[:8])[0]
        value = json.loads(data[8:8 + n])
        text = change(value)
        if not isinstance(text, (bytes, str)):
            text = json.dumps(value)
        text = text.encode() if isinstance(text, str) else text
        save(folder, "model.safetensors", struct.pack("<Q", len(text)) + text + data[8 + n:])
    return apply


def weights(change):
    return lambda folder: save(folder, "model.safetensors", change(load(os.path.join(folder, "model.safetensors"))))


def field(key, value, tensor=TENSOR):
    def change(h):
        h[tensor][key] = value
    return header(change)


def shape_of(tensor, shape):
    """Another shape of as many elements, or of fewer with the offsets left: both are wrong here."""
    return field("shape", shape, tensor)


def drop(tensor):
    """A checkpoint without one tensor: its bytes are taken by a neighbour of no use."""
    def change(h):
        h["something.else"] = h.pop(tensor)
    return header(change)


def retype(tensor, dtype, itemsize):
    """The tensor as dtype with its bytes unchanged in number."""
    def change(h):
        first, last = h[tensor]["data_offsets"]
        h[tensor]["dtype"] = dtype
        h[tensor]["shape"] = h[tensor]["shape"][:-1] + [h[tensor]["shape"][-1] * 4 // itemsize]
        return None
    return header(change)


def deep(n, inner="1"):
    return '{"a":' * n + inner + "}" * n


def nested(n):
    return "[" * n + "]" * n


def shard_index(weight_map, shards=("model-00001-of-00001.safetensors",)):
    def apply(folder):
        os.rename(os.path.join(folder, "model.safetensors"), os.path.join(folder, shards[0]))
        data = load(os.path.join(folder, shards[0]))
        n = struct.unpack("<Q", data[:8])[0]
        names = [k for k in json.loads(data[8:8 + n]) if k != "__metadata__"]
        save(folder, "model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": weight_map(names, shards[0])}))
    return apply


def modules(listed, **files):
    def apply(folder):
        save(folder, "modules.json", listed if isinstance(listed, str) else json.dumps(listed))
        for name, text in files.items():
            save(folder, name.replace("__", "/") + ".json", text if isinstance(text, str) else json.dumps(text))
    return apply


T = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
P = {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
D = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}

# name, change of the folder, words that the message must hold
FOLDERS = [
    # config.json
    ("config missing", remove("config.json"), ["config.json"]),
    ("config empty", file("config.json", ""), ["config.json"]),
    ("config cut", file("config.json", '{"model_type": "bert", "hidden'), ["config.json"]),
    ("config a list", file("config.json", "[]"), ["config.json"]),
    ("config binary", file("config.json", bytes(range(256)) * 4), ["config.json"]),
    ("config not UTF-8", file("config.json", b'{"model_type": "b\xff\xfert"}'), ["config.json"]),
    ("config deep", file("config.json", deep(100000)), ["config.json"]),
    ("config huge", file("config.json", '{"a": "' + "x" * (80 << 20) + '"}'), ["config.json"]),
    ("config a folder", lambda f: (os.unlink(f + "/config.json"), os.mkdir(f + "/config.json")), ["config.json"]),
    ("config duplicate junk after", file("config.json", "{} {}"), ["config.json"]),
    ("family missing", config({"model_type": "absent", "architectures": "absent"}), ["model_type"]),
    ("family unknown", config({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}), ["llama"]),
    ("family a number", config({"model_type": 7}), ["model_type"]),
    ("architecture without support", config({"architectures": ["BertForQuestionAnswering"]}), ["BertForQuestionAnswering"]),
    ("hidden_size missing", config({"hidden_size": "absent"}), ["config.json"]),
    ("hidden_size zero", config({"hidden_size": 0}), ["hidden_size"]),
    ("hidden_size negative", config({"hidden_size": -40}), ["hidden_size"]),
    ("hidden_size a fraction", config({"hidden_size": 40.5}), ["hidden_size"]),
    ("hidden_size text", config({"hidden_size": "40"}), ["hidden_size"]),
    ("hidden_size vast", config({"hidden_size": 1 << 40}), ["config.json"]),
    ("hidden_size beyond 64 bits", config({"hidden_size": 10 ** 30}), ["config.json"]),
    ("hidden_size other than the weights'", config({"hidden_size": 44}), ["44"]),
    ("heads do not divide", config({"num_attention_heads": 7}), ["num_attention_heads"]),
    ("heads zero", config({"num_attention_heads": 0}), ["num_attention_heads"]),
    ("layers zero", config({"num_hidden_layers": 0}), ["num_hidden_layers"]),
    ("layers more than saved", config({"num_hidden_layers": 3}), ["layer.2."]),
    ("layers absurd", config({"num_hidden_layers": 4000000000}), ["num_hidden_layers"]),
    ("inner zero", config({"intermediate_size": 0}), ["intermediate_size"]),
    ("inner other than the weights'", config({"intermediate_size": 80}), ["80"]),
    ("positions zero", config({"max_position_embeddings": 0}), ["max_position_embeddings"]),
    ("positions more than saved", config({"max_position_embeddings": 65}), ["65"]),
    ("vocabulary more than saved", config({"vocab_size": 100000}), ["100000"]),
    ("types other than saved", config({"type_vocab_size": 3}), ["token_type_embeddings"]),
    ("activation unknown", config({"hidden_act": "gulu"}), ["gulu"]),
    ("activation a number", config({"hidden_act": 3}), ["hidden_act"]),
    ("epsilon zero", config({"layer_norm_eps": 0}), ["layer_norm_eps"]),
    ("epsilon negative", config({"layer_norm_eps": -1e-12}), ["layer_norm_eps"]),
    ("epsilon beyond f32", config({"layer_norm_eps": 1e300}), ["layer_norm_eps"]),
    ("epsilon text", config({"layer_norm_eps": "1e-12"}), ["layer_norm_eps"]),
    ("epsilon infinite", lambda f: save(f, "config.json", load(f + "/config.json").replace(b'"layer_norm_eps": 1e-12', b'"layer_norm_eps": 1e999').replace(b"9.9999999999999998e-13", b"1e999")), ["config.json"]),
    ("position type relative", config({"position_embedding_type": "relative_key"}), ["position_embedding_type"]),
    ("decoder", config({"is_decoder": True}), ["is_decoder"]),
    ("labels a list", config({"id2label": ["a", "b"]}), ["id2label"]),
    ("labels other than the head's", config({"id2label": {str(i): str(i) for i in range(5)}}), ["classifier"]),
    ("labels with a hole", config({"id2label": {"0": "a", "2": "b", "3": "c"}}), ["id2label"]),
    ("labels not text", config({"id2label": {"0": "a", "1": 3, "2": "c"}}), ["id2label"]),
    ("problem_type unknown", config({"problem_type": "guessing"}), ["guessing"]),
    # the weight file
    ("weights missing", remove("model.safetensors"), ["safetensors"]),
    ("weights empty", weights(lambda d: b""), ["model.safetensors"]),
    ("weights of 7 bytes", weights(lambda d: d[:7]), ["model.safetensors"]),
    ("weights of 8 bytes", weights(lambda d: d[:8]), ["model.safetensors"]),
    ("weights cut in the header", weights(lambda d: d[:200]), ["model.safetensors"]),
    ("weights cut in the data", weights(lambda d: d[:-1000]), ["model.safetensors"]),
    ("weights one byte short", weights(lambda d: d[:-1]), ["model.safetensors"]),
    ("weights one byte long", weights(lambda d: d + b"x"), ["model.safetensors"]),
    ("weights a folder", lambda f: (os.unlink(f + "/model.safetensors"), os.mkdir(f + "/model.safetensors")), ["model.safetensors"]),
    ("weights a fifo", lambda f: (os.unlink(f + "/model.safetensors"), os.mkfifo(f + "/model.safetensors")), ["model.safetensors"]),
    ("weights a link to nothing", lambda f: (os.unlink(f + "/model.safetensors"), os.symlink("nowhere", f + "/model.safetensors")), ["safetensors"]),
    ("weights a link to itself", lambda f: (os.unlink(f + "/model.safetensors"), os.symlink("model.safetensors", f + "/model.safetensors")), ["safetensors"]),
    ("weights endless", lambda f: (os.unlink(f + "/model.safetensors"), os.symlink("/dev/zero", f + "/model.safetensors")), ["safetensors"]),
    ("header length zero", weights(lambda d: bytes(8) + d[8:]), ["model.safetensors"]),
    ("header length vast", weights(lambda d: struct.pack("<Q", 1 << 62) + d[8:]), ["model.safetensors"]),
    ("header length all ones", weights(lambda d: b"\xff" * 8 + d[8:]), ["model.safetensors"]),
    ("header length one over", weights(lambda d: struct.pack("<Q", len(d) - 7) + d[8:]), ["model.safetensors"]),
    ("header length of 200 MB, sparse", lambda f: (lambda p: (open(p, "wb").write(struct.pack("<Q", 200 << 20)), os.truncate(p, 300 << 20)))(f + "/model.safetensors"), ["model.safetensors"]),
    ("header no JSON", header(lambda h: b"\x00" * 400), ["model.safetensors"]),
    ("header a list", header(lambda h: "[1, 2, 3]"), ["model.safetensors"]),
    ("header deep", header(lambda h: deep(200000)), ["model.safetensors"]),
    ("header not UTF-8", header(lambda h: b'{"\xff\xfe": 1}'), ["model.safetensors"]),
    ("header a lone surrogate", header(lambda h: '{"\\ud800": {"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), ["model.safetensors"]),
    ("header twice the same name", header(lambda h: json.dumps(h)[:-1] + ', "%s": %s}' % (TENSOR, json.dumps(h[TENSOR]))), [TENSOR]),
    ("header empty", header(lambda h: "{}"), ["model.safetensors"]),
    ("dtype unknown", field("dtype", "F31"), [TENSOR]),
    ("dtype a number", field("dtype", 5), [TENSOR]),
    ("dtype absent", header(lambda h: h[TENSOR].pop("dtype") and None), [TENSOR]),
    ("shape absent", header(lambda h: h[TENSOR].pop("shape") and None), [TENSOR]),
    ("offsets absent", header(lambda h: h[TENSOR].pop("data_offsets") and None), [TENSOR]),
    ("shape negative", field("shape", [-40, -72]), [TENSOR]),
    ("shape a fraction", field("shape", [40.0, 72.5]), [TENSOR]),
    ("shape overflows", field("shape", [1 << 33, 1 << 33]), [TENSOR]),
    ("shape overflows to its size", field("shape", [1 << 62, 4, 2880]), [TENSOR]),
    ("shape beyond 64 bits", field("shape", [10 ** 25, 1]), [TENSOR]),
    ("shape of rank 3000", field("shape", [1] * 3000), [TENSOR]),
    ("shape text", field("shape", "40x72"), [TENSOR]),
    ("shape turned over", shape_of(TENSOR, [72, 40]), [TENSOR]),
    ("shape flat", shape_of(TENSOR, [2880]), [TENSOR]),
    ("shape smaller than its bytes", shape_of(TENSOR, [40, 71]), [TENSOR]),
    ("offsets backwards", field("data_offsets", [4000, 2000]), [TENSOR]),
    ("offsets negative", field("data_offsets", [-100, 100]), [TENSOR]),
    ("offsets beyond the file", field("data_offsets", [1 << 40, (1 << 40) + 11520]), [TENSOR]),
    ("offsets near the end of 64 bits", field("data_offsets", [(1 << 64) - 11520, (1 << 64) - 1]), [TENSOR]),
    ("offsets overlap", lambda f: header(lambda h: h[TENSOR].update(data_offsets=h["bert.encoder.layer.0.output.dense.weight"]["data_offsets"]))(f), ["model.safetensors"]),
    ("offsets of three numbers", field("data_offsets", [0, 11520, 0]), [TENSOR]),
    ("offsets text", field("data_offsets", ["0", "11520"]), [TENSOR]),
    ("integer weights", retype(TENSOR, "I32", 4), [TENSOR]),
    ("bool weights", retype(TENSOR, "BOOL", 1), [TENSOR]),
    ("8-bit float weights", retype(TENSOR, "F8_E4M3", 1), [TENSOR]),
    ("a gap in the data", weights(lambda d: d[:8] + d[8:] + bytes(64)), ["model.safetensors"]),
    ("tensor missing", drop(TENSOR), [TENSOR.replace("bert.", "")]),
    ("embedding missing", drop("bert.embeddings.word_embeddings.weight"), ["word_embeddings"]),
    ("norm missing", drop("bert.embeddings.LayerNorm.weight"), ["LayerNorm"]),
    ("bias missing", drop("bert.encoder.layer.0.attention.self.query.bias"), ["query.bias"]),
    ("pooler missing", drop("bert.pooler.dense.weight"), ["pooler"]),
    ("head missing", drop("classifier.weight"), ["classifier"]),
    ("head bias missing", drop("classifier.bias"), ["classifier.bias"]),
    ("both gamma and weight", header(lambda h: h.update({"bert.embeddings.LayerNorm.gamma": h["bert.embeddings.LayerNorm.weight"]})), ["safetensors"]),
    # shards
    ("index names a missing shard", shard_index(lambda names, s: {n: "model-00009-of-00009.safetensors" for n in names}), ["model-00009"]),
    ("index names a wrong shard", lambda f: (shard_index(lambda names, s: {n: s for n in names})(f), shutil.copy(f + "/model-00001-of-00001.safetensors", f + "/other.safetensors"),
                                             save(f, "other.safetensors", struct.pack("<Q", 2) + b"{}"),
                                             save(f, "model.safetensors.index.json", load(f + "/model.safetensors.index.json").replace(b'"%s": "model-00001-of-00001' % TENSOR.encode(), b'"%s": "other' % TENSOR.encode()))), [TENSOR]),
    ("index leaves the folder", shard_index(lambda names, s: {n: "../../../etc/passwd" for n in names}), ["index"]),
    ("index with an absolute path", shard_index(lambda names, s: {n: "/etc/passwd" for n in names}), ["index"]),
    ("index without a map", lambda f: (os.rename(f + "/model.safetensors", f + "/a.safetensors"), save(f, "model.safetensors.index.json", "{}")), ["weight_map"]),
    ("index no JSON", lambda f: (os.rename(f + "/model.safetensors", f + "/a.safetensors"), save(f, "model.safetensors.index.json", "{{")), ["index"]),
    ("index with numbers", shard_index(lambda names, s: {n: 1 for n in names}), ["index"]),
    # the tokenizer
    ("tokenizer missing", remove("tokenizer.json"), ["tokenizer"]),
    ("tokenizer empty", file("tokenizer.json", ""), ["tokenizer.json"]),
    ("tokenizer cut", lambda f: save(f, "tokenizer.json", load(f + "/tokenizer.json")[:3000]), ["tokenizer.json"]),
    ("tokenizer deep", file("tokenizer.json", '{"model": ' + nested(200000) + "}"), ["tokenizer.json"]),
    ("tokenizer without a model", tokenizer(lambda t: t.pop("model")), ["model"]),
    ("tokenizer of an unknown model", tokenizer(lambda t: t["model"].update(type="Guess")), ["Guess"]),
    ("tokenizer of an unknown normalizer", tokenizer(lambda t: t.update(normalizer={"type": "Rot13"})), ["Rot13"]),
    ("tokenizer of an unknown pre-tokenizer", tokenizer(lambda t: t.update(pre_tokenizer={"type": "Vowels"})), ["Vowels"]),
    ("tokenizer of an unknown post-processor", tokenizer(lambda t: t.update(post_processor={"type": "Sandwich"})), ["Sandwich"]),
    ("tokenizer ids beyond the embedding", tokenizer(lambda t: t["model"]["vocab"].update({"load": 100000})), ["tokenizer"]),
    ("tokenizer ids negative", tokenizer(lambda t: t["model"]["vocab"].update({"load": -1})), ["tokenizer.json"]),
    ("tokenizer ids a fraction", tokenizer(lambda t: t["model"]["vocab"].update({"load": 1.5})), ["tokenizer.json"]),
    ("tokenizer ids text", tokenizer(lambda t: t["model"]["vocab"].update({"load": "5"})), ["tokenizer.json"]),
    ("tokenizer vocabulary a number", tokenizer(lambda t: t["model"].update(vocab=5)), ["tokenizer.json"]),
    ("tokenizer template with an unknown token", tokenizer(lambda t: t["post_processor"]["special_tokens"].pop("[SEP]")), ["[SEP]"]),
    ("tokenizer's maximum below its special tokens", file("tokenizer_config.json", '{"model_max_length": 1}'), ["model_max_length", "special tokens"]),
    # sentence-transformers
    ("modules no JSON", modules("[{"), ["modules.json"]),
    ("modules an object", modules({"idx": 0}), ["modules.json"]),
    ("modules without a transformer", modules([P]), ["modules.json"]),
    ("modules of an unknown kind", modules([T, dict(P, type="sentence_transformers.models.Sorcery")]), ["Sorcery"]),
    ("pooling config missing", modules([T, P]), ["1_Pooling"]),
    ("pooling none", modules([T, P], **{"1_Pooling__config": {"word_embedding_dimension": 40, "pooling_mode_mean_tokens": False}}), ["1_Pooling"]),
    ("pooling a text", modules([T, P], **{"1_Pooling__config": {"word_embedding_dimension": 40, "pooling_mode_mean_tokens": "yes"}}), ["pooling_mode_mean_tokens"]),
    ("dense without weights", modules([T, P, D], **{"1_Pooling__config": {"word_embedding_dimension": 40, "pooling_mode_mean_tokens": True}, "2_Dense__config": {"in_features": 40, "out_features": 4, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"}}), ["2_Dense"]),
    ("modules leave the folder", modules([T, dict(P, path="../../x")]), ["modules.json"]),
    ("lower case asked of a cased tokenizer", lambda f: (tokenizer(lambda t: t.update(normalizer=None))(f), save(f, "sentence_bert_config.json", '{"do_lower_case": true}')), ["sentence_bert_config.json", "do_lower_case"]),
    ("max_seq_length negative", file("sentence_bert_config.json", '{"max_seq_length": -3}'), ["max_seq_length"]),
    ("max_seq_length below the special tokens", file("sentence_bert_config.json", '{"max_seq_length": 1}'), ["max_seq_length", "special tokens"]),
    ("max_seq_length text", file("sentence_bert_config.json", '{"max_seq_length": "x"}'), ["max_seq_length"]),
]
NOT_PLAN = ("architecture without support",)  # as an encoder it has one
EMBED_ONLY = ("modules", "pooling", "dense", "max_seq", "lower case")

# name, extension, bytes, words that the message must hold
INPUTS = [
    ("jsonl cut", "jsonl", b'{"text": "a"}\n{"text": "b', ["2"]),
    ("jsonl a number", "jsonl", b'{"text": "a"}\n7\n', ["2"]),
    ("jsonl a list", "jsonl", b'["a"]\n', ["1"]),
    ("jsonl without text", "jsonl", b'{"text": "a"}\n{"note": "b"}\n', ["2", "text"]),
    ("jsonl text a number", "jsonl", b'{"text": 5}\n', ["1", "text"]),
    ("jsonl text null", "jsonl", b'{"text": null}\n', ["1", "text"]),
    ("jsonl pair a number", "jsonl", b'{"text": "a", "text_pair": 5}\n', ["1", "text_pair"]),
    ("jsonl a lone surrogate", "jsonl", b'{"text": "a"}\n{"text": "\\ud83d"}\n', ["2"]),
    ("jsonl surrogates the wrong way round", "jsonl", b'{"text": "\\ude00\\ud83d"}\n', ["1"]),
    ("jsonl not UTF-8", "jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', ["2"]),
    ("jsonl junk after", "jsonl", b'{"text": "a"} x\n', ["1"]),
    ("jsonl deep", "jsonl", b'{"text": "a", "x": ' + b"[" * 100000 + b"]" * 100000 + b"}\n", ["1"]),
    ("jsonl a raw control character", "jsonl", b'{"text": "a\x01b"}\n', ["1"]),
    ("jsonl an empty line inside", "jsonl", b'{"text": "a"}\nnull\n{"text": "b"}\n', ["2"]),
    ("txt not UTF-8", "txt", b"good\nbad \xff\xfe\n", ["2"]),
    ("txt overlong UTF-8", "txt", b"good\ngood\n\xc0\xaf\n", ["3"]),
    ("txt a surrogate in UTF-8", "txt", b"\xed\xa0\x80\n", ["1"]),
    ("txt cut in a character", "txt", b"good\n\xe4\xb8", ["2"]),
    ("txt UTF-16", "txt", "\ufeffa text\n".encode("utf-16-le"), ["1"]),
    ("csv an unclosed quote", "csv", b'text\nfine\n"open\nand on\n', ["3"]),
    ("csv without the column", "csv", b"id,note\n1,x\n", ["text"]),
    ("csv a short row", "csv", b"id,text\n1,a\n2\n", ["3"]),
    ("csv text after a quote", "csv", b'text\n"a"b\n', ["2"]),
    ("csv not UTF-8", "csv", b"text\nok\n\xff\n", ["3"]),
    ("tsv without the column", "tsv", b"a\tb\nx\ty\n", ["text"]),
]


def one_folder(test, name, change, names):
    folder = test.path("models", "hostile")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(test.folder("bert_cls3"), folder)
    change(folder)
    size = sum(os.path.getsize(os.path.join(f, n)) for f, _, ns in os.walk(folder) for n in ns if os.path.isfile(os.path.join(f, n)))
    embed = name.startswith(EMBED_ONLY)
    verbs = [["embed", folder, "-t", "a"]] if embed else [["classify", folder, "-t", "a"]] + ([] if name in NOT_PLAN else [["plan", folder]])
    for verb in verbs:
        run = test.run(*verb, timeout=10)
        fault = e2e.complaint(run, (3,), names)
        if not fault and not test.sanitized:
            if run.seconds > 2:
                fault = "%.1f s" % run.seconds
            elif run.peak > size + (24 << 20):
                fault = "%d MiB for files of %d MiB" % (run.peak >> 20, size >> 20)
        test.check("%s: %s" % (verb[0], name), not fault, fault)


def one_input(test, name, extension, data, names):
    run = test.run("classify", test.folder("bert_cls3"), "-i", test.write("bad." + extension, data), timeout=10)
    good = b"".join(line + b"\n" for line in run.out.split(b"\n") if line)
    run.out = b"" if good == run.out else run.out  # results of lines before the bad one may stand
    fault = e2e.complaint(run, (3,), ["bad." + extension] + names)
    if not fault and not test.sanitized and run.seconds > 2:
        fault = "%.1f s" % run.seconds
    test.check("input: " + name, not fault, fault)


def allowed(test):
    """What looks bad and is not."""
    folder = test.folder("bert_cls3")
    for name, data in (("empty.txt", b""), ("empty.jsonl", b""), ("empty.csv", b""), ("header.csv", b"text\n"), ("bom.txt", b"\xef\xbb\xbf")):
        run = test.run("classify", folder, "-i", test.write(name, data))
        test.check("allowed: empty input %s" % name, not run.trouble() and run.out == b"", run.trouble() or run.out)
    run = test.run("classify", folder, "-i", test.write("nul.txt", b"a\0b\n\0\n"))
    test.check("allowed: NUL in a text", not run.trouble() and run.out.count(b"\n") == 2, run.trouble())
    long = b"word " * (2 << 20)
    run = test.run("classify", folder, "-i", test.write("long.txt", b"a\n" + long + b"\nb\n"), "--memory", "64MiB", timeout=30)
    test.check("allowed: a text of 10 MB", not run.trouble() and run.out.count(b"\n") == 3, run.trouble())
    run = test.run("classify", folder, "-i", test.write("x.txt", b"x" * (10 << 20) + b"\n"), "--memory", "64MiB", timeout=30)
    test.check("a word of 10 MB is truncated or refused with its line", not run.trouble() or not e2e.complaint(run, (3,), ["1"]), run.trouble())
    broken = test.folder("bert_cls3", "nan")
    path = os.path.join(broken, "model.safetensors")
    data = bytearray(load(path))
    data[-12:-8] = struct.pack("<f", float("nan"))
    save(broken, "model.safetensors", bytes(data))
    run = test.run("classify", broken, "-t", "a", "--logits")
    test.check("allowed: NaN weights give null", not run.trouble() and b"null" in run.out, run.trouble() or run.out)
    missing = test.folder("bert_cls3", "no-unknown")
    tokenizer(lambda t: t["model"].update(unk_token="[WHAT]"))(missing)
    run = test.run("classify", missing, "-t", "a")
    test.check("allowed: an unknown token that is not in the vocabulary, where none is needed", not run.trouble(), run.trouble())
    run = test.run("classify", missing, "-i", test.write("unknown.txt", "the ship\n\u4e00\n"))
    run.out = b""
    test.check("... and refused with the line where one is", not e2e.complaint(run, (3,), ["[WHAT]", "2"]), e2e.complaint(run, (3,), ["[WHAT]", "2"]))
    run = test.run("classify", test.folder("bert_prefix"), "-t", "a")
    fault = e2e.complaint(run, (3,), ["classif"])
    test.check("a base model has no classifier", not fault, fault)
    run = test.run("embed", folder, "-t", "a")
    test.check("allowed: embed with a classifier's base", not run.trouble(), run.trouble())
    for name, change in (("no layer before it", drop("bert.pooler.dense.weight")), ("other labels", config({"id2label": {"0": "a", "1": "b"}}))):
        other = test.folder("bert_cls3", "other head, " + name)
        config({"architectures": "absent"})(other)
        change(other)
        run = test.run("plan", other, "--json")
        test.check("allowed: a head of another task without a class to say so, %s" % name, not run.trouble() and b'"task":"embed"' in run.out, run.trouble() or run.out)
    above = test.folder("bert_cls3", "epsilon above one")
    config({"layer_norm_eps": 1.5})(above)
    run = test.run("classify", above, "-t", "a")
    test.check("allowed: an epsilon above one", not run.trouble(), run.trouble())
    still = test.folder("bert_cls3", "epsilon below f32")
    config({"layer_norm_eps": 1e-60})(still)
    weights(lambda d: (lambda start: d[:start] + bytes(len(d) - start))(8 + struct.unpack("<Q", d[:8])[0]))(still)
    run = test.run("classify", still, "-t", "a", "--logits")
    test.check("allowed: an epsilon that f32 would make zero, rows without variance", not run.trouble() and b"null" not in run.out, run.trouble() or run.out)
    lower = test.folder("bert", "lower")
    before = test.run("embed", lower, "-t", "Upper")
    save(lower, "sentence_bert_config.json", '{"do_lower_case": true}')
    run = test.run("embed", lower, "-t", "Upper")
    test.check("allowed: lower case asked of a tokenizer that gives it", not run.trouble() and run.out == before.out, run.trouble() or run.out)
    for name in ("nothing-here", "some-org/some-model"):
        run = test.run("embed", name, "-t", "a", cwd=test.tmp)
        fault = e2e.complaint(run, (2, 3), [name])
        test.check("no such model: %s" % name, not fault, fault)
    run = test.run("classify", folder, "-i", test.path("nowhere.txt"))
    fault = e2e.complaint(run, (2, 3), ["nowhere.txt"])
    test.check("no such input", not fault, fault)


def main():
    test = e2e.Test(__doc__)
    for name, change, names in FOLDERS:
        if test.wants(name):
            one_folder(test, name, change, names)
    for name, extension, data, names in INPUTS:
        if test.wants(name):
            one_input(test, name, extension, data, names)
    if test.wants("allowed"):
        allowed(test)
    test.finish()


main()
