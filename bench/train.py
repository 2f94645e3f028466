"""A fine-tuning step beside torch: the same texts in the same order, interleaved rounds, medians of ratios of a round.

plimsoll is a whole process each round, with N + 1 steps and with one: the difference of the seconds of
--stats is counted, so that the first step, in which memory is touched, is in neither's; torch stays loaded. MiniLM learns film reviews, padded to the longest of a batch in torch;
bert-base (random weights) texts of --max-length each. --limits SIZE,.. adds runs of plimsoll inside those limits."""
import csv
import os
import shutil
import tempfile

import common as c
from folders import bert_folder


def long_texts(path, count, length):
    """Texts that are cut at the maximal length: fortunes, one behind the other."""
    found, words = [], []
    for text in c.corpus(1 << 30):
        words += text.split()
        if len(words) > length:
            found.append(" ".join(words))
            words = []
        if len(found) == count:
            break
    if len(found) < count:
        raise SystemExit("train: the fortunes give %d texts of %d words, %d are needed" % (len(found), length, count))
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["text", "label"])
        out.writerows((t, "even" if i % 2 == 0 else "odd") for i, t in enumerate(found))
    return path


def ours(o, work, model, data, steps, memory):
    """Seconds, peak and tokens of `steps` warm steps."""
    one, all_ = (once(o, work, model, data, n, memory) for n in (1, steps + 1))
    return {"seconds": all_["seconds"] - one["seconds"], "tokens": all_["tokens"] - one["tokens"], "peak": all_["peak"], "others": max(one["others"], all_["others"])}


def once(o, work, model, data, steps, memory):
    out = os.path.join(work, "out")
    shutil.rmtree(out, ignore_errors=True)
    return c.plimsoll(work, "train", model, "--data", data, "-o", out, "--max-steps", steps, "--batch", o.batch, "--max-length", o.max_length, "--precision", o.precision,
                      "--threads", o.threads, "--shuffle", "none", *(["--memory", memory] if memory else []))


def peer(o, work, model, data):
    argv = [o.python, "-B", os.path.join(c.HERE, "torch_train.py"), model, data, str(o.threads), str(o.max_length), o.precision, str(o.batch)]
    return c.Peer.of("torch", argv, o.threads)


def compare(o, work, name, model, data, steps):
    torch = None if o.no_torch else peer(o, work, model, data)
    limits = [None, *filter(None, o.limits.split(","))]
    names, seconds, peaks, others, tokens = limits + ([torch] if torch else []), {}, {}, [], 0
    if torch:
        torch.ask("run 1")
    for number in range(o.rounds):
        turn = number % len(names)
        for who in names[turn:] + names[:turn]:
            r = torch.ask("run %d" % steps) if who is torch and torch else ours(o, work, model, data, steps, who)
            seconds.setdefault(who, []).append(r["seconds"] / steps)
            peaks[who] = max(peaks.get(who, 0), r["peak"])
            others.append(r["others"])
            if who is None:
                tokens = r["tokens"] / steps
    if torch:
        torch.close()
    rows = []
    for who in names:
        label = "torch" if who is torch and torch else "plimsoll" if who is None else "plimsoll in " + who
        rows.append([label, "%.3f" % c.median(seconds[who]), "%.0f" % (tokens / c.median(seconds[who])), "%.2f" % c.ratio(seconds[torch], seconds[who]) if torch else "-",
                     "%.2f" % c.ratio(seconds[None], seconds[who]), c.mib(peaks[who])])
    print("%s: %d steps of %d texts, %.0f tokens a step, %s, %d threads, %d rounds" % (name, steps, o.batch, tokens, o.precision, o.threads, o.rounds))
    c.table(["system", "s a step", "tokens/s", "x torch", "of unlimited", "peak MiB"], rows)
    print("others used %.2f CPUs" % (sum(others) / len(others)))


def main():
    parser = c.arguments(__doc__, precision="f32", python="python3", data="", batch=32, steps=12, limits="", which="minilm,bert-base")
    parser.set_defaults(max_length=128, rounds=3)
    parser.add_argument("--no-torch", action="store_true")
    o = parser.parse_args()
    print(c.machine())
    with tempfile.TemporaryDirectory() as work:
        for which in o.which.split(","):
            if which == "minilm":
                compare(o, work, "MiniLM, film reviews", o.model, o.data, o.steps)
            else:
                steps = max(2, o.steps // 4)
                data = long_texts(os.path.join(work, "long.csv"), (steps + 1) * o.batch, o.max_length)
                compare(o, work, "%s, full length" % which, bert_folder(which, o.model), data, steps)


main()
