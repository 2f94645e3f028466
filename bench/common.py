"""What the benchmarks share: texts, measured runs of plimsoll, peers, medians, tables. Standard library only."""
import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PLIMSOLL = os.path.join(ROOT, "build", "plimsoll")
MEASURE = os.path.join(ROOT, "build", "tests", "e2e", "measure")
GOLDEN = os.path.join(ROOT, "build", "tests", "golden", "golden_make")
FORTUNES = "/usr/share/games/fortunes"
sys.path.append(os.path.join(ROOT, "tests", "e2e"))  # e2e.py: what tests and benchmarks share


def arguments(doc, **more):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-length", type=int, default=256)
    for name, value in more.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value) if value is not None else str, default=value)
    return parser


def corpus(count):
    """English texts of mixed length: the first `count` of all fortunes, file by file."""
    found = []
    for name in sorted(os.listdir(FORTUNES)):
        path = os.path.join(FORTUNES, name)
        if "." in name or os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
            found += [t.strip("\n") for t in re.split(r"(?m)^%[ \t\r]*\n", f.read()) if t.strip()]
        if len(found) >= count:
            break
    return found[:count]


def write_texts(path, texts):
    with open(path, "w", encoding="utf-8") as f:
        for t in texts:
            f.write(json.dumps({"text": t}, ensure_ascii=False) + "\n")
    return path


class Busy:
    """How many CPUs other programs used between begin and end."""

    def __init__(self):
        self.at, self.begin = self.read(), time.monotonic()

    @staticmethod
    def read():
        with open("/proc/stat") as f:
            t = [int(x) for x in f.readline().split()[1:9]]
        return (sum(t) - t[3] - t[4]) / os.sysconf("SC_CLK_TCK")

    def others(self, own):
        wall = time.monotonic() - self.begin
        return max(0.0, (self.read() - self.at - own) / wall) if wall > 0.02 else 0.0


def plimsoll(work, *argv, wrap=()):
    """One run: {"seconds" of --stats, "wall", "cpu", "peak", "tokens", "stats", "others"}."""
    stats, report = os.path.join(work, "stats.json"), os.path.join(work, "report")
    for path in (stats, report):
        if os.path.exists(path):
            os.unlink(path)
    busy = Busy()
    run = subprocess.run([*wrap, MEASURE, report, "3600", PLIMSOLL, *map(str, argv), "--stats", stats, "--progress", "never"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with open(report) as f:
        status, _, peak, wall, cpu = f.read().split()
    if status != "0":
        raise RuntimeError("plimsoll %s: %s" % (" ".join(map(str, argv)), run.stderr.decode("utf-8", "replace")[-500:]))
    with open(stats) as f:
        s = json.load(f)
    return {"seconds": s["seconds"], "wall": float(wall), "cpu": float(cpu), "peak": int(peak) * 1024, "tokens": s["tokens"], "stats": s, "others": busy.others(float(cpu))}


@contextlib.contextmanager
def container(limit):
    """A memory control group of so many bytes, page cache included: gives what runs a command in it. Needs root."""
    root = "/sys/fs/cgroup/memory" if os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes") else "/sys/fs/cgroup"
    folder = os.path.join(root, "plimsoll-bench-%d" % os.getpid())
    try:
        os.mkdir(folder)
        try:
            with open(os.path.join(folder, "memory.max" if root == "/sys/fs/cgroup" else "memory.limit_in_bytes"), "w") as f:
                f.write(str(limit))
            yield ("sh", "-c", 'echo $$ > %s/cgroup.procs; exec "$@"' % folder, "sh")
        finally:
            os.rmdir(folder)
    except OSError as e:
        raise SystemExit("no memory control group can be made: %s" % e)


class Peer:
    """A peer in a process of its own: loads once, answers a command a line with a line of JSON."""

    def __init__(self, python, kind, model, texts, threads, max_length, precision, work, verbose=False):
        argv = [python, "-B", os.path.join(HERE, "peers.py"), kind, model, texts, str(threads), str(max_length), precision, work]
        self.begin(kind, argv, threads, verbose)

    @classmethod
    def of(cls, kind, argv, threads, verbose=False):
        """A peer of another program than peers.py."""
        peer = cls.__new__(cls)
        peer.begin(kind, argv, threads, verbose)
        return peer

    def begin(self, kind, argv, threads, verbose):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="true",
                   TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1", PYTHONWARNINGS="ignore")
        self.log = tempfile.TemporaryFile()
        self.kind = kind
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if verbose else self.log, text=True, env=env)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError("%s ended: %s" % (self.kind, self.log.read().decode("utf-8", "replace")[-800:]))
        return json.loads(line)

    def cpu(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            t = f.read().rsplit(")", 1)[1].split()
        return (int(t[11]) + int(t[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, command):
        busy, before = Busy(), self.cpu()
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        r = self.answer()
        r["others"] = busy.others(self.cpu() - before)
        return r

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def median(values):
    return statistics.median(values) if values else float("nan")


def ratio(theirs, ours):
    """Median over rounds of theirs/ours: both of the same round, so the machine's noise cancels."""
    return median([a / b for a, b in zip(theirs, ours)])


def table(head, rows):
    rows = [[str(c) for c in row] for row in [head] + rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for n, row in enumerate(rows):
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())
        if n == 0:
            print("  ".join("-" * w for w in widths))
    sys.stdout.flush()


def mib(n):
    return "%.1f" % (n / 2**20)


def machine():
    with open("/proc/cpuinfo") as f:
        text = f.read()
    name = re.search(r"model name\s*: (.*)", text)
    flags = [w for w in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if re.search(r"\b%s\b" % w, text)]
    return "%s (%s)" % (name.group(1) if name else "?", " ".join(flags))
