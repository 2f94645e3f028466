"""The peers, in the peers' venv, each at its best settings; started by common.Peer.

peers.py KIND MODEL TEXTS THREADS MAX_LENGTH PRECISION WORK, KIND of loop, torch, ort, openvino.
Commands on standard input: run (embed all texts), latency N (the first text N times), save FILE.npy, quit.

loop      what a user writes: AutoModel, batches of 32 in file order, padded
torch     sorted by length, batches of a token budget, inference_mode, SDPA
ort       ONNX Runtime with its own fused operators, sorted, the fastest budget of three
openvino  its own conversion of the torch model, sorted, the fastest of hints and budgets"""
import json
import math
import os
import resource
import subprocess
import sys
import time

import numpy as np


def tokens_of(model, max_length):
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    t.no_padding()
    t.enable_truncation(max_length)
    return t


class Base:
    budgets = (2048,)
    variants = ((),)

    def __init__(self, model, texts, threads, max_length, precision, work):
        self.folder, self.threads, self.max_length, self.precision, self.work = model, threads, max_length, precision, work
        self.tokenizer = tokens_of(model, max_length)
        self.budget, self.variant = self.budgets[0], self.variants[0]

    def batches(self, texts):
        encoded = [e.ids for e in self.tokenizer.encode_batch(texts)]
        self.tokens = sum(map(len, encoded))
        order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
        while order:
            n = max(1, self.budget // len(encoded[order[0]]))
            part, order = order[:n], order[n:]
            longest = len(encoded[part[0]])
            ids, mask = np.zeros((len(part), longest), np.int64), np.zeros((len(part), longest), np.int64)
            for row, i in enumerate(part):
                ids[row, :len(encoded[i])] = encoded[i]
                mask[row, :len(encoded[i])] = 1
            yield part, ids, mask

    def embed(self, texts):
        out = None
        for part, ids, mask in self.batches(texts):
            y = self.forward(ids, mask)
            out = np.empty((len(texts), y.shape[1]), np.float32) if out is None else out
            out[part] = y
        return out

    def tune(self, texts):
        """Tries every variant and budget on a sample and keeps the fastest."""
        best = None
        for variant in self.variants:
            self.load(*variant)
            for budget in self.budgets:
                self.budget = budget
                self.embed(texts[:100])
                begin = time.perf_counter()
                self.embed(texts)
                took = time.perf_counter() - begin
                if best is None or took < best[0]:
                    best = (took, variant, budget)
        _, self.variant, self.budget = best
        self.load(*self.variant)


def mean(torch, hidden, mask):
    m = mask.unsqueeze(-1).to(torch.float32)
    return torch.nn.functional.normalize((hidden.to(torch.float32) * m).sum(1) / m.sum(1), dim=1)


class TorchBase(Base):
    def load(self):
        import torch
        from transformers import AutoModel
        torch.set_num_threads(self.threads)
        self.torch = torch
        self.model = AutoModel.from_pretrained(self.folder, dtype=torch.bfloat16 if self.precision == "bf16" else torch.float32).eval()

    def forward(self, ids, mask):
        torch = self.torch
        with torch.inference_mode():
            mask = torch.from_numpy(mask)
            return mean(torch, self.model(input_ids=torch.from_numpy(ids), attention_mask=mask).last_hidden_state, mask).numpy()


class Loop(TorchBase):
    def load(self):
        self.precision = "f32"
        super().load()
        from transformers import AutoTokenizer
        self.auto = AutoTokenizer.from_pretrained(self.folder)

    def embed(self, texts):
        torch, out, self.tokens = self.torch, [], 0
        for at in range(0, len(texts), 32):
            x = self.auto(texts[at:at + 32], padding=True, truncation=True, max_length=self.max_length, return_tensors="pt")
            with torch.no_grad():
                out.append(mean(torch, self.model(**x).last_hidden_state, x["attention_mask"]).numpy())
            self.tokens += int(x["attention_mask"].sum())
        return np.concatenate(out)


def onnx_graph(folder, path):
    """BERT with mean pooling and unit length, in ONNX Runtime's fused operators."""
    from onnx import TensorProto, helper, numpy_helper, save
    from safetensors.numpy import load_file
    with open(os.path.join(folder, "config.json")) as f:
        c = json.load(f)
    raw = load_file(os.path.join(folder, "model.safetensors"))
    w = {(k[5:] if k.startswith("bert.") else k): v.astype(np.float32) for k, v in raw.items()}
    nodes, constants = [], []

    def const(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(kind, inputs, output, domain="", **attributes):
        nodes.append(helper.make_node(kind, inputs, [output] if isinstance(output, str) else output, domain=domain, **attributes))
        return output if isinstance(output, str) else output[0]
    fused = "com.microsoft"
    word = const("word", w["embeddings.word_embeddings.weight"])
    place = const("place", w["embeddings.position_embeddings.weight"] + w["embeddings.token_type_embeddings.weight"][:1])
    norm = lambda name, out: [const(out + ".g", w[name + ".weight"]), const(out + ".b", w[name + ".bias"])]
    op("Shape", ["input_ids"], "length", start=1, end=2)
    const("zero", np.array([0], np.int64))
    op("Slice", [place, "zero", "length", "zero"], "places")
    op("Add", [op("Gather", [word, "input_ids"], "words"), "places"], "sum")
    x = op("LayerNormalization", ["sum", *norm("embeddings.LayerNorm", "e")], "x", axis=-1, epsilon=c["layer_norm_eps"])
    op("Cast", ["attention_mask"], "mask32", to=TensorProto.INT32)
    for n in range(c["num_hidden_layers"]):
        p, o = "encoder.layer.%d." % n, "l%d" % n
        qkv = [w[p + "attention.self.%s.weight" % k].T for k in ("query", "key", "value")]
        bias = [w[p + "attention.self.%s.bias" % k] for k in ("query", "key", "value")]
        a = op("Attention", [x, const(o + ".qkv", np.concatenate(qkv, 1)), const(o + ".qkvb", np.concatenate(bias)), "mask32"], o + ".a", fused, num_heads=c["num_attention_heads"])
        a = op("MatMul", [a, const(o + ".o", w[p + "attention.output.dense.weight"].T)], o + ".p")
        x = op("SkipLayerNormalization", [a, x, *norm(p + "attention.output.LayerNorm", o + ".n1"), const(o + ".ob", w[p + "attention.output.dense.bias"])], o + ".x1", fused, epsilon=c["layer_norm_eps"])
        h = op("BiasGelu", [op("MatMul", [x, const(o + ".i", w[p + "intermediate.dense.weight"].T)], o + ".h"), const(o + ".ib", w[p + "intermediate.dense.bias"])], o + ".g", fused)
        h = op("MatMul", [h, const(o + ".d", w[p + "output.dense.weight"].T)], o + ".d2")
        x = op("SkipLayerNormalization", [h, x, *norm(p + "output.LayerNorm", o + ".n2"), const(o + ".db", w[p + "output.dense.bias"])], o + ".x2", fused, epsilon=c["layer_norm_eps"])
    op("Unsqueeze", [op("Cast", ["attention_mask"], "maskf", to=TensorProto.FLOAT), const("one", np.array([1], np.int64))], "row")
    op("Squeeze", [op("MatMul", ["row", x], "pooled"), "one"], "flat")
    op("LpNormalization", ["flat"], "embedding", axis=1, p=2)
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"]) for n in ("input_ids", "attention_mask")]
    graph = helper.make_graph(nodes, "bert", inputs, [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", c["hidden_size"]])], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(fused, 1)], ir_version=8), path)


def openvino_graph(folder, path):
    """OpenVINO's own conversion of the torch model, with mean pooling and unit length."""
    import openvino
    import torch
    from transformers import AutoModel

    class Whole(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return mean(torch, self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state, attention_mask)
    model = Whole(AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval())
    example = {"input_ids": torch.ones(2, 8, dtype=torch.long), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    openvino.save_model(openvino.convert_model(model, example_input=example), path, compress_to_fp16=False)


def graph(maker, folder, work, name):
    """Made in a process of its own, so that the peer's peak is not that of the conversion."""
    path = os.path.join(work, name)
    if not os.path.exists(path):
        subprocess.run([sys.executable, "-B", __file__, maker, folder, path], check=True, stdout=sys.stderr)
    return path


class Ort(Base):
    budgets = (512, 1024, 2048)

    def load(self):
        import onnxruntime
        path = graph("onnx_graph", self.folder, self.work, "bert.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = None
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.precision = "f32"

    def forward(self, ids, mask):
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


class Openvino(Base):
    budgets = (256, 512, 1024)
    variants = (("LATENCY",), ("THROUGHPUT",))

    def load(self, hint):
        import openvino
        path = graph("openvino_graph", self.folder, self.work, "bert.xml")
        core = openvino.Core()
        self.queue = None
        compiled = core.compile_model(core.read_model(path), "CPU", {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": self.threads, "INFERENCE_PRECISION_HINT": self.precision})
        self.queue = openvino.AsyncInferQueue(compiled)

    def embed(self, texts):
        out = []

        def done(request, part):
            y = request.get_output_tensor(0).data
            if not out:
                out.append(np.empty((len(texts), y.shape[1]), np.float32))
            out[0][part] = y
        self.queue.set_callback(done)
        for part, ids, mask in self.batches(texts):
            self.queue.start_async([ids, mask], part)
        self.queue.wait_all()
        return out[0]


def main():
    if sys.argv[1] in ("onnx_graph", "openvino_graph"):
        globals()[sys.argv[1]](*sys.argv[2:])
        return
    kind, model, texts, threads, max_length, precision, work = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()
    with open(texts, encoding="utf-8") as f:
        rows = [json.loads(line)["text"] for line in f]
    peer = {"loop": Loop, "torch": TorchBase, "ort": Ort, "openvino": Openvino}[kind](model, rows, int(threads), int(max_length), precision, work)
    sample = rows[:: max(1, len(rows) // 300)]
    if len(peer.budgets) * len(peer.variants) > 1 and len(rows) > 1:
        peer.tune(sample)
    else:
        peer.load(*peer.variant)
    answer({"budget": peer.budget, "variant": peer.variant, "precision": peer.precision})
    last = None
    for line in sys.stdin:
        words = line.split()
        begin = time.perf_counter()
        if words[0] == "run":
            last = peer.embed(rows)
            answer({"seconds": time.perf_counter() - begin, "tokens": peer.tokens, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
        elif words[0] == "latency":
            times = []
            for _ in range(int(words[1])):
                begin = time.perf_counter()
                peer.embed(rows[:1])
                times.append(time.perf_counter() - begin)
            answer({"seconds": sorted(times)[len(times) // 2], "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
        elif words[0] == "save":
            np.save(line[5:].strip(), last)
            answer({"saved": math.prod(last.shape)})
        else:
            break


main()
