#!/usr/bin/env python3
"""Going on with less: what a job loses, and how fast memory is back. Not a test.

    bench/bend.py --model MODEL [--texts FILE] [--count 1500] [--limits 32MiB,16MiB,8MiB] [--precision f32,bf16] [--rounds 3]

For each precision and limit, interleaved: a job started with --memory LIMIT, and one started with
256 MiB and asked for LIMIT when it has just begun ("after": tokens a second beside the first); and one
asked in mid-run ("given back": the longest time from the answer of `plimsoll shrink` to resident memory
within LIMIT, read every 2 ms). The answers must be the same bytes."""
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

import common
import e2e

MIB = 2**20


def bent(argv, limit, wait):
    """Runs argv and asks for limit after `wait` seconds: seconds above the limit afterwards."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(wait)
    asked = subprocess.run([common.PLIMSOLL, "shrink", str(process.pid), str(limit)], stderr=subprocess.PIPE)
    begin, above = time.monotonic(), 0.0
    if asked.returncode:
        process.kill()
        raise SystemExit(asked.stderr.decode())
    while process.poll() is None:
        if e2e.resident(process.pid) > limit:
            above = time.monotonic() - begin
        time.sleep(0.002)
    if process.returncode:
        raise SystemExit("exit %d: %s" % (process.returncode, " ".join(argv)))
    return above


def main():
    a = common.arguments(__doc__, texts=None, count=1500, limits="32MiB,16MiB,8MiB", precision="f32,bf16").parse_args()
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "texts.jsonl")
        if a.texts:
            with open(a.texts, encoding="utf-8") as f, open(path, "w", encoding="utf-8") as out:
                out.writelines(itertools.islice(f, a.count))
        else:
            common.write_texts(path, common.corpus(a.count))
        print("%s, %d threads, %d texts, %d rounds" % (common.machine(), a.threads, a.count, a.rounds))
        rows = []
        for precision in a.precision.split(","):
            for limit in a.limits.split(","):
                rows.append(measure(a, work, path, precision, limit))
        common.table(["precision", "limit", "started with it tokens/s", "asked for it tokens/s", "after", "given back"], rows)


def measure(a, work, path, precision, limit):
    begun, after, back = [], [], 0.0
    size = int(limit.replace("MiB", "")) * MIB
    base = [common.PLIMSOLL, "embed", a.model, "-i", path, "--format", "npy", "--threads", str(a.threads), "--max-length", str(a.max_length),
            "--precision", precision, "--progress", "never", "--stats", os.path.join(work, "stats.json"), "-o"]
    first, second = os.path.join(work, "first.npy"), os.path.join(work, "second.npy")
    for _ in range(a.rounds):
        subprocess.run(base + [first, "--memory", limit], check=True, stdout=subprocess.DEVNULL)
        begun.append(speed(work))
        bent(base + [second, "--memory", "256MiB"], size, 0.15)
        after.append(speed(work))
        same(first, second)
        back = max(back, bent(base + [second, "--memory", "256MiB"], size, whole(work) / 3))
        same(first, second)
    return [precision, limit, "%.0f" % common.median(begun), "%.0f" % common.median(after), "%.2f" % common.ratio(after, begun), "%.2f s" % back]


def stats(work):
    with open(os.path.join(work, "stats.json")) as f:
        return json.load(f)


def speed(work):
    s = stats(work)
    return s["tokens"] / s["seconds"]


def whole(work):
    return stats(work)["wall_seconds"]


def same(first, second):
    with open(first, "rb") as f, open(second, "rb") as g:
        if f.read() != g.read():
            raise SystemExit("the bytes differ")


if __name__ == "__main__":
    sys.exit(main())
