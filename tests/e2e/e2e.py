"""What the whole-command tests share: running plimsoll, model folders of golden cases, .npy files,
counting. Standard library only.

A test is `NAME.py --plimsoll PROGRAM --golden GOLDEN_MAKE --measure MEASURE [--sanitized]`; it prints
what fails and a closing line, and exits 1 if anything did."""
import argparse
import array
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(os.path.dirname(HERE), "golden")
MIB = 1 << 20
ISAS = ("reference", "avx2", "avx512", "avx512_bf16", "amx")


class Run:
    """A finished run: rc (None if killed), signal, late, out, err (bytes), peak (bytes), seconds, cpu."""

    def __init__(self, report, out, err):
        status, late, peak, seconds, cpu = report.split()
        status = int(status)
        self.rc = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        self.late, self.peak, self.seconds, self.cpu = late == "1", int(peak) * 1024, float(seconds), float(cpu)
        self.out, self.err = out, err

    def trouble(self, wanted=0):
        if self.late:
            return "ran past its time (%.1f s)" % self.seconds
        if self.signal:
            return "killed by signal %d; %s" % (self.signal, self.last_line())
        if self.rc != wanted:
            return "exit %d instead of %d: %s" % (self.rc, wanted, self.last_line())
        return ""

    def last_line(self):
        lines = self.err.decode("utf-8", "replace").strip().split("\n")
        return next((l for l in lines if "plimsoll:" in l or "ERROR" in l or "runtime error" in l), lines[-1])[:300]

    def rows(self):
        return [json.loads(line) for line in self.out.decode().split("\n") if line]


