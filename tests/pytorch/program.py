#!/usr/bin/env python3
"""plimsoll-pytorch from outside: exit codes, messages, JSON, the table.  program.py PROGRAM"""
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "watch"))
from terminal import on_terminal  # noqa: E402

PROGRAM = sys.argv[1]
scratch = tempfile.TemporaryDirectory(prefix="plimsoll-pytorch-")
wrong = []


def check(what, fine, detail=""):
    if not fine:
        wrong.append(what)
        print(f"wrong: {what} {detail}")


def run(*argv, **more):
    return subprocess.run([PROGRAM, "plan", *argv], capture_output=True, text=True, timeout=60, **more)


def ask(*argv):
    return run(*argv, "--for", "pytorch")


def folder(name, headless=False, modules=False, **config):
    """A BERT of 2 layers of 32, with a weight file of holes."""
    path = os.path.join(scratch.name, name)
    os.makedirs(path)
    shapes = {"embeddings.word_embeddings.weight": [100, 32], "embeddings.position_embeddings.weight": [64, 32],
              "embeddings.token_type_embeddings.weight": [2, 32], "pooler.dense.weight": [32, 32], "pooler.dense.bias": [32]}
    norms = ["embeddings.LayerNorm"]
    for k in range(2):
        layer = f"encoder.layer.{k}."
        for linear, out, inside in (("attention.self.query", 32, 32), ("attention.self.key", 32, 32), ("attention.self.value", 32, 32),
                                    ("attention.output.dense", 32, 32), ("intermediate.dense", 64, 32), ("output.dense", 32, 64)):
            shapes[layer + linear + ".weight"], shapes[layer + linear + ".bias"] = [out, inside], [out]
        norms += [layer + "attention.output.LayerNorm", layer + "output.LayerNorm"]
    for norm in norms:
        shapes[norm + ".weight"] = shapes[norm + ".bias"] = [32]
    shapes = {("" if headless else "bert.") + name: shape for name, shape in shapes.items()}
    if not headless:
        shapes |= {"classifier.weight": [2, 32], "classifier.bias": [2]}
    header, at = {}, 0
    for tensor, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[tensor] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    blob = json.dumps(header).encode()
    with open(os.path.join(path, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(blob)) + blob)
        f.truncate(8 + len(blob) + at)
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump({"model_type": "bert", "architectures": ["BertModel" if headless else "BertForSequenceClassification"], "vocab_size": 100, "hidden_size": 32,
                   "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64, **config}, f)
    if modules:
        os.makedirs(path + "/1_Pooling")
        json.dump([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                   {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                   {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}], open(path + "/modules.json", "w"))
        json.dump({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}, open(path + "/1_Pooling/config.json", "w"))
        json.dump({"max_seq_length": 48}, open(path + "/sentence_bert_config.json", "w"))
    return path


MODEL = folder("classifier")
BASE = folder("base", headless=True)
SENTENCES = folder("sentences", headless=True, modules=True)
GPU = ("--device-memory", "2GiB")


def refused(code, words, *argv):
    r = ask(*argv)
    first = r.stderr.split("\n")[0]
    check(f"{argv}: exit {code}, {words!r}", r.returncode == code and first.startswith("plimsoll: ") and words in first, (r.returncode, r.stderr))
    check(f"{argv}: hints", all(line.startswith("  hint: ") for line in r.stderr.split("\n")[1:] if line), r.stderr)
    return r


def usage():
    refused(2, "MODEL is missing", *GPU)
    refused(2, "--device-memory is missing", MODEL)
    refused(2, "'much': is no size", MODEL, "--device-memory", "much")
    refused(2, "'0': is no size", MODEL, "--device-memory", "0")
    for batch in ("0", "-1", "1.5", "", "99999999999", "8x"):
        refused(2, "must be a whole number from 1 to 16777216", MODEL, *GPU, "--batch", batch)
    refused(2, "must be adamw, adamw8bit or sgd", MODEL, *GPU, "--train", "--optimizer", "lion")
    refused(2, "must be f32, bf16 or f16", MODEL, *GPU, "--precision", "int8")
    refused(2, "must be sdpa or eager", MODEL, *GPU, "--attention", "flash")
    refused(2, "must be auto, always or never", MODEL, *GPU, "--color", "red")
    refused(2, "must be pytorch", MODEL, *GPU, "--for", "jax")
    for p in ("1", "-0.1", "nan", "inf", "", "0x1"):
        refused(2, "must be from 0 to below 1", MODEL, *GPU, "--train", "--dropout", p)
    for option in (["--checkpointing"], ["--optimizer", "sgd"], ["--dropout", "0"]):
        refused(2, f"{option[0]}: says something about training, but --train is missing", MODEL, *GPU, *option)
    refused(2, "allow at most 64 tokens", MODEL, *GPU, "--max-length", "65")
    refused(2, "one MODEL is enough", MODEL, MODEL, *GPU)
    refused(2, "does not go with", MODEL, *GPU, "--memory", "2GiB")
    r = run(MODEL, "--for", "pytorch", "--device-memory")
    check("a value is missing", r.returncode == 2 and "--device-memory: needs a value" in r.stderr, r.stderr)
    r = run("--help")
    check("help", r.returncode == 0 and r.stdout.startswith("usage:") and not r.stderr)


def bad_input():
    refused(3, "no such folder", os.path.join(scratch.name, "nowhere"), *GPU)
    refused(3, "hidden_dropout_prob: 1.5", folder("wild", hidden_dropout_prob=1.5), *GPU, "--train")
    refused(3, "not supported", folder("llama", model_type="llama"), *GPU)


def figures():
    r = ask(MODEL, *GPU, "--train", "--json")
    p = json.loads(r.stdout)
    check("keys", list(p) == ["for", "fits", "limit_bytes", "peak_bytes", "biggest_batch", "parts", "settings", "alternatives"], list(p))
    check("parts", list(p["parts"]) == ["weights", "gradients", "optimizer", "activations", "temporaries", "rounding", "context"])
    check("sum", sum(p["parts"].values()) == p["peak_bytes"] <= p["limit_bytes"] == 2 << 30)
    check("settings", p["settings"] == {"train": True, "batch": 8, "max_length": 64, "precision": "f32", "attention": "sdpa", "checkpointing": False,
                                        "optimizer": "adamw", "dropout": 0.1}, p["settings"])
    order = [(not a["fits"], -a["biggest_batch"], a["peak_bytes"]) for a in p["alternatives"]]
    check("best first", len(order) == 15 and order == sorted(order), order)
    check("one line, exit 0", r.returncode == 0 and r.stdout.count("\n") == 1 and not r.stderr)
    equal = run("--for=pytorch", "--device-memory=2GiB", "--train", "--json", "--", MODEL)
    check("the other spelling", equal.stdout == r.stdout, equal.stderr)
    eager = json.loads(ask(MODEL, *GPU, "--train", "--json", "--dropout", "0", "--attention", "eager").stdout)["parts"]["activations"]
    rows = 8 * 64 * 4
    layer = rows * (12 * 32 + 4) + 4 * rows * 64  # with inner 64: q, k, v, three inputs, two norms' inputs, two inner rows twice; probabilities
    check("eager", eager == 2 * layer + rows * (32 + 2) + rows * 32 + 8 * 4 * (32 + 2) + 4, eager)


def refusals():
    r = ask(MODEL, "--device-memory", "459MiB", "--train", "--json", "--batch", "4000")
    p = json.loads(r.stdout)
    check("does not fit", r.returncode == 4 and p["fits"] is False and p["biggest_batch"] == 0 and p["peak_bytes"] > p["limit_bytes"], (r.returncode, p["biggest_batch"]))
    r = refused(4, "does not fit: PyTorch needs", MODEL, "--device-memory", "600MiB", "--train", "--batch", "4000")
    best = [line for line in r.stderr.split("\n") if "--batch " in line]
    check("hints what would", best and best[0].split("--batch ")[1].split()[0].isdigit(), r.stderr)
    check("prints it all the same", "activations" in r.stdout and "other settings" in r.stdout)


def other_folders():
    p = json.loads(ask(BASE, *GPU, "--json").stdout)
    q = json.loads(ask(MODEL, *GPU, "--json").stdout)
    check("inference", p["parts"]["gradients"] == p["parts"]["optimizer"] == p["parts"]["activations"] == 0 and "optimizer" not in p["settings"], p)
    check("a classifier more", q["parts"]["weights"] - p["parts"]["weights"] == 4 * (2 * 32 + 2))
    check("its alternatives", len(p["alternatives"]) == 3)
    p = json.loads(ask(SENTENCES, *GPU, "--json").stdout)
    check("its own length", p["settings"]["max_length"] == 48, p["settings"])
    p = json.loads(ask(SENTENCES, *GPU, "--json", "--train").stdout)
    check("trained with a head", p["parts"]["weights"] == q["parts"]["weights"], p["parts"])
    p = json.loads(ask(folder("quiet", hidden_dropout_prob=0, attention_probs_dropout_prob=0, classifier_dropout=None), *GPU, "--json", "--train").stdout)
    check("config's dropout", p["settings"]["dropout"] == 0)


def table():
    r = ask(MODEL, *GPU, "--train", "--color", "never")
    rows = r.stdout.split("other settings")[1].split("\n")[1:-1]
    check("columns stand below each other", len(rows) == 15 and len({len(row) for row in rows}) == 1, rows)
    for variables, colored in (({"TERM": "xterm", "NO_COLOR": ""}, True), ({"TERM": "dumb", "NO_COLOR": ""}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        check(f"colour on a terminal by {variables}", (seen := on_terminal([PROGRAM, "plan", MODEL, *GPU, "--for", "pytorch"], variables)) is None or (b"\x1b[" in seen) == colored)
    check("colour on demand", "\x1b[" in ask(MODEL, *GPU, "--color", "always").stdout and "\x1b[" not in r.stdout)
    with open("/dev/full", "w") as full:
        r = subprocess.run([PROGRAM, "plan", MODEL, *GPU, "--for", "pytorch"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    check("a full stdout", r.returncode == 5 and r.stderr.startswith("plimsoll: standard output"), (r.returncode, r.stderr))


def cache():
    hub = os.path.join(scratch.name, "hub")
    os.makedirs(hub + "/models--some--model/snapshots")
    os.makedirs(hub + "/models--some--model/refs")
    os.symlink(MODEL, hub + "/models--some--model/snapshots/0123abc")
    with open(hub + "/models--some--model/refs/main", "w") as f:
        f.write("0123abc")
    for variables in ({"HF_HUB_CACHE": hub}, {"HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": hub}):
        r = run("some/model", *GPU, "--for", "pytorch", env={**os.environ, **variables}, cwd=scratch.name)
        check(f"ORG/NAME by {variables}", r.returncode == 0, r)


for part in (usage, bad_input, figures, refusals, other_folders, table, cache):
    part()
scratch.cleanup()
sys.exit(1 if wrong else 0)
