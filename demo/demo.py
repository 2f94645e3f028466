"""demo.py PLIMSOLL MODEL CACHE: plan, embed inside 32 MiB, compare with an unlimited run, search.

Exit code 0 only if the plan was kept, the bytes were the same and the search answered."""
import array
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import textwrap
import time

from show import COLOR, WIDTH, bar, ink, mib, peak_of, step

LIMIT = "32MiB"
COUNT = 2000
FILES = "computers education fortunes law linux literature medicine miscellaneous news pets platitudes science sports wisdom work".split()
QUERIES = ["why do computer programs have so many bugs?", "getting older and wiser", "what makes a good teacher?"]
FOLDERS = ("/usr/share/games/fortunes", "/usr/share/fortune")

def texts():
    """Real texts: fortunes, cut at lines of a single %, evenly from all files."""
    folder = next((f for f in FOLDERS if os.path.isdir(f)), None)
    if not folder:
        sys.exit("demo: no fortunes on this machine (Debian: apt-get install fortunes fortunes-min)")
    found = []
    for name in FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as f:
                found += [" ".join(t.split()) for t in re.split(r"(?m)^%\n", f.read()) if t.strip()]
    found = list(dict.fromkeys(found))
    return found[::max(1, len(found) // COUNT)][:COUNT]


def embed(plimsoll, model, source, out, memory=None):
    """Runs the command with its own progress bar; returns its --stats and the peak as seen from outside."""
    stats = out + ".stats"
    argv = [plimsoll, "embed", model, "-i", source, "--format", "npy", "-o", out, "--stats", stats] + (["--memory", memory] if memory else [])
    process = subprocess.Popen(argv)
    seen = 0
    while process.poll() is None:
        seen = max(seen, peak_of(process.pid))
        time.sleep(0.005)
    if process.returncode:
        sys.exit("demo: plimsoll ended with exit code %d" % process.returncode)
    with open(stats) as f:
        return json.load(f), seen


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def vectors(path):
    with open(path, "rb") as f:
        data = f.read()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    width = int(re.search(rb"\((\d+), (\d+)\)", data[:start]).group(2))
    values = array.array("f")
    values.frombytes(data[start:])
    return [values[i:i + width] for i in range(0, len(values), width)]


def search(plimsoll, model, rows, texts):
    argv = [x for q in QUERIES for x in ("-t", q)]
    run = subprocess.run([plimsoll, "embed", model, *argv, "--memory", LIMIT, "-q"], stdout=subprocess.PIPE, check=True)
    answered = 0
    for query, line in zip(QUERIES, run.stdout.splitlines()):
        q = json.loads(line)["embedding"]
        ranked = sorted(((sum(a * b for a, b in zip(q, row)), i) for i, row in enumerate(rows)), reverse=True)
        print("   " + ink("1;33", query))
        for score, i in ranked[:2]:
            wrapped = textwrap.wrap(texts[i], WIDTH - 12)
            if len(wrapped) > 3:
                wrapped = wrapped[:3]
                wrapped[2] += " …"
            print("   " + ink("32", "%.2f" % score) + "  " + ("\n" + " " * 9).join(wrapped))
            answered += score > 0.3
        print()
    return answered >= len(QUERIES)


def parameters(model):
    with open(os.path.join(model, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    count = 0
    for name, tensor in header.items():
        if name != "__metadata__" and tensor["dtype"][0] in "FB":
            n = 1
            for d in tensor["shape"]:
                n *= d
            count += n
    return count


def main():
    plimsoll, model, cache = sys.argv[1:4]
    sys.stdout.reconfigure(line_buffering=True)
    begin = time.monotonic()
    rows = texts()
    source = os.path.join(cache, "fortunes.jsonl")
    with open(source, "w", encoding="utf-8") as f:
        for t in rows:
            f.write(json.dumps({"text": t}, ensure_ascii=False) + "\n")
    size = os.path.getsize(os.path.join(model, "model.safetensors"))
    print()
    print(ink("1", "   plimsoll") + ink("2", " · a transformer inside a memory limit"))
    print("   all-MiniLM-L6-v2: %.1f million parameters, %s of weights; %d fortunes to read; %s to do it in." % (
        parameters(model) / 1e6, mib(size), len(rows), ink("1", "32 MiB")))

    step(1, "The plan: every byte has a name before anything starts", "plimsoll plan MODEL --memory 32MiB")
    plan = subprocess.run([plimsoll, "plan", model, "--memory", LIMIT, "--color", "always" if COLOR else "never"], stdout=subprocess.PIPE)
    if plan.returncode:
        sys.exit("demo: there is no plan within " + LIMIT)
    for line in plan.stdout.decode().rstrip("\n").split("\n"):
        print("   " + line)

    step(2, "The run: %d texts inside it" % len(rows), "plimsoll embed MODEL -i fortunes.jsonl --format npy -o small.npy --memory 32MiB")
    small, large = os.path.join(cache, "small.npy"), os.path.join(cache, "large.npy")
    stats, seen = embed(plimsoll, model, source, small, LIMIT)
    limit, planned, measured = stats["limit_bytes"], stats["planned_peak_bytes"], max(stats["measured_peak_bytes"], seen)
    width = WIDTH - 34
    for name, n, color in (("limit", limit, "2"), ("planned", planned, "36"), ("measured", measured, "32" if measured <= limit else "31")):
        print("   %-9s %s %9s" % (name, ink(color, bar(n, limit, width)), mib(n)))
    print("   %d tokens in %.1f s: %d tokens a second" % (stats["tokens"], stats["seconds"], stats["tokens"] / max(1e-9, stats["seconds"])))

    step(3, "The same without a limit: other memory, the same bytes", "plimsoll embed MODEL -i fortunes.jsonl --format npy -o large.npy")
    free, _ = embed(plimsoll, model, source, large)
    a, b = digest(small), digest(large)
    print("   in %9s  sha256 %s" % (mib(measured), ink("33", a[:40])))
    print("   in %9s  sha256 %s  %s" % (mib(free["measured_peak_bytes"]), ink("33", b[:40]), ink("1;32", "identical") if a == b else ink("1;31", "DIFFERENT")))

    step(4, "A question: the nearest of the %d" % len(rows), "plimsoll embed MODEL -t QUESTION")
    answered = search(plimsoll, model, vectors(small), rows)
    good = measured <= limit and measured <= planned + (1 << 18) and a == b and answered
    print("   %s in %.0f s" % (ink("1;32", "All of it kept,") if good else ink("1;31", "Something was not kept,"), time.monotonic() - begin))
    print("   " + ink("2", "./dev demo train fine-tunes the same model inside 256 MiB"))
    print()
    sys.exit(0 if good else 1)


main()