class Test:
    def __init__(self, doc):
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--plimsoll", required=True)
        parser.add_argument("--golden", required=True)
        parser.add_argument("--measure", required=True)
        parser.add_argument("--sanitized", action="store_true", help="the program runs under a sanitizer: no figures of memory or time")
        parser.add_argument("--only", default="", help="only the parts whose name contains this")
        parser.add_argument("-v", action="store_true", help="show what passes too")
        self.args = parser.parse_args()
        for program in ("plimsoll", "golden", "measure"):
            setattr(self.args, program, os.path.abspath(getattr(self.args, program)))
        self.holder = tempfile.TemporaryDirectory(prefix="plimsoll-e2e-")
        self.tmp, self.good, self.bad = self.holder.name, 0, 0
        self.sanitized = self.args.sanitized
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PLIMSOLL_"))}
        self.environment["XDG_RUNTIME_DIR"] = self.path("runtime")
        os.makedirs(self.path("runtime"), 0o700)

    def path(self, *parts):
        return os.path.join(self.tmp, *parts)

    def wants(self, name):
        return self.args.only in name

    def check(self, what, good, detail=""):
        if good:
            self.good += 1
        else:
            self.bad += 1
        if not good or self.args.v:
            print("%s %s%s" % ("ok  " if good else "FAIL", what, ": " + str(detail)[:400] if detail and not good else ""), flush=True)
        return bool(good)

    def run(self, *argv, stdin=subprocess.DEVNULL, data=None, timeout=60, env=None, cwd=None, wrap=()):
        if self.sanitized:
            timeout *= 10
        report = self.path("report")
        environment = dict(self.environment, **(env or {}))
        if data is not None:
            stdin = tempfile.TemporaryFile()
            stdin.write(data)
            stdin.seek(0)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            subprocess.run([self.args.measure, report, str(timeout), *wrap, self.args.plimsoll, *map(str, argv)], stdin=stdin, stdout=out, stderr=err, env=environment, cwd=cwd)
            out.seek(0), err.seek(0)
            with open(report) as f:
                return Run(f.read(), out.read(), err.read())

    def folder(self, case, name=None):
        """The model folder of a golden case, made once (or afresh under another name)."""
        target = self.path("models", name or case)
        if not os.path.exists(target):
            subprocess.run([self.args.golden, os.path.join(GOLDEN, "cases", case + ".json"), target], check=True)
        return target

    def bert(self, name, hidden=256, heads=4, inner=1024, layers=6, positions=256, labels=None, types=("F32",)):
        """A random BERT of any size; weights that matter beside the program's own memory."""
        target = self.path("models", name)
        if os.path.exists(target):
            return target
        vocabulary = e2e_vocabulary()
        config = {"architectures": ["BertForSequenceClassification" if labels else "BertModel"], "model_type": "bert", "vocab_size": vocabulary, "hidden_size": hidden,
                  "num_attention_heads": heads, "intermediate_size": inner, "num_hidden_layers": layers, "max_position_embeddings": positions, "type_vocab_size": 2,
                  "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0}
        if labels:
            config["id2label"] = {str(i): l for i, l in enumerate(labels)}
            config["label2id"] = {l: i for i, l in enumerate(labels)}
        prefix = "bert." if labels else ""
        tensors = [(prefix + tensor, *rest) for tensor, *rest in bert_tensors(hidden, layers, inner, vocabulary, positions)]
        for tensor, out in [(prefix + "pooler.dense", hidden)] + ([("classifier", len(labels))] if labels else []):
            tensors += [(tensor + ".weight", [out, hidden], 0, math.sqrt(3 / hidden)), (tensor + ".bias", [out], 0, 0.1)]
        rows = [[types[i % len(types)], offset, scale, tensor, shape] for i, (tensor, shape, offset, scale) in enumerate(tensors)]
        os.makedirs(self.path("cases"), exist_ok=True)
        if not os.path.exists(self.path("tokenizers")):
            os.symlink(os.path.join(GOLDEN, "tokenizers"), self.path("tokenizers"))
        path = self.path("cases", name + ".json")
        with open(path, "w") as f:
            json.dump({"tokenizer": "wordpiece", "files": {"config.json": config}, "weights": {"model.safetensors": rows}}, f)
        subprocess.run([self.args.golden, path, target], check=True)
        return target

    def jsonl(self, name, rows):
        path = self.path(name)
        with open(path, "w", encoding="utf-8", newline="\n") as f:
            for row in rows:
                if isinstance(row, str):
                    row = {"text": row}
                elif not isinstance(row, dict):
                    row = {"text": row[0], "text_pair": row[1]}
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
        return path

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def isas(self):
        """The instruction sets that this CPU has, as the program itself says."""
        text = self.run("--version").out.decode()
        return [i for i in ISAS if i == "reference" or re.search(r"\b%s\b" % i, text)]

    def finish(self):
        print("%d passed, %d failed" % (self.good, self.bad))
        self.holder.cleanup()
        sys.exit(1 if self.bad or not self.good else 0)


def complaint(run, codes, names=()):
    """'' if the run ended as a refusal should: exit code, nothing on stdout, one line `plimsoll: ...`
    that names `names`, then only hints; else what is wrong with it."""
    if run.late or run.signal:
        return run.trouble()
    text = run.err.decode("utf-8", "replace")
    if "Sanitizer" in text or "runtime error" in text:
        return "a sanitizer complained: " + run.last_line()
    if run.rc not in codes:
        return "exit %s instead of %s: %s" % (run.rc, codes, run.last_line())
    if run.out:
        return "something on stdout: %r" % run.out[:80]
    lines = text.rstrip("\n").split("\n")
    at = next((i for i, line in enumerate(lines) if line.startswith("plimsoll: ")), None)
    if at is None:
        return "no line `plimsoll: ...`: %r" % text[:200]
    if not all(line.startswith("  hint: ") for line in lines[at + 1:]):
        return "not a hint after the error: %r" % lines[at + 1][:100]
    if re.search(r"[\x00-\x1f\x7f]", "".join(lines)):
        return "control characters in the message: %r" % text[:200]
    for name in names:
        if name not in text:
            return "%r is not named: %s" % (name, lines[at][:250])
    return ""


def bert_tensors(hidden, layers, inner, vocabulary, positions, linear=lambda depth: math.sqrt(3 / depth), bias=0.1, gain=0.3, shift=0.2, word=0.08, place=0.05):
    """A BERT without head for the generator of golden folders: (name, shape, offset, scale) of each tensor."""
    def dense(name, out, depth):
        return [(name + ".weight", [out, depth], 0, linear(depth)), (name + ".bias", [out], 0, bias)]

    def norm(name):
        return [(name + ".weight", [hidden], 1, gain), (name + ".bias", [hidden], 0, shift)]
    tensors = [("embeddings.%s_embeddings.weight" % name, [count, hidden], 0, scale) for name, count, scale in (("word", vocabulary, word), ("position", positions, place), ("token_type", 2, place))]
    tensors += norm("embeddings.LayerNorm")
    for i in range(layers):
        p = "encoder.layer.%d." % i
        for k in ("query", "key", "value"):
            tensors += dense(p + "attention.self." + k, hidden, hidden)
        tensors += dense(p + "attention.output.dense", hidden, hidden) + norm(p + "attention.output.LayerNorm")
        tensors += dense(p + "intermediate.dense", inner, hidden) + dense(p + "output.dense", hidden, inner) + norm(p + "output.LayerNorm")
    return tensors


def resident(pid):
    """Bytes of a running process in memory; 0 when it is gone."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return next((int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS")), 0)
    except OSError:
        return 0


def e2e_vocabulary():
    with open(os.path.join(GOLDEN, "tokenizers", "wordpiece.json"), encoding="utf-8") as f:
        return len(json.load(f)["model"]["vocab"])


def case_names():
    return sorted(n[:-5] for n in os.listdir(os.path.join(GOLDEN, "cases")) if n.endswith(".json"))


def case(name):
    with open(os.path.join(GOLDEN, "cases", name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def inputs(name):
    with open(os.path.join(GOLDEN, "inputs.json"), encoding="utf-8") as f:
        return json.load(f)[name]


def npy(path):
    """A float32 .npy file as (shape, array)."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:6] != b"\x93NUMPY":
        raise ValueError("no .npy file")
    long = data[6] > 1
    n = struct.unpack("<I" if long else "<H", data[8:12 if long else 10])[0]
    start = (12 if long else 10) + n
    header = data[start - n:start].decode()
    if "'<f4'" not in header or "'fortran_order': False" not in header or start % 64:
        raise ValueError("header " + header)
    shape = tuple(int(x) for x in re.search(r"'shape': \(([^)]*)\)", header).group(1).split(",") if x.strip())
    values = array.array("f")
    values.frombytes(data[start:])
    if len(values) != math.prod(shape):
        raise ValueError("%d values for shape %s" % (len(values), shape))
    return shape, values


def words(count, seed=1, longest=30):
    """`count` different texts of a plain vocabulary, by a small counter generator."""
    stock = "the ship line sea heavy load storm harbour anchor people know way water long made part find most see first".split()
    out = []
    for i in range(count):
        x = (i + 1) * 0x9E3779B97F4A7C15 * seed & 0xFFFFFFFFFFFFFFFF
        text = [str(i)]
        for _ in range((x >> 40) % longest):
            x = (x * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
            text.append(stock[(x >> 33) % len(stock)])
        out.append(" ".join(text))
    return out
