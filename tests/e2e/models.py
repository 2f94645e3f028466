#!/usr/bin/env python3
"""Every golden case: token ids equal; f32 within 5e-5 of the largest number (telling erf-GELU from the
tanh form); bf16 cosine above 0.999, or as near as torch's own bf16 where that is itself below; labels
and scores that fit the logits."""
import math

import e2e

F32_BAR, BF16_BAR = 5e-5, 0.999


def cosine(a, b, centre):
    if centre:
        means = [sum(c) / len(b) for c in zip(*b)]
        a = [[x - m for x, m in zip(row, means)] for row in a]
        b = [[x - m for x, m in zip(row, means)] for row in b]
        a, b = [[x for row in a for x in row]], [[x for row in b for x in row]]
    dot = lambda x, y: math.fsum(p * q for p, q in zip(x, y))
    return min(dot(x, y) / max(1e-300, math.sqrt(dot(x, x) * dot(y, y))) for x, y in zip(a, b))


def scores_fit(case, rows, values):
    """'' if label, score and labels follow from the logits that the program itself gave."""
    labels = case["labels"]
    for i, (row, z) in enumerate(zip(rows, values)):
        if case["problem"] == "regression":
            if row.get("score") != z[0] or "label" in row:
                return "line %d: score %s is not the logit" % (i + 1, row.get("score"))
        elif case["problem"] == "multi_label_classification":
            got = {d["label"]: d["score"] for d in row["labels"]}
            if set(got) != set(labels) or any(abs(got[l] - 1 / (1 + math.exp(-x))) > 2e-6 for l, x in zip(labels, z)):
                return "line %d: scores are not the sigmoid of the logits" % (i + 1)
        else:
            top = max(z)
            p = [math.exp(x - top) for x in z]
            k = z.index(top)
            if row["label"] != labels[k] or abs(row["score"] - p[k] / sum(p)) > 2e-6:
                return "line %d: %s %s" % (i + 1, row["label"], row["score"])
    return ""


def one(test, name):
    case = e2e.case(name)
    folder = test.folder(name)
    inputs = {"text": e2e.inputs(case["inputs"]), "pair": e2e.inputs("pairs")}
    key = "embedding" if case["task"] == "embed" else "logits"
    for kind in ("text", "pair"):
        if kind not in case:
            continue
        source = test.jsonl("in.jsonl", inputs[kind])
        run = test.run("tokenize", folder, "-i", source)
        fault = run.trouble()
        if not fault:
            ids = [row["ids"] for row in run.rows()]
            wrong = [i for i, (a, b) in enumerate(zip(ids, case[kind]["ids"])) if a != b]
            if len(ids) != len(case[kind]["ids"]) or wrong:
                fault = "%d lines for %d, differing at %s" % (len(ids), len(case[kind]["ids"]), wrong[:5])
        test.check("%s: %s ids" % (name, kind), not fault, fault)
        expected = case[kind]["values"]
        scale = max(abs(x) for row in expected for x in row)
        for precision in ("f32", "bf16"):
            verb = ["embed", folder] if key == "embedding" else ["classify", folder, "--logits"]
            run = test.run(*verb, "-i", source, "--precision", precision, "--threads", "2")
            fault = run.trouble()
            if fault:
                test.check("%s: %s %s" % (name, kind, precision), False, fault)
                continue
            rows = run.rows()
            values = [row[key] for row in rows]
            if len(values) != len(expected) or any(len(a) != len(b) or None in a for a, b in zip(values, expected)):
                fault = "%d lines for %d, or of another width" % (len(values), len(expected))
            elif key == "logits":
                fault = scores_fit(case, rows, values)
            if not fault and precision == "f32":
                off = [max(abs(x - y) for x, y in zip(a, b)) / scale for a, b in zip(values, expected)]
                if not max(off) <= F32_BAR:
                    fault = "%.1e of scale at line %d" % (max(off), off.index(max(off)) + 1)
            elif not fault:
                got = cosine(values, expected, key == "logits")
                bar = min(BF16_BAR, 1 - 2 * (1 - case[kind]["bf16_cosine"]))
                if not got > bar:
                    fault = "cosine %.6f, bar %.6f" % (got, bar)
            test.check("%s: %s %s" % (name, kind, precision), not fault, fault)


def main():
    test = e2e.Test(__doc__)
    for name in e2e.case_names():
        if test.wants(name):
            one(test, name)
    test.finish()


main()
