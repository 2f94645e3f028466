#!/usr/bin/env python3
"""The limit never changes the answer: the same bytes over limits from floor to plenty, threads, order
of the texts, texts alone or among others, resident or streamed weights, a saved plan, and (f32)
every instruction set that the CPU has. bf16: the same bytes on one instruction set."""
import json
import os
import random

import e2e


class Job:
    """One verb on one folder and its texts; `truth` is what an undisturbed run printed per text."""

    def __init__(self, test, name, folder, verb, texts, precision="f32"):
        self.test, self.name, self.folder, self.verb, self.texts, self.precision = test, name, folder, verb, texts, precision
        run = self.run(texts)
        self.truth = dict(zip(map(str, texts), run.out.split(b"\n"))) if not run.trouble() else None
        test.check("%s: undisturbed run" % name, self.truth is not None, run.trouble())
        plan = test.run("plan", folder, "--json", "--precision", precision)
        self.floor = json.loads(plan.out)["floor_bytes"] if not plan.trouble() else 64 * e2e.MIB

    def run(self, texts, *flags, env=None):
        extra = ["--logits"] if self.verb == "classify" else []
        source = self.test.jsonl(self.name + ".jsonl", texts)
        return self.test.run(self.verb, self.folder, "-i", source, "--precision", self.precision, *extra, *flags, env=env, timeout=120)

    def same(self, what, texts, *flags, env=None):
        run = self.run(texts, *flags, env=env)
        fault = run.trouble()
        if not fault and self.truth is not None:
            lines = run.out.split(b"\n")[:-1]
            wanted = [self.truth[str(t)] for t in texts]
            wrong = [i for i, (a, b) in enumerate(zip(lines, wanted)) if a != b]
            if len(lines) != len(wanted) or wrong:
                fault = "%d lines for %d, %d differ, first %s" % (len(lines), len(wanted), len(wrong), wrong[:3])
        return self.test.check("%s: %s" % (self.name, what), not fault, fault)


def matrix(test, job, quick):
    texts = job.texts
    shuffled = texts[:]
    random.Random(1).shuffle(shuffled)
    factors = (1.0, 1.6) if quick else (1.0, 1.05, 1.3, 2.0, 5.0)
    for factor in factors:
        limit = ["--memory", str(int(job.floor * factor))]
        for threads in (1, 2, 3):
            # The floor of more threads is a little higher; the factor is of the default's.
            plan = test.run("plan", job.folder, "--json", "--precision", job.precision, "--threads", threads, *limit)
            floor = json.loads(plan.out)["floor_bytes"] if plan.out else job.floor
            flags = ["--memory", str(max(floor, int(job.floor * factor))), "--threads", threads]
            job.same("limit x %.2f, %d threads" % (factor, threads), texts, *flags)
        job.same("shuffled, limit x %.2f" % factor, shuffled, *limit)
    for threads in (1, 2, 3):
        job.same("%d threads" % threads, texts, "--threads", threads)
    job.same("backwards", texts[::-1])
    job.same("some of the texts", texts[5:12])
    for text in (texts[0], texts[3], texts[-1]):
        job.same("one text alone", [text])
    job.same("each text twice", [t for t in texts[:10] for _ in range(2)])
    job.same("each text three times, in turn", texts[:10] * 3, "--memory", str(int(job.floor * 1.1)))
    saved = test.path("saved-plan.json")
    plan = test.run("plan", job.folder, "--json", "--precision", job.precision, "--memory", str(int(job.floor * 1.5)), "--threads", "2")
    test.write("saved-plan.json", plan.out)
    job.same("a saved plan", texts, "--plan", saved, "--memory", str(int(job.floor * 1.5)), "--threads", "2")


def main():
    test = e2e.Test(__doc__)
    quick = test.sanitized
    mixed = e2e.inputs("main")[:-1] + e2e.words(20 if quick else 60)
    mixed = list(dict.fromkeys(mixed))
    pairs = [list(p) for p in e2e.inputs("pairs")] + [[a, b] for a, b in zip(e2e.words(20), e2e.words(20, 7))]
    big = test.bert("big", layers=2 if quick else 6)
    jobs = [("small embed", test.folder("bert_prefix"), "embed", mixed, "f32"), ("odd sizes", test.folder("bert_odd"), "embed", mixed, "f32"),
            ("pairs", test.folder("bert_cls3"), "classify", pairs, "f32"), ("distilbert", test.folder("distilbert_cls2"), "classify", mixed, "f32"),
            ("dense", test.folder("st_dense_two"), "embed", mixed[:20], "f32"), ("big", big, "embed", mixed, "f32"), ("big bf16", big, "embed", mixed, "bf16")]
    for name, folder, verb, texts, precision in jobs:
        if not test.wants(name):
            continue
        job = Job(test, name, folder, verb, texts, precision)
        matrix(test, job, quick)
        if precision == "f32":
            for isa in test.isas():
                env = {"PLIMSOLL_ISA": isa}
                some = texts if isa != "reference" else texts[:20]
                job.same("PLIMSOLL_ISA=%s" % isa, some, env=env)
                job.same("PLIMSOLL_ISA=%s at the floor" % isa, some, "--memory", str(int(job.floor * 1.1)), env=env)
    if test.wants("streamed"):
        knobs = []
        for memory in ("floor", None):
            plan = test.run("plan", big, "--json", *(["--memory", "1MiB"] if memory else []))
            floor = json.loads(plan.out)["floor_bytes"]
            plan = test.run("plan", big, "--json", *(["--memory", str(floor)] if memory else []))
            knobs.append(json.dumps(json.loads(plan.out)["knobs"], sort_keys=True))
        test.check("streamed and resident weights were both run", knobs[0] != knobs[1], knobs[0])
    os.environ.pop("PLIMSOLL_ISA", None)
    test.finish()


main()
