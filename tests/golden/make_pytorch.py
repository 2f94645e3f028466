#!/usr/bin/env python3
"""Writes ../pytorch/measured.json: the bytes that PyTorch itself holds in a training step of
transformers' models, for tests/pytorch to compare. Run by hand after a case is added; needs
torch 2.15.0 and transformers 5.23.0 (no GPU).

"device": "cpu" runs PyTorch's CPU operators, "cuda" its CUDA operators. Both run on fake tensors,
which have shapes and storages but no memory, so that any size is measured in a second and CUDA's own
choices (autocast's list, dropout's mask of a byte, attention kernels) are seen without a GPU. What
is no larger than REAL bytes is run on the CPU in earnest too, and must give the same.

"activations": distinct storages that saved-tensor hooks see in the forward pass, without
parameters, buffers and integer inputs; with checkpointing (where PyTorch's own hooks stand before
them) and always as a check: storages alive when it ends, but for the loss.
"peak": most bytes alive at one time, forward or backward, beside parameters and their gradients,
which stand from an earlier micro-batch (device cpu only: CUDA's backward needs a driver).
"""
import json
import os
import sys

import torch
import torch.nn.functional
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import BertConfig, BertForSequenceClassification, DistilBertConfig, DistilBertForSequenceClassification

HERE = os.path.dirname(os.path.abspath(__file__))
VOCABULARY, REAL = 1000, 40e6
DTYPES = {"f32": None, "bf16": torch.bfloat16, "f16": torch.float16}
ACTS = """linear gelu gelu_python gelu_10 gelu_new gelu_pytorch_tanh gelu_python_tanh gelu_accurate gelu_fast quick_gelu relu relu2
relu6 leaky_relu silu swish mish laplace sigmoid tanh""".split()
SMALL, ODD, ONE_HEAD, MINILM = (24, 1, 3, 40), (60, 2, 5, 90), (64, 2, 1, 48), (384, 6, 12, 1536)
BASE, LARGE, DISTIL = (768, 12, 12, 3072), (1024, 24, 16, 4096), (768, 6, 12, 3072)


def case(family, shape, attention, batch, length, act="gelu", precision="f32", dropout=0.0, checkpointing=False, labels=2, device="cpu"):
    return dict(family=family, shape=list(shape), act=act, labels=labels, attention=attention, batch=batch, length=length,
                precision=precision, dropout=dropout, checkpointing=checkpointing, device=device)


def cases():
    for family in ("bert", "distilbert"):
        for attention in ("eager", "sdpa"):
            for shape, sizes in ((SMALL, [(1, 7), (2, 7), (5, 1)]), (ODD, [(1, 33), (3, 64)]), (ONE_HEAD, [(2, 17)]), (MINILM, [(4, 128), (1, 512), (32, 64)])):
                for batch, length in sizes:
                    yield case(family, shape, attention, batch, length, labels=2 if batch != 3 else 7)
            large = BASE if family == "bert" else DISTIL
            yield case(family, large, attention, 4, 128)
            yield case(family, large, attention, 16, 384)
            for checkpointing in (False, True):
                for precision in ("f32", "bf16", "f16"):
                    for dropout in (0.0, 0.1):
                        if precision == "f32" and not dropout and not checkpointing:
                            continue
                        device = "cpu" if precision == "f32" and not dropout else "cuda"
                        for shape, batch, length in ((SMALL, 3, 32), (MINILM, 8, 128)):
                            yield case(family, shape, attention, batch, length, precision=precision, dropout=dropout, checkpointing=checkpointing, device=device)
    yield case("bert", LARGE, "eager", 4, 128)
    yield case("bert", LARGE, "sdpa", 2, 512)
    for act in ACTS:
        yield case("bert", SMALL, "eager", 2, 7, act=act)
        yield case("distilbert", SMALL, "sdpa", 2, 32, act=act, precision="bf16", device="cuda", checkpointing=act == "relu")


