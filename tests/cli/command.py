#!/usr/bin/env python3
"""The command as a process, over the double of the library (double.c): files, pipes, signals, exit codes.

command.py PROGRAM [PART ...]   Standard library only."""
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = os.path.abspath(sys.argv[1])
EMBED = "task=embed,width=3"
CLASSIFY = "task=classify,labels=a+b+c"
parts, faults, checks = {}, [], 0
here = None


def part(f):
    parts[f.__name__] = f
    return f


def fine(what, condition, detail=""):
    global checks
    checks += 1
    if not condition:
        faults.append(what)
        print(f"FAIL {what}: {str(detail)[:400]}", flush=True)
    return bool(condition)


def equal(what, got, want):
    return fine(what, got == want, f"{got!r} instead of {want!r}")


class Run:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}, {self.out[:200]!r}, {self.err[-300:]!r}"


def start(*argv, **kw):
    for name, default in (("stdin", subprocess.DEVNULL), ("stdout", subprocess.PIPE), ("stderr", subprocess.PIPE)):
        kw.setdefault(name, default)
    return subprocess.Popen([PROGRAM, *argv], start_new_session=True, **kw)


def end(p, timeout=20, data=None):
    try:
        out, err = p.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        return Run("late", out or b"", err or b"")
    return Run(p.returncode, out or b"", err or b"")


def go(*argv, data=None, timeout=20, **kw):
    if data is not None:
        kw["stdin"] = subprocess.PIPE
    return end(start(*argv, **kw), timeout, data)


def path(*names):
    return os.path.join(here, *names)


