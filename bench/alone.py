"""plimsoll alone: alone.py memory | linear | plan | large --model FOLDER

memory  speed and peak from the floor up, as shares of the speed without a limit
linear  ten times the texts: time a token and peak
plan    seconds of planning, MiniLM and bert-large
large   bert-large with random weights in 64 MiB against no limit; --cold drops the page cache before, --container does it in a control group of 64 MiB"""
import json
import os
import subprocess
import sys
import tempfile

import common as c
from folders import bert_folder


def embed(o, work, texts, memory=None, wrap=()):
    out = os.path.join(work, "out.npy")
    return c.plimsoll(work, "embed", o.model, "-i", texts, "--format", "npy", "-o", out, "--max-length", o.max_length, "--precision", o.precision, "--threads", o.threads,
                      *(["--memory", memory] if memory else []), wrap=wrap)


def plan_of(o, *more):
    run = subprocess.run([c.PLIMSOLL, "plan", o.model, "--json", "--max-length", str(o.max_length), "--precision", o.precision, "--threads", str(o.threads), *more], stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def shares(o, work, texts, limits):
    """Interleaved rounds of no limit and each limit."""
    seconds, peaks, others = {}, {}, []
    for number in range(o.rounds + 1):
        for limit in [None, *limits]:
            r = embed(o, work, texts, limit)
            if number:
                seconds.setdefault(limit, []).append(r["seconds"])
                others.append(r["others"])
            peaks[limit] = max(peaks.get(limit, 0), r["peak"])
    rows = [["none" if limit is None else c.mib(limit), c.mib(peaks[limit]), "%.0f" % (r["tokens"] / c.median(s)), "%.2f" % c.ratio(seconds[None], s)] for limit, s in seconds.items()]
    c.table(["limit MiB", "peak MiB", "tokens/s", "speed of unlimited"], rows)
    print("others used %.2f CPUs" % (sum(others) / len(others)))


def memory(o, work):
    texts = c.write_texts(os.path.join(work, "texts.jsonl"), c.corpus(o.n))
    floor = plan_of(o)["floor_bytes"]
    print("floor with %d tokens: %s MiB" % (o.max_length, c.mib(floor)))
    shares(o, work, texts, [floor, *(m << 20 for m in (16, 20, 24, 32, 40, 64) if m << 20 > floor)])


def linear(o, work):
    corpus = c.corpus(10 * o.n // 4)
    few, many = c.write_texts(os.path.join(work, "few.jsonl"), corpus[::10]), c.write_texts(os.path.join(work, "many.jsonl"), corpus)
    rates, peaks = {}, {}
    for number in range(o.rounds + 1):
        for name, texts in (("few", few), ("many", many)):
            r = embed(o, work, texts, 40 << 20)
            if number:
                rates.setdefault(name, []).append(r["seconds"] / r["tokens"])
            peaks[name] = max(peaks.get(name, 0), r["peak"])
    print("ten times the texts: %.3f times as long a token; peak %s and %s MiB" % (c.ratio(rates["many"], rates["few"]), c.mib(peaks["few"]), c.mib(peaks["many"])))


def plan(o, work):
    for name in ("MiniLM", "bert-large"):
        if name == "bert-large":
            o.model = bert_folder("bert-large", o.model)
        times = []
        for _ in range(10):
            report = os.path.join(work, "report")
            subprocess.run([c.MEASURE, report, "60", c.PLIMSOLL, "plan", o.model, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with open(report) as f:
                times.append(float(f.read().split()[3]))
        print("plan %s: %.1f ms (median of 10, whole process)" % (name, 1e3 * c.median(times)))


def forgotten(o, work, source, limit=None, wrap=()):
    """With no weights in the page cache."""
    fd = os.open(os.path.join(o.model, "model.safetensors"), os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    return embed(o, work, source, limit, wrap)


def large(o, work):
    o.model = bert_folder("bert-large", o.model)
    corpus, tokens, texts = c.corpus(4000), 0, []
    for t in corpus:  # some 6,000 token rows
        texts.append(t)
        tokens += len(t) // 5 + 2
        if tokens > 6200:
            break
    source = c.write_texts(os.path.join(work, "texts.jsonl"), texts)
    if o.cold or o.container:
        free = forgotten(o, work, source)
        if o.container:
            with c.container(64 << 20) as wrap:
                small = forgotten(o, work, source, wrap=wrap)
        else:
            small = forgotten(o, work, source, 64 << 20)
        print("cold: no limit %.1f s, %s of 64 MiB %.1f s (%.2f of its speed), %d tokens, peak %s MiB" % (
            free["wall"], "a container" if o.container else "a limit", small["wall"], free["wall"] / small["wall"], small["tokens"], c.mib(small["peak"])))
        return
    o.rounds = min(o.rounds, 3)
    shares(o, work, source, [64 << 20])


def main():
    jobs = {"memory": memory, "linear": linear, "plan": plan, "large": large}
    if len(sys.argv) < 2 or sys.argv[1] not in jobs:
        sys.exit(__doc__)
    job = jobs[sys.argv.pop(1)]
    parser = c.arguments(__doc__, n=2000, precision="f32")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--container", action="store_true")
    o = parser.parse_args()
    print(c.machine())
    with tempfile.TemporaryDirectory() as work:
        job(o, work)


main()