def model_of(c):
    hidden, layers, heads, inner = c["shape"]
    p = c["dropout"]
    if c["family"] == "bert":
        config = BertConfig(vocab_size=VOCABULARY, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
                            hidden_act=c["act"], hidden_dropout_prob=p, attention_probs_dropout_prob=p, num_labels=c["labels"])
        cls = BertForSequenceClassification
    else:
        config = DistilBertConfig(vocab_size=VOCABULARY, dim=hidden, n_layers=layers, n_heads=heads, hidden_dim=inner, activation=c["act"],
                                  dropout=p, attention_dropout=p, seq_classif_dropout=p, num_labels=c["labels"])
        cls = DistilBertForSequenceClassification
    config._attn_implementation = c["attention"]
    model = cls(config).train()
    if c["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def cuda_attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """The kernels that PyTorch picks on a GPU (without one it would write attention out)."""
    assert attn_mask is None
    if q.dtype == torch.float32:
        return torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True, dropout_p, is_causal, scale=scale)[0]
    return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, dropout_p, is_causal, False, scale=scale)[0]


class Alive(TorchDispatchMode):
    """Follows every storage that an operator makes until it is gone."""

    def __init__(self, known):
        super().__init__()
        self.known, self.alive, self.bytes, self.peak = known, {}, 0, 0

    def look(self):
        for key in [key for key, (ref, _) in self.alive.items() if ref.expired()]:
            self.bytes -= self.alive.pop(key)[1]
        return self.bytes

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.look()
        out = operator(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor) and t.dtype not in (torch.int64, torch.uint64):
                storage = t.untyped_storage()
                if storage._cdata not in self.alive and storage._cdata not in self.known:
                    self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
                    self.bytes += storage.nbytes()
        self.peak = max(self.peak, self.bytes)
        return out


def step(c):
    """(saved by the hooks, alive when forward ended, most alive or None)"""
    device, dtype = c["device"], DTYPES[c["precision"]]
    with torch.device(device):
        model = model_of(c)
        ids, labels = torch.zeros((c["batch"], c["length"]), dtype=torch.long), torch.zeros((c["batch"],), dtype=torch.long)
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
    known = {t.untyped_storage()._cdata for t in [*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters()), ids, labels]}
    seen = {}

    def save(t):
        storage = t.untyped_storage()
        if storage._cdata not in known and t.dtype not in (torch.int64, torch.uint64):
            seen[storage._cdata] = (storage.nbytes(), t)  # t stays: a freed storage's address may come back
        return t

    usual = torch.nn.functional.scaled_dot_product_attention
    if device == "cuda":
        torch.nn.functional.scaled_dot_product_attention = cuda_attention
    alive = Alive(known)
    try:
        with alive:
            if dtype:
                torch.set_autocast_enabled(device, True)
                torch.set_autocast_dtype(device, dtype)
                torch.autocast_increment_nesting()
            with torch.autograd.graph.saved_tensors_hooks(save, lambda t: t):
                loss = model(input_ids=ids, labels=labels).loss
            if dtype:
                torch.autocast_decrement_nesting()
                torch.set_autocast_enabled(device, False)
                torch.clear_autocast_cache()
            saved = sum(n for n, _ in seen.values())
            seen.clear()
            ended = alive.look() - loss.untyped_storage().nbytes()
            if device == "cuda":
                return saved, ended, None
            loss.backward()
    finally:
        torch.nn.functional.scaled_dot_product_attention = usual
    return saved, ended, alive.peak


def measure(c):
    with FakeTensorMode(allow_non_fake_inputs=True):
        saved, ended, peak = step(c)
    if not c["checkpointing"] and abs(saved - ended) > 16:
        sys.exit(f"{c}: the hooks saw {saved} bytes, {ended} are alive")
    if c["device"] == "cpu" and peak < REAL and step(c)[0] != saved:
        sys.exit(f"{c}: fake tensors say {saved}, real ones {step(c)[0]}")
    c["activations"] = ended if c["checkpointing"] else saved
    if peak:
        c["peak"] = peak
    return c


def main():
    torch.set_num_threads(1)
    rows = [json.dumps(measure(c)) for c in cases()]
    with open(os.path.join(HERE, "..", "pytorch", "measured.json"), "w") as f:
        f.write("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
