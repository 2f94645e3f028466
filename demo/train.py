"""train.py PLIMSOLL MODEL CACHE: fine-tunes the model on film reviews inside 256 MiB, then asks the new folder.

Exit code 0 only if the limit was kept, held-out accuracy rose as it should, `classify` counts the same, and the new
folder is right about sentences that are in no file."""
import csv
import json
import os
import shutil
import subprocess
import sys
import time

from show import COLOR, WIDTH, bar, ink, mib, peak_of, step

LIMIT = "256MiB"
BATCH, RATE = 32, "1e-4"
RECIPE = ["--batch", str(BATCH), "--lr", RATE, "--epochs", "1", "--max-length", "128", "--memory", LIMIT]
GAIN, ENOUGH = 0.2, 0.8  # of accuracy: at least gained, at least reached
SENTENCES = [
    ("A warm, funny and beautifully acted film.", "positive"),
    ("Two hours of my life that I will never get back.", "negative"),
    ("The plot is a mess and the jokes fall flat.", "negative"),
    ("I laughed, I cried, and I want to see it again.", "positive"),
    ("Not bad at all, it grows on you.", "positive"),
    ("It could have been so much better.", "negative"),
]


def rows(path):
    with open(path, newline="", encoding="utf-8") as f:
        return sum(1 for _ in csv.reader(f)) - 1


def run(argv, stats):
    """The command with its own progress bar on the terminal; its lines, its --stats and the peak seen from outside."""
    process = subprocess.Popen(argv + ["--stats", stats], stdout=subprocess.PIPE)
    os.set_blocking(process.stdout.fileno(), False)
    seen, text = 0, b""
    while process.poll() is None:
        seen = max(seen, peak_of(process.pid))
        text += process.stdout.read() or b""
        time.sleep(0.02)
    text += process.stdout.read() or b""
    if process.returncode:
        sys.exit("demo: plimsoll ended with exit code %d" % process.returncode)
    with open(stats) as f:
        return [json.loads(line) for line in text.splitlines()], json.load(f), seen


def curve(losses, width, height):
    """The loss as columns of eighths, the first on the left."""
    blocks = " ▁▂▃▄▅▆▇█"
    per = max(1, len(losses) / width)
    points = [sum(losses[int(i * per):int((i + 1) * per)]) / len(losses[int(i * per):int((i + 1) * per)]) for i in range(min(width, len(losses)))]
    low, high = min(points) * 0.9, max(points)
    for line in range(height, 0, -1):
        mark = "%.2f" % (high if line == height else low + (high - low) * (line - 1) / height) if line in (height, 1) else ""
        columns = [int(max(0, min(8, round(8 * ((p - low) / (high - low) * height - (line - 1)))))) for p in points]
        print("   %5s  %s" % (mark, ink("36", "".join(blocks[c] for c in columns))))


def classify(plimsoll, folder, *more):
    return subprocess.run([plimsoll, "classify", folder, "--memory", LIMIT, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)


def ask(plimsoll, folder):
    argv = [x for s, _ in SENTENCES for x in ("-t", s)]
    right = 0
    for (sentence, expected), line in zip(SENTENCES, classify(plimsoll, folder, *argv, "-q").stdout.splitlines()):
        answer = json.loads(line)
        good = answer["label"] == expected
        right += good
        print("   %s  %.2f  %s%s" % (ink("1;32" if answer["label"] == "positive" else "1;31", "%-8s" % answer["label"]), answer["score"], sentence, "" if good else ink("2", "   (we would say %s)" % expected)))
    return right


def show_accuracy(name, value):
    print("   %-28s %s %6.1f %%" % (name, ink("32" if value > 0.7 else "33", bar(value, 1, WIDTH - 44)), 100 * value))


def main():
    plimsoll, model, cache = sys.argv[1:4]
    sys.stdout.reconfigure(line_buffering=True)
    begin = time.monotonic()
    train, test = (os.path.join(cache, "reviews", n) for n in ("train.csv", "test.csv"))
    out, stats = os.path.join(cache, "reviews-model"), os.path.join(cache, "train.stats")
    for path in (out, out + ".partial", out + ".before", out + ".before.partial"):
        shutil.rmtree(path, ignore_errors=True)
    data = ["--data", train, "--eval", test]
    print()
    print(ink("1", "   plimsoll") + ink("2", " · fine-tuning inside a memory limit"))
    print("   all-MiniLM-L6-v2 learns whether a film review is positive: %d sentences to learn from, %d held out, %s to do it in." % (rows(train), rows(test), ink("1", "256 MiB")))

    step(1, "The plan: weights, gradients, moments and activations, before anything starts", "plimsoll plan MODEL --train --data train.csv --memory 256MiB ...")
    plan = subprocess.run([plimsoll, "plan", model, "--train", *data, *RECIPE, "--color", "always" if COLOR else "never"], stdout=subprocess.PIPE)
    if plan.returncode:
        sys.exit("demo: there is no plan within " + LIMIT)
    for line in plan.stdout.decode().rstrip("\n").split("\n"):
        print("   " + line)

    step(2, "Before: the same model with a new head, which has learned nothing", "plimsoll train MODEL --lr 0 --max-steps 1 ...")
    lines, _, _ = run([plimsoll, "train", model, *data, *RECIPE, "--lr", "0", "--max-steps", "1", "-o", out + ".before"], stats)
    before = lines[-1]["eval_accuracy"]
    show_accuracy("accuracy on held-out texts", before)

    step(3, "Training: one epoch", "plimsoll train MODEL --data train.csv --eval test.csv -o OUT " + " ".join(RECIPE))
    lines, s, seen = run([plimsoll, "train", model, *data, *RECIPE, "--log-every", "4", "-o", out], stats)
    losses = [x["loss"] for x in lines if "loss" in x]
    after = lines[-1]["eval_accuracy"]
    print("   the loss of each step:")
    curve(losses, WIDTH - 14, 4)
    print()
    limit, planned, measured = s["limit_bytes"], s["planned_peak_bytes"], max(s["measured_peak_bytes"], seen)
    for name, n, color in (("limit", limit, "2"), ("planned", planned, "36"), ("measured", measured, "32" if measured <= limit else "31")):
        print("   %-9s %s %9s" % (name, ink(color, bar(n, limit, WIDTH - 34)), mib(n)))
    print("   %d tokens in %.0f s: %d tokens a second" % (s["tokens"], s["seconds"], s["tokens"] / max(1e-9, s["seconds"])))

    step(4, "After: what it has learned", "plimsoll classify OUT -i test.csv --label-column label")
    told = classify(plimsoll, out, "-i", test, "--label-column", "label", "--max-length", "128", "-q", "--stats", stats)
    with open(stats) as f:
        counted = json.load(f)["metrics"]["accuracy"]
    del told
    show_accuracy("before", before)
    show_accuracy("after", after)
    show_accuracy("as classify counts it", counted)

    step(5, "Sentences that are in no file", "plimsoll classify OUT -t SENTENCE")
    right = ask(plimsoll, out)
    good = measured <= limit and measured <= planned + (1 << 18) and after >= max(ENOUGH, before + GAIN) and abs(after - counted) < 1e-6 and right >= len(SENTENCES) - 1
    print()
    print("   %s in %.0f s; the new folder is %s" % (ink("1;32", "All of it kept,") if good else ink("1;31", "Something was not kept,"), time.monotonic() - begin, out))
    print()
    sys.exit(0 if good else 1)


main()
