#!/usr/bin/env python3
"""`plimsoll plan --for pytorch` against what PyTorch saves, on random jobs: family, shape, odd numbers of heads,
activation, attention, precision, dropout, checkpointing, labels, batch and length. Run by hand; needs what
make_pytorch.py needs.

    differ_pytorch.py build/plimsoll [COUNT [SEED]]

Prints jobs whose activations are off by more than 0.1 %; exit 1 if one is off by 2 % or if weights, gradients
or the optimizer's states are not exact."""
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings

import make_pytorch
import torch
import transformers

program = sys.argv[1]
count, seed = (int(x) for x in (sys.argv[2:] + ["100", "1"][len(sys.argv) - 2:])[:2])


def random_case(rng):
    heads, layers = rng.choice([1, 3, 5, 7, 12, 16]), rng.randint(1, 5)
    shape = (heads * rng.choice([4, 12, 20, 32, 64]), layers, heads, rng.randint(4, 1203))
    precision, dropout = rng.choice(["f32", "f32", "bf16", "f16"]), rng.choice([0.0, 0.1])
    return make_pytorch.case(rng.choice(["bert", "distilbert"]), shape, rng.choice(["eager", "sdpa"]), rng.randint(1, 9), rng.randint(2, 200),
                             act=rng.choice(make_pytorch.ACTS), precision=precision, dropout=dropout, checkpointing=rng.random() < 0.3,
                             labels=rng.choice([1, 2, 3, 9]), device="cpu" if precision == "f32" and not dropout else "cuda")


def planned(c, folder):
    argv = [program, "plan", folder, "--for", "pytorch", "--train", "--json", "--precision", c["precision"], "--attention", c["attention"], "--batch", c["batch"],
            "--max-length", c["length"], "--dropout", c["dropout"], "--device-memory", "80GiB"] + ["--checkpointing"] * c["checkpointing"]
    run = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr + str(c))
    return json.loads(run.stdout)["parts"]


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    rng, worst, wrong = random.Random(seed), 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "vocab.txt"), "w") as f:
            f.write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["w%d" % i for i in range(make_pytorch.VOCABULARY - 5)]) + "\n")
        for _ in range(count):
            c = random_case(rng)
            model = make_pytorch.model_of(c)
            model.save_pretrained(folder)
            parameters = sum(p.numel() for p in model.parameters())
            parts, saved = planned(c, folder), make_pytorch.measure(c)["activations"]
            off = abs(parts["activations"] / saved - 1)
            exact = [parts[k] for k in ("weights", "gradients", "optimizer")] == [4 * parameters, 4 * parameters, 8 * parameters]
            worst, wrong = max(worst, off), wrong + (off > 0.02 or not exact)
            if off > 0.001 or not exact:
                print("%.2f %%%s: %s" % (100 * off, "" if exact else ", parameters differ", c))
    print("%d jobs, activations within %.3f %%" % (count, 100 * worst))
    return wrong > 0


sys.exit(main())
