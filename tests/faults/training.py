#!/usr/bin/env python3
"""A training that memory is taken away from, and one whose system calls fail.

bends   `plimsoll shrink` in mid-run: within the size in a second, the bytes of an undisturbed run, told by -v and --stats
taken   (not under a sanitizer, whose own memory is in no plan) the machine has less from now on (as /proc/meminfo says): it goes on with less of itself, to the same bytes
failing every allocation, open, read, write, fsync, rename and thread start fails once: a named error, no half-written OUT,
        the last checkpoint good: --resume goes on to the bytes of an undisturbed run"""
import json
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import e2e  # noqa: E402
from faults import KINDS, chosen, counts  # noqa: E402

MOST = 24  # runs a kind; more calls than that are sampled evenly, the first ones all
RECIPE = ["--batch", "4", "--lr", "1e-3", "--max-length", "24", "--threads", "2", "--weight-decay", "0.01", "--progress", "never"]


def data(test, name, count):
    dice = random.Random(count)
    path = test.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write("text,label\n")
        f.writelines("%s,%s\n" % (" ".join(dice.choice("the cat sat on a mat and saw two dogs".split()) for _ in range(dice.randint(1, 20))), dice.choice(["no", "yes"])) for _ in range(count))
    return path


def weights(out):
    path = os.path.join(out, "model.safetensors")
    return open(path, "rb").read() if os.path.exists(path) else None


def clear(*folders):
    for f in folders:
        for path in (f, f + ".partial"):
            shutil.rmtree(path, ignore_errors=True)


# ---- memory taken away ----

