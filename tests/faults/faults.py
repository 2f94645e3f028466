#!/usr/bin/env python3
"""Every allocation, open, read, write, fsync, rename and thread start of a run fails once, one run a
call: the program ends with a named error (or does without and answers the same), never crashes, never
leaves a half-written FILE, and under AddressSanitizer never leaks. Reads and writes that are cut short
or interrupted change nothing. Nothing is allocated per text."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import e2e  # noqa: E402

KINDS = "malloc calloc realloc mmap open openat fopen read pread write pwrite fsync rename ftruncate fstat pthread_create".split()
MOST = 1 << 20  # runs a kind and job: each call; where that takes too long they are sampled evenly, the first ones all


def counts(test, argv):
    path = test.path("counts")
    run = test.run(*argv, env={"PLIMSOLL_FAULT_COUNTS": path})
    with open(path, "rb") as f:
        return run, dict(zip(KINDS, struct.unpack("<%dI" % len(KINDS), f.read())))


def chosen(n, most):
    if n <= most:
        return range(1, n + 1)
    first = most // 2
    return sorted({*range(1, first + 1), *(first + (i * (n - first)) // first for i in range(1, first + 1))})


def disturbed(test, name, argv, out, kind, number, how, truth):
    """One run; '' or what was wrong with it."""
    if os.path.exists(out):
        os.unlink(out)
    if os.path.exists(out + ".partial"):
        os.unlink(out + ".partial")
    run = test.run(*argv, env={"PLIMSOLL_FAULT": "%s:%d:%s" % (kind, number, how)}, timeout=20)
    result = open(out, "rb").read() if os.path.exists(out) else None
    if run.signal or run.late or b"Sanitizer" in run.err or b"runtime error" in run.err:
        return (run.trouble() if run.signal or run.late else "") + run.err.decode("utf-8", "replace")[-600:]
    if run.rc == 0:
        if result != truth:
            return "exit 0 and another answer"
        return ""
    if how in ("short", "eintr"):
        return "exit %d: %s" % (run.rc, run.last_line())
    if result is not None and result != truth:
        return "a half-written FILE under its final name"
    return e2e.complaint(run, (2, 3, 4, 5) if kind == "fstat" else (3, 4, 5))


def main():
    test = e2e.Test(__doc__)
    most = 16 if test.sanitized else MOST
    texts = e2e.words(12, longest=12) + ["the ship"] * 2
    source = test.jsonl("in.jsonl", texts)
    out = test.path("out.jsonl")
    npy = test.path("out.npy")
    jobs = [("classify", ["classify", test.folder("bert_cls3"), "-i", source, "-o", out, "--threads", "2"], out), ("npy", ["embed", test.folder("st_dense"), "-i", source, "--format", "npy", "-o", npy, "--threads", "1"], npy),
            ("plan", ["plan", test.folder("bert_vocab_txt"), "--json"], test.path("none"))]
    for name, argv, path in jobs:
        if not test.wants(name):
            continue
        run, calls = counts(test, argv)
        truth = open(path, "rb").read() if os.path.exists(path) else None
        test.check("%s: undisturbed" % name, not run.trouble(), run.trouble())
        test.check("%s: calls are seen" % name, calls["read"] + calls["pread"] > 0 and calls["mmap"] + calls["malloc"] > 0, calls)
        if test.args.v:
            print(name, calls)
        for kind in KINDS:
            hows = ["fail"] + (["short", "eintr"] if kind in ("read", "pread", "write", "pwrite") else []) + (["end"] if kind == "pread" else [])
            for how in hows:
                for number in chosen(calls[kind], most if how == "fail" else most // 3):
                    fault = disturbed(test, name, argv, path, kind, number, how, truth)
                    test.check("%s: %s %d of %d, %s" % (name, kind, number, calls[kind], how), not fault, fault)
    if test.wants("texts"):
        folder = test.folder("bert_cls3")
        few, many = test.jsonl("few.jsonl", e2e.words(20)), test.jsonl("many.jsonl", e2e.words(2000))
        a, b = (counts(test, ["classify", folder, "-i", f, "-o", out, "--memory", "64MiB"])[1] for f in (few, many))
        for kind in ("malloc", "calloc", "realloc", "mmap"):
            test.check("texts: as many calls of %s for 2,000 as for 20" % kind, a[kind] == b[kind], "%d and %d" % (a[kind], b[kind]))
    test.finish()


if __name__ == "__main__":
    main()