def put(name, content):
    with open(path(name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path(name)


def get(name):
    try:
        with open(path(name), "rb") as f:
            return f.read()
    except OSError:
        return None


def refused(what, run, code, *needs):
    """A clean refusal: its code, nothing on stdout, "plimsoll: ..." first, then only hints."""
    lines = run.err.decode("utf-8", "strict").split("\n")
    at = max((i for i, line in enumerate(lines) if line.startswith("plimsoll: ")), default=None)
    clean = at is not None and lines[-1] == "" and all(x.startswith("  hint: ") for x in lines[at + 1:-1])
    clean = clean and not re.search(r"[\x00-\x1f\x7f]", "".join(lines[at:]))
    fine(what, run.code == code and run.out == b"" and clean and all(n in run.err for n in needs), run)


def texts(count):
    return "".join(f"text number {i}\n" for i in range(count))


def until(condition, seconds=10):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.002)
    return False


def line_of(p, seconds=5):
    got, limit = b"", time.monotonic() + seconds
    while not got.endswith(b"\n"):
        if not select.select([p.stdout], [], [], max(0, limit - time.monotonic()))[0]:
            break
        byte = os.read(p.stdout.fileno(), 1)
        if not byte:
            break
        got += byte
    return got


def on_terminal(*argv, **variables):
    """Standard error is a terminal."""
    master, slave = pty.openpty()
    p = start(*argv, stderr=slave, env=dict(os.environ, **variables))
    os.close(slave)
    seen = b""
    while piece := read_terminal(master):
        seen += piece
    run = end(p)
    os.close(master)
    return Run(run.code, run.out, seen)


def read_terminal(master):
    try:
        return os.read(master, 4096)
    except OSError:  # the last writer has gone
        return b""


def sockets(run):
    """What comes through a pair of sockets, which no program can open by name."""
    ours, theirs = socket.socketpair()
    got = []
    reader = threading.Thread(target=lambda: got.append(ours.makefile("rb").read()))
    reader.start()
    run(theirs)
    theirs.close()
    reader.join(10)
    return got[0] if got else None


# ---- results -----------------------------------------------------------------------------------
@part
def results():
    source = put("in.txt", texts(200))
    want = go("embed", EMBED, "-i", source)
    fine("200 lines of three numbers", want.code == 0 and [len(json.loads(x)["embedding"]) for x in want.out.splitlines()] == [3] * 200, want)
    equal("the same from standard input", go("embed", EMBED, "-i", "-", data=texts(200).encode()).out, want.out)
    equal("the same where nothing names the input", go("embed", EMBED, data=texts(200).encode()).out, want.out)
    for name in ("in.jsonl", "IN.JSONL"):
        equal(f"the same as {name}", go("embed", EMBED, "-i", put(name, "".join(json.dumps({"text": t}) + "\n" for t in texts(200).splitlines()))).out, want.out)
    equal("the same by -t", go("embed", EMBED, *(x for t in texts(5).splitlines() for x in ("-t", t))).out, b"".join(want.out.splitlines(True)[:5]))
    for n in (0, 3, 200, 300):
        equal(f"--skip {n}", go("embed", EMBED, "-i", source, "--skip", str(n)).out, b"".join(want.out.splitlines(True)[n:]))
    for width in (1, 40, 4096):
        run = go("embed", f"width={width}", "-i", source)
        fine(f"width {width}", run.code == 0 and all(len(json.loads(x)["embedding"]) == width for x in run.out.splitlines()), run)
    one = go("classify", CLASSIFY, "-t", "x", "--logits")
    row = json.loads(one.out)
    fine("classify: label and score of the largest logit", set(row) == {"label", "score", "logits"} and row["label"] == "abc"[row["logits"].index(max(row["logits"]))], one)
    row = json.loads(go("classify", CLASSIFY, "-t", "x", "--top", "9").out)
    scores = [x["score"] for x in row["labels"]]
    fine("classify --top: best first, no more than there are", len(scores) == 3 and scores == sorted(scores, reverse=True), row)
    row = json.loads(go("classify", "task=multi,labels=x+y", "-t", "x").out)
    equal("multi label: all labels", [x["label"] for x in row["labels"]], ["x", "y"])
    row = json.loads(go("classify", "task=regression,width=1", "-t", "x", "--logits").out)
    fine("regression: the logit as score", set(row) == {"score", "logits"} and row["score"] == row["logits"][0], row)
    refused("regression --top", go("classify", "task=regression,width=1", "-t", "x", "--top", "1"), 2, b"--top")
    row = json.loads(go("tokenize", EMBED, "-t", 'a"b', "--tokens", "--offsets").out)
    equal("tokenize", row, {"ids": [97, 34, 98], "tokens": ["a", '"', "b"], "offsets": [[0, 1], [1, 2], [2, 3]]})
    equal("tokenize --max-length", go("tokenize", EMBED, "-t", "abcdef", "--max-length", "3").out, b'{"ids":[97,98,99]}\n')
    many = "+".join(f"l{i}" for i in range(60))
    row = json.loads(go("classify", f"task=classify,labels={many}", "-t", "some text", "--top", "60", "--logits").out)
    order = sorted(range(60), key=lambda i: (-row["logits"][i], i))
    equal("--top 60 of 60: by logit, then by number", [x["label"] for x in row["labels"]], [f"l{i}" for i in order])
    row = json.loads(go("classify", f"task=classify,labels={many}", "-t", "some text", "--top", "7").out)
    equal("--top 7 of 60", [x["label"] for x in row["labels"]], [f"l{i}" for i in order[:7]])


@part
def bounded():
    """Long texts come cut, in constant memory."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (24 << 20, 24 << 20))
    small = {} if "SANITIZED" in os.environ else {"preexec_fn": limit}
    model = "width=1,text_bytes=1000"
    want = go("tokenize", model, "-t", "x" * 1001).out
    fine("a text of 1001 bytes is cut", want.endswith(b"120,257]}\n") and want.count(b"120") == 1000, want[-50:])
    long = b"x" * (30 << 20)
    equal("txt of 30 MB", go("tokenize", model, "-i", "-", data=long + b"\ny\n", **small).out, want + b'{"ids":[121]}\n')
    equal("jsonl of 30 MB", go("tokenize", model, "-i", "-", "--input-format", "jsonl", data=b'{"text":"' + long + b'"}\n', **small).out, want)
    equal("a passed-over key and value of 30 MB", go("tokenize", model, "-i", "-", "--input-format", "jsonl", data=b'{"' + long + b'":["' + long + b'"],"text":"y"}\n', **small).out, b'{"ids":[121]}\n')
    equal("csv of 30 MB", go("tokenize", model, "-i", "-", "--input-format", "csv", data=b'text,z\n"' + long + b'",' + long + b"\n", **small).out, want)
    run = go("tokenize", model, "-i", "-", "--input-format", "csv", data=long + b"\ny\n", **small)
    refused("csv with a header of 30 MB", run, 3)


# ---- output files ------------------------------------------------------------------------------
@part
def files():
    source = put("in.txt", texts(100))
    want = go("embed", EMBED, "-i", source).out
    to = lambda name, *more, **kw: go("embed", EMBED, "-i", source, "-o", name, *more, **kw)
    os.makedirs(path("out", "far"))
    run = to(path("out", "a"))
    fine("-o: the bytes of stdout, nothing on it, nothing left behind", run.code == 0 and run.out == b"" and get("out/a") == want and sorted(os.listdir(path("out"))) == ["a", "far"], run)
    for mode in (0o600, 0o664, 0o444):
        put("out/m", "old")
        os.chmod(path("out", "m"), mode)
        run = to(path("out", "m"))
        fine(f"mode {mode:o} is kept", run.code == 0 and get("out/m") == want and stat.S_IMODE(os.stat(path("out", "m")).st_mode) == mode, run)
        os.unlink(path("out", "m"))
    put("out/far/target", "old")
    os.symlink("far/target", path("out", "link"))
    os.symlink("link", path("out", "link2"))
    os.symlink("far/new", path("out", "dangling"))
    for link, target in (("link", "far/target"), ("link2", "far/target"), ("dangling", "far/new")):
        run = to(path("out", link))
        fine(f"{link}: the link stays, its target is written", run.code == 0 and os.path.islink(path("out", link)) and get("out/" + target) == want, run)
    os.symlink("loop", path("out", "loop"))
    refused("a link to itself", to(path("out", "loop")), 2)
    refused("a folder", to(path("out", "far")), 2, b"folder")
    refused("in a folder that is not there", to(path("out", "no", "x")), 2)
    refused("a name too long", to(path("out", "n" * 300)), 2)
    run = to("/dev/null")
    fine("/dev/null", run.code == 0 and not os.path.exists("/dev/null.partial"), run)
    refused("/dev/full", to("/dev/full"), 5, b"/dev/full")
    with open("/dev/full", "wb") as full:
        for argv in (["embed", EMBED, "-t", "x"], ["tokenize", EMBED, "-t", "x"], ["plan", EMBED], ["--version"], ["help"], ["help", "embed"]):
            fine(f"stdout full: {argv[0]}", go(*argv, stdout=full).code == 5)
    run = go("embed", EMBED, "-t", "x", preexec_fn=lambda: os.close(1))
    fine("stdout closed: exit 5", run.code == 5, run)
    fine("stderr closed: as ever", go("embed", EMBED, "-i", source, preexec_fn=lambda: os.close(2)).out == want)
    fine("stdin closed: as ever", go("embed", EMBED, "-i", source, stdin=None, preexec_fn=lambda: os.close(0)).out == want)
    run = to(path("out", "big"), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
    kept = get("out/big.partial")
    fine("a file size limit: exit 5, whole lines are kept and named", run.code == 5 and kept and want.startswith(kept) and kept.endswith(b"\n") and b"big.partial" in run.err and get("out/big") is None, run)
    for name in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", path("out", "own")):
        if name == path("out", "own"):
            os.symlink("/dev/stdout", name)
        with open(path("out", "all"), "wb") as all_of_it:
            all_of_it.write(b"before\n")
            all_of_it.flush()
            run = go("embed", EMBED, "-i", source, "-o", name, "--stats", name, stdout=all_of_it, cwd=path("out"))
            all_of_it.seek(0, os.SEEK_END)
            all_of_it.write(b"behind\n")
        whole = get("out/all")
        stats = whole[len(b"before\n" + want):-len(b"behind\n")]
        fine(f"-o {name}: standard output as it is, what others write there stays", run.code == 0 and whole.startswith(b"before\n" + want + b"{") and whole.endswith(b"}\nbehind\n") and json.loads(stats)["texts"] == 100 and get("out/-") is None, (run, whole[:200]))
    with open(path("out", "messages"), "wb") as messages:
        run = go("embed", EMBED, "-i", source, "-v", "--stats", "/dev/stderr", stderr=messages)
    fine("--stats /dev/stderr: messages stay", run.code == 0 and b"memory: " in get("out/messages") and b'{"texts":100' in get("out/messages"), get("out/messages"))
    fine("-o /dev/stdout: a socket too", sockets(lambda end: to("/dev/stdout", stdout=end)) == want)
    refused("-o: a descriptor that is not open", to("/dev/fd/77"), 2, b"/dev/fd/77")
    refused("-o and --stats: the same file", to(path("out", "twice"), "--stats", path("out", "twice")), 2, b"--stats")
    fine("the same file: nothing is left", get("out/twice") is None and get("out/twice.partial") is None)
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    for argv in (["help"], ["help", "embed"], ["--version"], ["plan", EMBED]):
        with open(path("out", "small"), "wb") as f:
            f.write(b"x" * 90)
            f.flush()
            run = go(*argv, stdout=f, preexec_fn=small)
        fine(f"{argv[0]}: a file size limit is a failure of the machine", run.code == 5 and b"standard output" in run.err, run)
    fifo = path("out", "fifo")
    os.mkfifo(fifo)
    got = []
    reader = threading.Thread(target=lambda: got.append(open(fifo, "rb").read()))
    reader.start()
    run = to(fifo)
    reader.join(10)
    fine("a pipe is written into", run.code == 0 and got == [want] and stat.S_ISFIFO(os.stat(fifo).st_mode), run)
    put("out/precious", "precious")
    for fail in ("plan", "open", "fit"):
        run = go("embed", EMBED + ",fail=" + fail, "-i", source, "-o", path("out", "precious"))
        fine(f"fail={fail}: FILE is untouched, nothing is left", run.code in (3, 4) and get("out/precious") == b"precious" and get("out/precious.partial") is None, run)
    run = go("embed", EMBED + ",fail=encode,window=1", "-i", source, "-o", path("out", "precious"))
    fine("bad input in line 3: two results are kept", run.code == 3 and b"line 3" in run.err and get("out/precious") == b"precious" and get("out/precious.partial") == b"".join(want.splitlines(True)[:2]) and b"--skip 2" in run.err, run)
    holder = open(path("out", "locked.partial"), "wb")
    fcntl.flock(holder, fcntl.LOCK_EX)
    refused("somebody else is writing it", to(path("out", "locked")), 5, b"locked.partial")
    holder.close()
    os.symlink("precious", path("out", "trap.partial"))
    run = to(path("out", "trap"))
    fine("FILE.partial that is a link is not followed", run.code == 2 and get("out/precious") == b"precious", run)
    run = go("embed", EMBED, "-i", "in.txt", "-o", "here", cwd=here)
    fine("a relative name", run.code == 0 and get("here") == want, run)


@part
def npy():
    source = put("in.txt", texts(100))
    want = [json.loads(x)["embedding"] for x in go("embed", EMBED, "-i", source).out.splitlines()]
    to = lambda *more, **kw: go("embed", EMBED, "-i", source, "--format", "npy", *more, **kw)

    def read(data):
        size = 10 + struct.unpack("<H", data[8:10])[0]
        head = data[10:size].decode("latin-1")
        assert data[:8] == b"\x93NUMPY\x01\x00" and size % 64 == 0 and head.endswith("\n"), head
        shape = eval(head)["shape"]
        values = struct.unpack(f"<{(len(data) - size) // 4}f", data[size:])
        return shape, [list(values[i:i + shape[1]]) for i in range(0, len(values), shape[1])]
    single = [[struct.unpack("<f", struct.pack("<f", x))[0] for x in row] for row in want]
    run = to("-o", path("a.npy"))
    data = get("a.npy") or b""
    fine("npy: shape and the same numbers", run.code == 0 and read(data) == ((100, 3), single), run)
    with open(path("b.npy"), "wb") as f:
        f.write(b"before")
        f.flush()
        run = to(stdout=f)
    fine("npy to a redirected file, behind what is there", run.code == 0 and get("b.npy") == b"before" + data, run)
    refused("npy to a pipe", to(), 2, b"seekable")
    with open(path("c.npy"), "ab") as f:
        refused("npy to a file opened for appending", Run(*(lambda r: (r.code, r.out, r.err))(to(stdout=f))), 2)
    os.mkfifo(path("fifo"))
    refused("npy into a named pipe, without waiting for a reader", to("-o", path("fifo"), timeout=5), 2)
    run = go("embed", EMBED, "-i", put("none.txt", ""), "--format", "npy", "-o", path("n.npy"))
    fine("npy of nothing", run.code == 0 and read(get("n.npy")) == ((0, 3), []), run)
    run = go("embed", EMBED + ",fail=encode,window=1", "-i", source, "--format", "npy", "-o", path("d.npy"))
    fine("npy of a run that failed: the finished ones", run.code == 3 and read(get("d.npy.partial")) == ((2, 3), single[:2]), run)
    run = to("-o", path("d.npy"), "--skip", "2")
    fine("npy goes on", run.code == 0 and get("d.npy") == data and get("d.npy.partial") is None, run)


@part
def going_on():
    source = put("in.txt", texts(50))
    want = go("embed", EMBED, "-i", source).out
    lines = want.splitlines(True)
    to = lambda *more: go("embed", EMBED, "-i", source, "-o", path("a"), *more)
    for held, skip, result in ((b"".join(lines[:10]), 10, want), (b"".join(lines[:10]) + b'{"emb', 10, want), (b"".join(lines[:10]), 4, want), (None, 10, b"".join(lines[10:])), (b"", 0, want)):
        for name in ("a", "a.partial"):
            if get(name) is not None:
                os.unlink(path(name))
        if held is not None:
            put("a.partial", held)
        run = to("--skip", str(skip))
        fine(f"--skip {skip} with {held and held.count(10)} lines there", run.code == 0 and get("a") == result and get("a.partial") is None, run)
    put("a", "old")
    put("a.partial", b"".join(lines[:10]))
    refused("--skip 11 with 10 lines there", to("--skip", "11"), 2, b"a.partial")
    fine("... and both are as before", get("a") == b"old" and get("a.partial") == b"".join(lines[:10]))
    run = to()
    fine("without --skip it begins anew", run.code == 0 and get("a") == want and get("a.partial") is None, run)


# ---- signals -----------------------------------------------------------------------------------
@part
def signals():
    source = put("in.txt", texts(3000))
    want = go("embed", EMBED, "-i", source).out
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        put("a", "precious")
        p = start("embed", EMBED + ",window=8,wait_ms=20", "-i", source, "-o", path("a"), "--stats", path("stats.json"))
        until(lambda: get("a.partial"))
        p.send_signal(number)
        begin = time.monotonic()
        run = end(p)
        kept = get("a.partial") or b""
        n = kept.count(b"\n")
        fine(f"signal {number}: exit {code}, soon", run.code == code and time.monotonic() - begin < 1.5, run)
        fine(f"signal {number}: FILE untouched, whole results kept and named", get("a") == b"precious" and n > 0 and kept.endswith(b"\n") and want.startswith(kept) and b"a.partial" in run.err and b"--skip %d" % n in run.err, run)
        fine(f"signal {number}: --stats tells of the texts that were done", json.loads(get("stats.json") or b"{}").get("texts") == n)
        run = go("embed", EMBED, "-i", source, "-o", path("a"), "--skip", str(n))
        fine(f"signal {number}: goes on", run.code == 0 and get("a") == want, run)
    # before anything runs: while a pipe is waited for
    os.mkfifo(path("fifo"))
    p = start("embed", EMBED, "-i", path("fifo"), "-o", path("b"))
    time.sleep(0.2)
    p.send_signal(signal.SIGTERM)
    run = end(p, 5)
    fine("a signal before the start: 143, nothing left", run.code == 143 and get("b.partial") is None and run.out == b"", run)
    # waiting for input
    p = start("embed", EMBED, "-i", "-", stdin=subprocess.PIPE)
    p.stdin.write(b"text number 0\n")
    p.stdin.flush()
    first = line_of(p)
    p.send_signal(signal.SIGINT)
    begin = time.monotonic()
    until(lambda: p.poll() is not None, 3)
    fine("a signal while waiting for input: at once, the finished result kept", p.poll() == 130 and time.monotonic() - begin < 1 and first == want.splitlines(True)[0], p.poll())
    end(p)
    # a reader that does not read
    for verb in ("embed", "tokenize"):
        p = start(verb, "width=200", "-i", put("long.txt", texts(20000)))
        time.sleep(0.5)
        fine(f"{verb}: a stalled reader stalls us", p.poll() is None)
        p.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        until(lambda: p.poll() is not None, 3)
        fine(f"{verb}: a signal ends us although the reader is stalled", p.poll() == 143 and time.monotonic() - begin < 1, p.poll())
        end(p)
    # a second signal ends at once what does not end by itself
    p = start("embed", EMBED + ",wait_ms=60000", "-i", source)
    time.sleep(0.3)
    p.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    p.send_signal(signal.SIGINT)
    begin = time.monotonic()
    run = end(p, 5)
    fine("a second signal ends at once", run.code == 130 and time.monotonic() - begin < 0.5, run)
    # signals that the caller ignores stay ignored
    p = start("embed", EMBED + ",window=64,wait_ms=5", "-i", source, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    time.sleep(0.05)
    p.send_signal(signal.SIGHUP)
    run = end(p)
    fine("nohup", run.code == 0 and run.out == want, run)
    mask = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
    p = start("embed", EMBED + ",wait_ms=50,window=8", "-i", source, preexec_fn=mask)
    time.sleep(0.2)
    p.send_signal(signal.SIGTERM)
    fine("a mask inherited from the caller makes not deaf", end(p, 3).code == 143)
    # tokenize
    p = start("tokenize", EMBED, "-i", "-", "-o", path("t"), stdin=subprocess.PIPE)
    p.stdin.write(b"one\ntwo\nthr")
    p.stdin.flush()
    until(lambda: (get("t.partial") or b"").count(b"\n") == 2)
    p.send_signal(signal.SIGTERM)
    run = end(p, 5)
    fine("tokenize: exit 143, two results kept", run.code == 143 and (get("t.partial") or b"").count(b"\n") == 2 and b"--skip 2" in run.err, run)


@part
def shrinking():
    source = put("in.txt", texts(200))
    want = go("embed", EMBED, "-i", source).out
    p = start("embed", EMBED + ",window=4,wait_ms=30", "-i", source, "-v", "--stats", path("s.json"))
    first = line_of(p)
    floor = json.loads(go("plan", EMBED + ",window=4", "--json").out)["outside"] + (4 << 20)
    run = go("shrink", str(p.pid), "64MiB")
    fine("shrink: taken", run.code == 0 and run.out == run.err == b"", run)
    for _ in range(8):  # until the window after it
        first += line_of(p)
    refused("shrink below the floor: exit 4, the floor named", go("shrink", str(p.pid), "2MiB"), 4, str(floor).encode())
    fine("shrink to the floor", go("shrink", str(p.pid), str(floor)).code == 0)
    fine("shrink 0: what it began with", go("shrink", str(p.pid), "0").code == 0)
    p.send_signal(signal.SIGUSR1)  # the least it can go on with
    run = end(p)
    s = json.loads(get("s.json") or b"{}")
    fine("the job goes on, tells of it, and gives the same bytes", run.code == 0 and first + run.out == want and b"going on within 64.0 MiB" in run.err and s["bends"] == 4 and s["final_limit_bytes"] == floor, (run, s))
    refused("shrink of what is no plimsoll", go("shrink", str(os.getpid()), "1MiB"), 2, b"no plimsoll")
    os.mkfifo(path("fifo"))
    p = start("embed", EMBED + ",wait_ms=200", "-i", path("fifo"))  # waits in open(2)
    time.sleep(0.1)
    asker = start("shrink", str(p.pid), "64MiB")
    time.sleep(0.2)
    fine("a request to a job that is not ready waits", asker.poll() is None)
    with open(path("fifo"), "wb") as f:
        f.write(texts(3).encode())
    fine("... and is answered when it runs", end(asker).code == 0 and end(p).code == 0)


# ---- pipes and streams -------------------------------------------------------------------------
@part
def pipes():
    source = put("in.txt", texts(20000))
    for ignored in (True, False):
        for verb in ("embed", "tokenize"):
            p = start(verb, EMBED, "-i", source, restore_signals=not ignored)
            line = line_of(p)
            p.stdout.close()
            until(lambda: p.poll() is not None)
            err = p.stderr.read()
            fine(f"{verb} | head -n 1: 141 and no word of it", p.poll() == 141 and b"plimsoll:" not in err and line, (p.poll(), err))
            p.stderr.close()
    p = start("embed", EMBED, "-i", "-", stdin=subprocess.PIPE)
    p.stdin.write(b"a\n")
    p.stdin.flush()
    line_of(p)
    p.stdout.close()
    fine("the reader goes while we wait for input: 141 without another text", until(lambda: p.poll() is not None, 3) and p.poll() == 141, p.poll())
    p.stdin.close()
    p.stderr.close()
    p.wait()
    for verb in ("embed", "tokenize", "classify"):
        model = CLASSIFY if verb == "classify" else EMBED
        want = [go(verb, model, "-t", t).out for t in ("one", "two", "three four")]
        p = start(verb, model, "-i", "-", stdin=subprocess.PIPE)
        p.stdin.write(b"one\n")
        p.stdin.flush()
        equal(f"{verb}: an answer while the input is open", line_of(p), want[0])
        p.stdin.write(b"two\nthree")
        p.stdin.flush()
        equal(f"{verb}: the next", line_of(p), want[1])
        fine(f"{verb}: half a line waits", not select.select([p.stdout], [], [], 0.2)[0])
        p.stdin.write(b" four\n")
        p.stdin.flush()
        equal(f"{verb}: until it is whole", line_of(p), want[2])
        run = end(p)
        fine(f"{verb}: the end of input ends it", run.code == 0 and run.out == b"", run)
    os.mkfifo(path("fifo"))
    p = start("embed", EMBED, "-i", path("fifo"))
    with open(path("fifo"), "wb") as f:
        f.write(b"one\n")
    equal("-i names a pipe", end(p).out, go("embed", EMBED, "-t", "one").out)
    read, write = os.pipe()
    os.set_blocking(write, False)
    got = []
    reader = threading.Thread(target=lambda: got.append(open(read, "rb").read()))
    p = start("embed", "width=100", "-i", source, stdout=write)
    os.close(write)
    time.sleep(0.3)
    reader.start()
    run = end(p)
    reader.join(20)
    fine("a standard output that does not block", run.code == 0 and got and got[0].count(b"\n") == 20000, run)


# ---- what is said ------------------------------------------------------------------------------
@part
def errors():
    for wrong, right in (("emebd", b"embed"), ("clasify", b"classify"), ("tran", b"train"), ("plna", b"plan")):
        refused(f"verb {wrong}", go(wrong, "m"), 2, right)
    refused("no verb", go(), 2)
    refused("an empty verb", go(""), 2)
    refused("an option first", go("--memory", "1"), 2, b"--memory")
    refused("no such file", go("embed", EMBED, "-i", path("no\nplimsoll: forged\x1b[31m.txt")), 3)
    refused("a name that is no UTF-8", go("embed", EMBED, "-i", os.fsencode(here) + b"/no\xff"), 3)
    refused("a folder as input", go("embed", EMBED, "-i", here), 3, b"folder")
    refused("no such model", go("embed", "no/model", "-t", "x"), 3, b"no/model")
    refused("a base model has no classifier", go("classify", EMBED, "-t", "x"), 3)
    refused("-i and -t", go("embed", EMBED, "-i", put("a.txt", "a\n"), "-t", "x"), 2)
    refused("--text-column of a .txt", go("embed", EMBED, "-i", path("a.txt"), "--text-column", "x"), 2)
    refused("--normalize and --no-normalize", go("embed", EMBED, "-t", "x", "--normalize", "--no-normalize"), 2)
    refused("--device tpu", go("embed", EMBED, "-t", "x", "--device", "tpu"), 2, b"tpu")
    refused("--device cuda:x", go("embed", EMBED, "-t", "x", "--device", "cuda:x"), 2)
    refused("--device cuda:0", go("embed", EMBED, "-t", "x", "--device", "cuda:0"), 2)
    refused("--max-length beyond the positions", go("embed", EMBED, "-t", "x", "--max-length", "513"), 2)
    refused("--threads beyond 32 bits", go("embed", EMBED, "-t", "x", "--threads", "4294967296"), 2, b"--threads")
    refused("--memory 1", go("embed", EMBED, "-t", "x", "--memory", "1"), 4, b"hint: --memory")
    refused("--plan that is not there", go("embed", EMBED, "-t", "x", "--plan", path("no.json")), 3)
    run = go("embed", EMBED + ",fail=run,window=1", "-t", "a", "-t", "b")
    fine("a machine that fails in mid-run: exit 5, what was finished is printed", run.code == 5 and run.out.count(b"\n") == 1, run)
    run = go("embed", EMBED, "-i", put("bad.jsonl", '{"text":"a"}\n{"text":"b"}\n{"text":7}\n'))
    fine("bad input in line 3", run.code == 3 and b"bad.jsonl: line 3" in run.err and run.out.count(b"\n") == 2, run)
    run = go("embed", EMBED, "-i", put("bad.txt", b"a\n\xff\n"))
    fine("text that is no UTF-8: its line", run.code == 3 and b"bad.txt: line 2" in run.err, run)
    refused("-t that is no UTF-8", go("embed", EMBED, "-t", b"\xff"), 3, b"-t")
    run = go("tokenize", EMBED, "-t", "a", "-t", "refuse")
    fine("a text that the tokenizer refuses", run.code == 3 and b"line 2" in run.err, run)
    for name in ("none.txt", "none.jsonl", "none.csv", "none.tsv"):
        run = go("embed", EMBED, "-i", put(name, ""))
        fine(f"empty {name}", run.code == 0 and run.out == b"", run)


@part
def quiet():
    source = put("in.txt", texts(20))
    run = go("embed", EMBED, "-i", source)
    fine("the limit that was taken is told with its reason", b"1.00 GiB" in run.err and b"what the double spares" in run.err, run)
    fine("a limit that was given is not", go("embed", EMBED, "-i", source, "--memory", "1GiB").err == b"")
    for argv in (["embed", EMBED, "-i", source], ["tokenize", EMBED, "-i", source], ["plan", EMBED], ["plan", EMBED, "--json"], ["classify", CLASSIFY, "-i", source]):
        plain = go(*argv)
        fine(f"{argv[0]}: no escapes and no carriage returns where there is no terminal", plain.code == 0 and not re.search(rb"[\x1b\r]", plain.err + plain.out), plain)
        fine(f"{argv[0]} -q: nothing on stderr", go(*argv, "-q").err == b"")
        for flag in (["-q"], ["-v"], ["--progress", "always"], ["--progress", "never"], ["--color", "always"], ["--color", "never"]):
            equal(f"{argv[0]} {' '.join(flag)}: the same stdout", go(*argv, *flag).out, plain.out)
    run = go("embed", EMBED, "-i", source, "--precision", "auto", "--memory", "1GiB")
    fine("--precision auto says what it chose", b"bf16" in run.err, run)
    fine("--progress always shows some", b"20 texts" in go("embed", EMBED, "-i", source, "--progress", "always").err)
    run = go("embed", EMBED + ",fail=big", "-i", source, "--memory", "512MiB")
    fine("less memory than was asked for: says so and runs", run.code == 0 and b"is not there now" in run.err and run.out == go("embed", EMBED, "-i", source).out, run)
    for limit in ([], ["--memory", "512MiB"]):
        run = go("embed", EMBED + ",fail=busy", "-i", source, *limit)
        fine(f"less memory than when the plan was made, thrice {limit}: says so and runs", run.code == 0 and run.err.count(b"is not there now") == 3 and run.out == go("embed", EMBED, "-i", source).out, run)
        refused(f"and no plan is smaller {limit}", go("embed", EMBED + ",fail=taken", "-i", source, *limit), 4)


@part
def terminal():
    try:
        master, slave = pty.openpty()
    except OSError as e:  # a bare chroot has no /dev/pts
        print(f"skipped: no pseudo-terminals here ({e})")
        sys.exit(77)
    fcntl.ioctl(slave, 0x5414, struct.pack("HHHH", 24, 80, 0, 0))  # TIOCSWINSZ
    p = start("embed", EMBED + ",window=8,wait_ms=40", "-i", put("more.txt", texts(300)), stderr=slave, env=dict(os.environ, TERM="xterm"))
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    run = end(p)
    os.close(master)
    fine("a bar with rate and time left on a terminal", run.code == 0 and b"left" in seen and b"texts" in seen and b"\r" in seen and seen.rstrip(b"\r\n").split(b"\r")[-1].find(b"300 texts") >= 0, seen[-300:])
    for wait, more, shown in ((40, [], True), (0, [], False), (0, ["--progress", "always"], True), (40, ["--progress", "never"], False)):
        run = on_terminal("embed", EMBED + f",window=8,wait_ms={wait}", "-i", path("more.txt"), *more, TERM="dumb")
        fine(f"TERM=dumb {more}, {wait} ms a window: whole lines, if any", run.code == 0 and not re.search(rb"[\x1b]|\r(?!\n)", run.err) and (b"300 texts" in run.err) == shown, run)


@part
def reports():
    source = put("in.txt", texts(64))
    run = go("embed", EMBED, "-i", source, "--stats", path("s.json"), "--memory", "64MiB")
    s = json.loads(get("s.json") or b"{}")
    fine("--stats", run.code == 0 and s["texts"] == 64 and s["limit_bytes"] == 64 << 20 and 0 < s["seconds"] <= s["wall_seconds"] and s["phases"][0]["name"] == "compute" and s["knobs"]["window"] == 64, s)
    fine("--stats: the peak as the kernel has it", 100 << 10 < s["measured_peak_bytes"] < (1 << 40), s)
    refused("--stats in a folder that is not there", go("embed", EMBED, "-i", source, "--stats", path("no", "s")), 2)
    run = go("embed", EMBED + ",fail=open", "-i", source, "--stats", path("t.json"))
    fine("--stats of a run that failed: none", get("t.json") is None and get("t.json.partial") is None, os.listdir(here))
    rows = go("classify", CLASSIFY, "-i", source).out
    own = [json.loads(x)["label"] for x in rows.splitlines()]
    gold = [x if i % 4 else "abc"[("abc".index(x) + 1) % 3] for i, x in enumerate(own)]
    table = put("gold.csv", "text,gold\n" + "".join(f"{t},{g}\n" for t, g in zip(texts(64).splitlines(), gold)))
    for window in (1, 64):
        run = go("classify", f"{CLASSIFY},window={window}", "-i", table, "--label-column", "gold", "--stats", path("s.json"))
        fine("--label-column: accuracy on stderr and in --stats, stdout as ever", run.out == rows and b"accuracy: 0.75" in run.err and json.loads(get("s.json"))["metrics"]["accuracy"] == 0.75, run)
    fine("--label-column -q is quiet", go("classify", CLASSIFY, "-i", table, "--label-column", "gold", "-q").err == b"")
    refused("--label-column that is not there", go("classify", CLASSIFY, "-i", table, "--label-column", "nope"), 3, b"nope", b"gold")
    refused("a label that the model has not", go("classify", CLASSIFY, "-i", put("g.csv", "text,gold\nx,martian\n"), "--label-column", "gold"), 3, b"martian", b"line 2")
    refused("--label-column of .txt", go("classify", CLASSIFY, "-i", source, "--label-column", "gold"), 2)
    plan = go("plan", EMBED, "--json")
    fine("plan --json is one line", plan.code == 0 and plan.out.count(b"\n") == 1 and json.loads(plan.out)["task"] == 1, plan)
    equal("plan of a classifier", json.loads(go("plan", CLASSIFY, "--json").out)["task"], 2)
    equal("... for embed", json.loads(go("plan", CLASSIFY, "--json", "--task", "embed").out)["task"], 1)
    equal("... for embed, as --pooling says", json.loads(go("plan", CLASSIFY, "--json", "--pooling", "cls").out)["task"], 1)
    p = json.loads(go("plan", EMBED, "-i", put("l.txt", "a\nabc\n\nab\n"), "--json").out)
    fine("plan -i: longest text and all tokens", p["longest"] == 3 and p["tokens"] == 6, p)
    stats = lambda *more: json.loads((go(*more, "--stats", path("s.json"), "-q"), get("s.json"))[1])
    for argv in ([], ["--max-length", "9"], ["-i", source]):
        a = json.loads(go("plan", EMBED, "--json", *argv).out)["peak_bytes"]
        b = stats("embed", EMBED, *(argv if "-i" in argv else argv + ["-t", "x"]), "--format", "jsonl")["planned_peak_bytes"]
        equal(f"plan and run agree {argv}", a, b)
    run = go("plan", EMBED, "--memory", "1MiB", "--json")
    fine("what does not fit is printed, exit 4", run.code == 4 and json.loads(run.out)["fits"] is False and b"plimsoll: does not fit" in run.err, run)
    run = go("plan", EMBED, "--svg", path("p.svg"))
    fine("plan --svg", run.code == 0 and (get("p.svg") or b"").startswith(b"<svg") and b"peak" in run.out, run)
    fine("plan --program", go("plan", EMBED, "--program").out.count(b"\n") == 2)
    big = {**os.environ, "PADDING": "x" * 100000}
    fine("a long environment is in the plan", json.loads(go("plan", EMBED, "--json", env=big).out)["peak_bytes"] > json.loads(plan.out)["peak_bytes"])


@part
def footprint():
    """The command's own lines of the ledger are what it holds, long texts and pairs, long environments and -t included."""
    rows = "text,text_pair\n" + ("x" * 65000 + "," + "y" * 65000 + "\n") * 20
    model = "width=1,window=1"
    for what, argv, data, env in (("pairs of 65,000 bytes", [], rows, {}), ("a long environment", [], rows, {"PADDING": "x" * 120000}), ("long texts by -t", ["-t", "x" * 100000] * 8, None, {})):
        argv = argv or ["-i", put("rows.csv", data)]
        env = {**os.environ, **env}
        held = json.loads(go("plan", model, *argv, "--json", env=env).out)["outside"]
        run = go("embed", model, *argv, "--stats", path("s.json"), env=env)
        peak = json.loads(get("s.json"))["measured_peak_bytes"]
        fine(f"{what}: {peak} of {held} bytes", run.code == 0 and 0.7 * held < peak <= held, run)


@part
def helps():
    verbs = "plan tokenize embed classify train explain watch devices shrink pull help".split()
    for argv in (["help"], ["--help"], ["-h"]):
        run = go(*argv)
        fine(f"{argv[0]}: names the verbs", run.code == 0 and run.err == b"" and all(v.encode() in run.out for v in verbs), run)
    for verb in verbs:
        a, b = go("help", verb), go(verb, "--help")
        fine(f"help {verb} and {verb} --help", a.code == b.code == 0 and a.out == b.out and b"plimsoll " + verb.encode() in a.out and a.err == b"", a)
        fine(f"help {verb}: no line is longer than 80", all(len(x) <= 80 for x in a.out.decode().split("\n") if not x.startswith("  plimsoll")), a)
    refused("help of an unknown verb", go("help", "fly"), 2, b"fly")
    run = go("--version")
    fine("--version", run.code == 0 and re.match(rb"plimsoll \d+\.\d+", run.out), run)


@part
def training():
    """Options become the recipe, files become examples, events become lines."""
    data = put("train.csv", "text,label\none,a\ntwo,b\n\"th,ree\",a\n")
    pairs = put("eval.jsonl", '{"text":"x","text_pair":"y","label":["a","b"]}\n{"text":"z","label":[]}\n{"text":"w","label":3}\n{"text":"v","label":"3"}\n')
    plan = go("plan", CLASSIFY, "--train", "--data", data, "--eval", pairs, "--json", "--epochs", "1.5", "--max-steps", "7", "--batch", "3", "--lr", "1e-3", "--schedule", "cosine",
              "--warmup-steps", "2", "--warmup-ratio", "0.5", "--weight-decay", "0.01", "--max-grad-norm", "0", "--label-smoothing", "0.1", "--dropout", "0.2", "--shuffle", "none",
              "--seed", "9", "--tune", "last:2", "--keep", "4", "--best", "--spill", here)
    try:
        got = json.loads(plan.out)
    except ValueError:
        got = {}
    want = {"fits": True, "epochs": 1.5, "max_steps": 7, "batch": 3, "lr": 0.001, "schedule": 1, "warmup_steps": 2, "warmup_ratio": 0.5, "weight_decay": 0.01, "max_grad_norm": 0,
            "label_smoothing": 0.1, "dropout": 0.2, "shuffle": 0, "seed": 9, "head_only": 0, "last_layers": 2, "best": 1, "keep": 4, "spill": here, "out": "", "train": 3, "evaluate": 4,
            "seen": "one=a;two=b;th,ree=a;x/y=['a','b'];z=[];w=3;v='3';"}
    equal("plan --train: the recipe and the examples", {k: got.get(k) for k in want}, want)
    equal("plan --train: Trainer's defaults", json.loads(go("plan", CLASSIFY, "--train", "--json").out)["batch"], 8)
    fine("plan --train --svg, --program", go("plan", CLASSIFY, "--train", "--svg", path("x.svg"), "--program").out == b"stage 0: forward\n" and get("x.svg").startswith(b"<svg"))
    run = go("plan", CLASSIFY + ",fail=fit", "--train", "--json")
    fine("plan --train: what does not fit is printed all the same", run.code == 4 and json.loads(run.out)["fits"] is False and b"smallest" in run.err, run)
    run = go("train", CLASSIFY, "--data", data, "-o", path("out"))
    lines = [json.loads(x) for x in run.out.splitlines()]
    fine("train: a line a step, one of the evaluation", run.code == 0 and lines == [{"step": i, "epoch": e, "loss": 0.5, "lr": 5e-05, "grad_norm": 1.5} for i, e in ((1, 0.33333334), (2, 0.6666667), (3, 1))] +
         [{"step": 3, "epoch": 1, "eval_loss": 0.25, "eval_accuracy": 0.75, "eval_f1": None}], run)
    fine("train: notes and the limit on standard error", b"a note" in run.err and b"memory: limit" in run.err, run)
    fine("train -q: nothing on standard error", go("train", CLASSIFY, "--data", data, "-o", path("out"), "-q", "--memory", "1GiB").err == b"")
    stats = path("stats.json")
    run = go("train", CLASSIFY, "--data", data, "-o", path("out"), "--stats", stats, "--progress", "always")
    fine("train --stats", run.code == 0 and json.loads(get("stats.json"))["step"] == 3, run)
    refused("train: what does not fit", go("train", CLASSIFY + ",fail=fit", "--data", data, "-o", path("out")), 4, b"smallest")
    refused("train: a text file has no labels", go("train", CLASSIFY, "--data", put("t.txt", "x\n"), "-o", path("out")), 2, b"t.txt")
    refused("train: no label column", go("train", CLASSIFY, "--data", put("n.csv", "text,answer\nx,y\n"), "-o", path("out")), 3, b"label", b"--label-column", b"answer")
    fine("train --label-column, --text-column", go("train", CLASSIFY, "--data", path("n.csv"), "--label-column", "answer", "--text-column", "text", "-o", path("out")).code == 0)
    refused("train: an object without label", go("train", CLASSIFY, "--data", put("n.jsonl", '{"text":"x"}\n'), "-o", path("out")), 3, b"line 1", b"label")
    for flags, need in ((["--tune", "some"], b"--tune"), (["--optimizer", "sgd"], b"--optimizer"), (["--best"], b"--eval"), (["--early-stopping", "2"], b"--eval"), (["--batch", "9999999999"], b"--batch")):
        refused(f"train {' '.join(flags)}", go("train", CLASSIFY, "--data", data, "-o", path("out"), *flags), 2, need)
    for number in (signal.SIGTERM, signal.SIGINT):
        p = start("train", CLASSIFY + ",wait_ms=300", "--data", data, "-o", path("out"))
        line_of(p)
        os.kill(p.pid, number)
        run = end(p)
        fine(f"train: signal {int(number)}", run.code == 128 + number and b"behind step" in run.err and b"checkpoint-" in run.err, run)
    reader = start("train", CLASSIFY + ",wait_ms=200", "--data", data, "-o", path("out"))
    line_of(reader)
    reader.stdout.close()
    reader.stdout = None
    fine("train: the reader has gone", end(reader).code == 141)


@part
def helpers():
    """Verbs that are programs of their own: found beside the program, given verb and arguments."""
    os.makedirs(path("bin"))
    program = shutil.copy2(PROGRAM, path("bin", "plimsoll"))
    run = lambda *argv, **kw: subprocess.run([program, *argv], capture_output=True, timeout=20, **kw)
    for verb, name in (("explain", "plimsoll-explain"), ("watch", "plimsoll-watch"), ("devices", "plimsoll-watch"), ("pull", "plimsoll-pull")):
        r = run(verb, "x")
        fine(f"{verb}: which program is missing and where it was looked for", r.returncode == 5 and name.encode() in r.stderr and r.stderr.count(b"looked for") == 2 and not r.stdout, r)
    for place in ("libexec/plimsoll", "bin/libexec/plimsoll"):
        os.makedirs(path(place))
        for name in ("explain", "watch", "pull", "pytorch"):
            put(f"{place}/plimsoll-{name}", f'#!/bin/sh\necho {name} "$@"\nexit 7\n')
            os.chmod(path(place, "plimsoll-" + name), 0o755)
        os.symlink(program, path("link"))
        for argv, want in ((["explain", "-x", "a b"], "explain explain -x a b"), (["watch", "--run", "--", "x", "--help"], "watch watch --run -- x --help"),
                           (["devices"], "watch devices"), (["pull", "a/b"], "pull pull a/b"), (["plan", "m", "--for", "pytorch", "--batch=3"], "pytorch plan m --for pytorch --batch=3")):
            r = run(*argv)
            fine(f"{place}: {' '.join(argv)}", r.returncode == 7 and r.stdout.decode().strip() == want, r)
        r = subprocess.run([path("link"), "explain"], capture_output=True)
        fine(f"{place}: by a link", r.returncode == 7 and r.stdout == b"explain explain\n", r)
        os.unlink(path("link"))
        shutil.rmtree(path(place))
    fine("help needs no helper", run("explain", "--help").returncode == 0)
    for argv, need in ((["train", "m"], b"--data"), (["train", "m", "--data", "d"], b"-o"), (["train", "m", "--eppochs", "1"], b"--epochs"), (["plan", "m", "--for", "jax"], b"pytorch"), (["plan", "m", "--batch", "8"], b"--train"), (["plan", "m", "--checkpointing"], b"--for pytorch"), (["shrink", "x", "1"], b"'x'"), (["shrink", "1", "x"], b"'x'"), (["shrink", "0", "1"], b"'0'")):
        r = run(*argv)
        fine(f"{' '.join(argv)}: told before any helper is looked for", r.returncode == 2 and need in r.stderr, r)


def main():
    global here
    chosen = sys.argv[2:] or list(parts)
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="plimsoll-command-") as here:
            here = os.path.realpath(here)
            parts[name]()
    print(f"{checks - len(faults)} of {checks} checks hold")
    sys.exit(1 if faults or not checks else 0)


main()
