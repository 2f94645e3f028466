"""What is learned, beside torch: the same hyperparameters, three seeds each, accuracy on held-out film reviews.

The two draw other random numbers, so runs of one seed differ too: the question is whether the means differ by more than
one standard error of their difference, of seeds and of held-out texts (binomial). Exit code 1 if ours is worse by more."""
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import common as c


def ours(o, work, seed, test):
    out = os.path.join(work, "out")
    shutil.rmtree(out, ignore_errors=True)
    run = subprocess.run([c.PLIMSOLL, "train", o.model, "--data", o.data, "--eval", test, "-o", out, "--batch", str(o.batch), "--max-length", str(o.max_length), "--epochs",
                          str(o.epochs), "--lr", str(o.lr), "--seed", str(seed), "--threads", str(o.threads), "--progress", "never"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode:
        raise SystemExit("quality: plimsoll train: " + run.stderr.decode("utf-8", "replace"))
    evaluations = [json.loads(line) for line in run.stdout.splitlines() if b"eval_accuracy" in line]
    return evaluations[-1]["eval_accuracy"]


def main():
    parser = c.arguments(__doc__, python="python3", data="", batch=32, epochs=1.0, lr=1e-4, seeds="1,2,3")
    parser.set_defaults(max_length=128)
    o = parser.parse_args()
    test = os.path.join(os.path.dirname(o.data), "test.csv")
    print(c.machine())
    argv = [o.python, "-B", os.path.join(c.HERE, "torch_train.py"), o.model, o.data, str(o.threads), str(o.max_length), "f32", str(o.batch)]
    torch, seen = c.Peer.of("torch", argv, o.threads), {"plimsoll": [], "torch": []}
    with tempfile.TemporaryDirectory() as work:
        for seed in o.seeds.split(","):
            seen["plimsoll"].append(ours(o, work, seed, test))
            seen["torch"].append(torch.ask("learn %s %r %r %s" % (seed, o.lr, o.epochs, test))["accuracy"])
            print("seed %s: plimsoll %.4f, torch %.4f" % (seed, seen["plimsoll"][-1], seen["torch"][-1]), flush=True)
    torch.close()
    with open(test, encoding="utf-8") as f:
        texts = sum(1 for _ in f) - 1
    mean = {k: statistics.mean(v) for k, v in seen.items()}
    of_seeds = math.sqrt(sum(statistics.variance(v) / len(v) for v in seen.values()) if len(seen["torch"]) > 1 else 0)
    of_texts = math.sqrt(mean["torch"] * (1 - mean["torch"]) / texts)
    error = math.hypot(of_seeds, of_texts)
    difference = mean["plimsoll"] - mean["torch"]
    print("%d held-out texts, %g epochs, batch %d, lr %g" % (texts, o.epochs, o.batch, o.lr))
    print("plimsoll %.4f, torch %.4f: difference %+.4f, standard error %.4f (seeds %.4f, texts %.4f)" % (mean["plimsoll"], mean["torch"], difference, error, of_seeds, of_texts))
    sys.exit(0 if difference >= -error else 1)


main()
