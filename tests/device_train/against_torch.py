#!/usr/bin/env python3
"""Training kernels against PyTorch's gradients in float64.

    against_torch.py TRAIN_MAIN [ISA...]

TRAIN_MAIN is tests/device_train/train_main of the build (ninja train_main). Prints the largest error
of every result, relative to its largest value, and exits 1 where one is above 1e-5. Not part of the
test suite: it needs torch and numpy."""
import subprocess
import sys

import numpy as np
import torch

LIMIT = 1e-5
rng = np.random.default_rng(1)
worst = 0.0


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def run(isa, arguments, inputs, shapes):
    data = b"".join(np.ascontiguousarray(i, np.float32).tobytes() for i in inputs)
    out = subprocess.run([sys.argv[1], isa] + [str(a) for a in arguments], input=data, stdout=subprocess.PIPE, check=True).stdout
    flat, results, at = np.frombuffer(out, np.float32), [], 0
    for shape in shapes:
        n = int(np.prod(shape))
        results.append(flat[at:at + n].reshape(shape).astype(np.float64))
        at += n
    assert at == len(flat)
    return results


def check(isa, what, names, got, want):
    global worst
    errors = []
    for name, g, w in zip(names, got, want):
        w = w.detach().numpy() if isinstance(w, torch.Tensor) else w
        error = np.abs(g - w).max() / max(np.abs(w).max(), 1e-30)
        worst = max(worst, error)
        errors.append(f"{name} {error:.1e}")
    print(f"{isa:10} {what:44} {'  '.join(errors)}", flush=True)


def leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


# ---- random bits, from the paper's description ----
def mix(z):
    mask = (1 << 64) - 1
    z = (z + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
    return z ^ z >> 31


def words(key, site, columns):
    columns = np.asarray(columns, np.uint64)
    low = np.uint64(0xFFFFFFFF)
    c = [columns // np.uint64(4) & low, np.full_like(columns, site), np.zeros_like(columns), np.zeros_like(columns)]
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(q >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), q & low, (p >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.choose((columns % np.uint64(4)).astype(int), c)


def attention(isa, lengths, heads, width, p):
    hidden, rows, scale = heads * width, sum(lengths), width ** -0.5
    q, k, v, dout = (f32(rows, hidden) for _ in range(4))
    threshold, drop_scale = ("none", 1.0) if p is None else (round(p * 2 ** 32), 1 / (1 - p))
    got = run(isa, ["attention", len(lengths), heads, width, repr(scale), 11, threshold, repr(drop_scale)] + lengths, [q, k, v, dout], [(rows, hidden)] * 4)
    q, k, v = leaf(q), leaf(k), leaf(v)
    outs, at = [], 0
    for text, n in enumerate(lengths):
        part = [x[at:at + n].reshape(n, heads, width).transpose(0, 1) for x in (q, k, v)]
        prob = torch.softmax(part[0] @ part[1].transpose(1, 2) * float(np.float32(scale)), dim=-1)
        if p is not None:
            kept = np.empty((heads, n, n))
            for i in range(n):
                key = mix(mix(mix(mix(7) ^ 5) ^ text) ^ i)
                for h in range(heads):
                    kept[h, i] = words(key, 11, (h << 20) + np.arange(n)) >= threshold
            prob = prob * torch.tensor(kept) * float(np.float32(drop_scale))
        outs.append((prob @ part[2]).transpose(0, 1).reshape(n, hidden))
        at += n
    out = torch.cat(outs)
    out.backward(torch.tensor(dout, dtype=torch.float64))
    check(isa, f"attention of {lengths}, {heads} x {width}, p {p}", ["out", "dq", "dk", "dv"], got, [out, q.grad, k.grad, v.grad])


def norm(isa, rows, width):
    x, residual, gain, shift, dy = f32(rows, width), f32(rows, width), f32(width), f32(width), f32(rows, width)
    got = run(isa, ["norm", rows, width, 1e-12], [x, residual, gain, shift, dy], [(rows, width), (rows, width), (width,), (width,)])
    x, residual, gain, shift = leaf(x), leaf(residual), leaf(gain), leaf(shift)
    y = torch.nn.functional.layer_norm(x + residual, (width,), gain, shift, 1e-12)
    y.backward(torch.tensor(dy, dtype=torch.float64))
    check(isa, f"norm of {rows} x {width}", ["y", "dx", "dgain", "dshift"], got, [y, x.grad, gain.grad, shift.grad])


def activations(isa):
    F = torch.nn.functional
    c = (2 / np.pi) ** 0.5
    known = {
        "linear": lambda x: x * 1, "gelu": F.gelu, "gelu_10": lambda x: torch.clip(F.gelu(x), -10, 10), "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
        "gelu_fast": lambda x: 0.5 * x * (1 + torch.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x))), "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
        "relu": F.relu, "relu2": lambda x: F.relu(x) ** 2, "relu6": F.relu6, "leaky_relu": F.leaky_relu, "silu": F.silu, "mish": F.mish,
        "laplace": lambda x: 0.5 * (1 + torch.erf((x - 0.707107) / (0.282095 * 2 ** 0.5))), "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    assert abs(c - 0.7978845608) < 1e-9
    for name, function in known.items():
        n = 20000
        x, dy = f32(n) * np.float32(4), f32(n)
        got = run(isa, ["activation", name, n], [x, dy], [(n,), (n,)])
        x = leaf(x)
        y = function(x)
        y.backward(torch.tensor(dy, dtype=torch.float64))
        check(isa, name, ["y", "dx"], got, [y, x.grad])


def adamw(isa, n, steps):
    w, gradients = f32(n), [f32(n) * np.float32(0.01) for _ in range(steps)]
    lr, b1, b2, eps, decay, clip = 3e-3, 0.9, 0.999, 1e-8, 0.1, 0.5
    got = run(isa, ["adamw", n, steps, lr, b1, b2, eps, decay, clip], [w] + gradients, [(n,)] * 3)
    parameter = torch.nn.Parameter(torch.tensor(w, dtype=torch.float64))
    optimizer = torch.optim.AdamW([parameter], lr=lr, betas=(b1, b2), eps=eps, weight_decay=decay)
    for g in gradients:
        parameter.grad = torch.tensor(g, dtype=torch.float64) * clip
        optimizer.step()
    state = optimizer.state[parameter]
    check(isa, f"adamw, {steps} steps", ["w", "m", "v"], got, [parameter, state["exp_avg"], state["exp_avg_sq"]])


def product(isa, rows, columns, depth):
    a, b = f32(depth, rows), f32(depth, columns)
    got = run(isa, ["product", rows, columns, depth], [a, b], [(rows, columns)])
    check(isa, f"product {rows} x {columns} over {depth}", ["c"], got, [a.astype(np.float64).T @ b.astype(np.float64)])


def main():
    torch.set_num_threads(1)
    for isa in sys.argv[2:] or ["reference", "avx2", "avx512"]:
        for p in (None, 0.1, 0.5):
            attention(isa, [7, 1, 30], 3, 32, p)
            attention(isa, [130], 2, 64, p)
            attention(isa, [19, 5], 2, 13, p)
        norm(isa, 40, 384)
        norm(isa, 3, 50)
        activations(isa)
        adamw(isa, 1000, 12)
        product(isa, 70, 50, 300)
        x = np.exp(f32(10000) * 20)
        check(isa, "log", ["log x"], run(isa, ["log", len(x)], [x], [(len(x),)]), [np.log(x.astype(np.float64))])
    print(f"worst {worst:.1e}")
    return 1 if worst > LIMIT else 0


sys.exit(main())