def start(test, argv, **env):
    return subprocess.Popen([test.args.plimsoll, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(test.environment, **env))


def job(test, name):
    folder = test.bert("training", hidden=128, heads=4, inner=512, layers=4, positions=64, labels=["no", "yes"])
    train = data(test, "bend.csv", 400)
    out, stats = test.path(name), test.path(name + ".stats")
    argv = ["train", folder, "--data", train, "--eval", data(test, "bend-eval.csv", 20), "-o", out, "--max-steps", "200" if test.sanitized else "800", *RECIPE, "--batch", "8", "--stats", stats, "-v"]
    return argv, out, stats


def undisturbed(test):
    """Weights and lines of a run left in peace."""
    if not os.path.exists(test.path("truth")):
        run = test.run(*job(test, "truth")[0], timeout=300)
        test.check("undisturbed", not run.trouble(), run.trouble())
        with open(test.path("lines"), "wb") as f:
            f.write(run.out)
    with open(test.path("lines"), "rb") as f:
        return weights(test.path("truth")), f.read()


def bends(test):
    truth, lines = undisturbed(test)
    argv = job(test, "bent")[0]
    plan = json.loads(test.run("plan", argv[1], "--train", "--json", *argv[2:4], *RECIPE, "--batch", "8").out)
    floor, peak = plan["floor_bytes"], plan["peak_bytes"]
    test.check("there is something to give back", peak > floor + (4 << 20), "%d and %d" % (floor, peak))
    dice = random.Random(7)
    argv, out, stats = job(test, "bent")
    job_ = start(test, argv + ["--memory", str(peak)])
    worst, codes, asked, size, due = 0.0, [], 0, peak, time.monotonic() + 0.3
    while job_.poll() is None:
        now = time.monotonic()
        if now >= due and len(codes) < 12:
            size = dice.choice([floor, floor + (1 << 20), (floor + peak) // 2, 0])
            ask = test.run("shrink", job_.pid, size)
            if job_.poll() is not None:
                break
            codes.append(ask.rc)
            asked, size, due = time.monotonic(), size or peak, time.monotonic() + dice.uniform(0.1, 0.5)
        if asked and e2e.resident(job_.pid) > size + (256 << 10):
            worst = max(worst, time.monotonic() - asked)
        time.sleep(0.005)
    stdout, err = job_.communicate()
    test.check("bends: ends well", job_.returncode == 0, err.decode()[-300:])
    test.check("bends: requests are taken", codes and set(codes) == {0}, codes)
    if not test.sanitized:
        test.check("bends: within the size in a second", worst <= 1, "%.2f s" % worst)
    test.check("bends: the same bytes, the same lines", weights(out) == truth and stdout == lines)
    s = json.load(open(stats))
    test.check("bends: --stats and -v tell it", s["bends"] > 0 and b"memory: going on within" in err, s)
    if not test.sanitized:
        test.check("bends: never above what it began with", s["measured_peak_bytes"] <= peak + (256 << 10), "%d over %d" % (s["measured_peak_bytes"], peak))
    job_ = start(test, job(test, "low")[0])
    time.sleep(0.5)
    ask = test.run("shrink", job_.pid, floor // 2)
    test.check("below the floor: refused with exit 4", ask.rc == 4 and b"it needs" in ask.err, ask.err)
    job_.kill()
    job_.communicate()


def taken(test):
    truth, _ = undisturbed(test)
    with open("/proc/meminfo") as f:
        real = f.read().split("\n")
    left = test.path("meminfo")

    def leave(size):  # in place: the job keeps the file open
        text = "\n".join("MemAvailable: %15d kB" % (size >> 10) if line.startswith("MemAvailable") else line for line in real)
        with open(left, "r+" if os.path.exists(left) else "w") as f:
            f.write(text)
    leave(8 << 30)
    argv, out, stats = job(test, "squeezed")
    job_ = start(test, argv + ["--memory", "256MiB"], PLIMSOLL_FAULT_MEMINFO=left)
    deadline = time.monotonic() + 20
    while e2e.resident(job_.pid) < 12 << 20 and job_.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    before = e2e.resident(job_.pid)
    for size in (1 << 20, 0):
        leave(size)
        time.sleep(0.6)
    after = e2e.resident(job_.pid)
    _, err = job_.communicate()
    s = json.load(open(stats)) if job_.returncode == 0 else {}
    test.check("taken: ends well", job_.returncode == 0, err.decode()[-300:])
    test.check("taken: it goes on with less", s.get("bends", 0) > 0 and s["final_limit_bytes"] < s["limit_bytes"] and after < before, "%s; %d, then %d" % (s, before, after))
    test.check("taken: the same bytes", weights(out) == truth)


# ---- system calls that fail ----

def disturbed(test, argv, out, fault, truth, refused):
    """One run and, where it ends with an error, its --resume; '' or what was wrong."""
    kind, _, how = fault.split(":")
    clear(out)
    run = test.run(*argv, env={"PLIMSOLL_FAULT": fault}, timeout=60)
    if run.signal or run.late or b"Sanitizer" in run.err or b"runtime error" in run.err:
        return (run.trouble() if run.signal or run.late else "") + run.err.decode("utf-8", "replace")[-600:]
    if run.rc == 0:
        return "" if weights(out) == truth else "exit 0 and other weights"
    if how in ("short", "eintr"):
        return "exit %d: %s" % (run.rc, run.last_line())
    if os.path.exists(out):
        return "" if weights(out) == truth and run.rc == 5 else "OUT stands there after exit %d" % run.rc
    run.out = b""  # lines of the steps until then
    refused[0] += 1
    fault = e2e.complaint(run, (2, 3, 4, 5) if kind in ("fstat", "openat", "open") else (3, 4, 5))
    if fault:
        return fault
    again = test.run(*argv, "--resume", timeout=60)
    if again.trouble():
        return "resuming: " + again.trouble()
    return "" if weights(out) == truth else "resumed to other weights"


def failing(test):
    folder = test.folder("bert_cls3")
    out, spill = test.path("out"), test.path("spill")
    os.makedirs(spill, exist_ok=True)
    plain = ["train", folder, "--data", data(test, "few.csv", 12), "--eval", data(test, "few-eval.csv", 4), "-o", out, "--epochs", "2", "--save-every", "2", "--keep", "2", "--spill", spill, "--best", *RECIPE]
    plan = json.loads(test.run("plan", folder, "--train", "--json", "--data", plain[3], *RECIPE).out)
    spilled = plain + ["--memory", str(plan["floor_bytes"] + 65536)]
    for name, argv in (("in memory", plain), ("at the floor", spilled)):
        clear(out)
        run, calls = counts(test, argv)
        test.check("%s: undisturbed" % name, not run.trouble(), run.trouble())
        truth, most, refused = weights(out), MOST // 2 if test.sanitized or name != "in memory" else MOST, [0]
        for kind in KINDS:
            if name != "in memory" and kind not in ("pread", "pwrite", "open", "mmap"):
                continue
            hows = ["fail"] + (["short", "eintr"] if kind in ("read", "pread", "write", "pwrite") else []) + (["end"] if kind == "pread" else [])
            for how in hows:
                for number in chosen(calls[kind], most if how == "fail" else most // 3):
                    fault = disturbed(test, argv, out, "%s:%d:%s" % (kind, number, how), truth, refused)
                    test.check("%s: %s %d of %d, %s" % (name, kind, number, calls[kind], how), not fault, fault)
        test.check("%s: calls that fail are felt" % name, refused[0] >= 20, refused[0])
    test.check("the spill folder is left empty", not os.listdir(spill), os.listdir(spill))


def main():
    test = e2e.Test(__doc__)
    for part in (bends, taken, failing):
        if test.wants(part.__name__):
            part(test)
    test.finish()


if __name__ == "__main__":
    main()
