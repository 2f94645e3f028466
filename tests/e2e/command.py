#!/usr/bin/env python3
"""The command as scripts use it: output files and pipes, signals, streaming, resuming, formats,
messages, sizes, surroundings. One promise a check."""
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import time

import e2e

TEXTS = ["the ship", "", "most people know", " spaces  kept ", "naïve café", "日本 船", 'say "no", twice', "long " * 60]


def start(test, *argv, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([test.args.plimsoll, *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=test.environment, start_new_session=True, **more)


def line_within(process, seconds):
    got, end = b"", time.monotonic() + seconds
    while not got.endswith(b"\n") and select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
        piece = os.read(process.stdout.fileno(), 1)
        if not piece:
            break
        got += piece
    return got


def ended(process, seconds=20):
    try:
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, b"", b"late"


def forget(path):
    """A file of results under way, left by a run before: it would be taken for this one's."""
    if os.path.exists(path + ".partial"):
        os.unlink(path + ".partial")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


def output(test, folder, want, source):
    to = lambda path, *more, **kw: test.run("classify", folder, "-i", source, "--logits", "-o", path, *more, **kw)
    os.makedirs(test.path("out"))
    out = test.path("out", "a.jsonl")
    run = to(out)
    test.check("-o FILE holds the bytes of stdout", not run.trouble() and read(out) == want and not run.out, run.trouble())
    test.check("no other file stays", os.listdir(test.path("out")) == ["a.jsonl"], os.listdir(test.path("out")))
    test.write("out/a.jsonl", "old\n")
    os.chmod(out, 0o640)
    run = to(out)
    test.check("an existing FILE is replaced and keeps its mode", read(out) == want and stat.S_IMODE(os.stat(out).st_mode) == 0o640, run.trouble())
    os.symlink("a.jsonl", test.path("out", "link"))
    test.write("out/a.jsonl", "old\n")
    run = to(test.path("out", "link"))
    test.check("a link's target is replaced", os.path.islink(test.path("out", "link")) and read(out) == want, run.trouble())
    run = to("/dev/full")
    test.check("a full disk is exit 5", not e2e.complaint(run, (5,)), e2e.complaint(run, (5,)))
    test.check("/dev/null is written directly", not to("/dev/null").trouble() and stat.S_ISCHR(os.stat("/dev/null").st_mode))
    run = to(test.path("nowhere", "x"))
    test.check("a folder that is not there", not e2e.complaint(run, (2, 3, 5)), e2e.complaint(run, (2, 3, 5)))
    for n in (0, 3, len(TEXTS)):
        run = test.run("classify", folder, "-i", source, "--logits", "--skip", n)
        test.check("--skip %d" % n, run.out == b"".join(want.splitlines(True)[n:]), run.trouble())
    embed = test.folder("bert_prefix")
    run = test.run("embed", embed, "-i", source, "--format", "npy", "-o", test.path("a.npy"))
    lines = test.run("embed", embed, "-i", source).rows()
    try:
        shape, values = e2e.npy(test.path("a.npy"))
        flat = [x for row in lines for x in row["embedding"]]
        same = shape == (len(TEXTS), 40) and e2e.array.array("f", flat) == values
        test.check("npy and jsonl hold the same bits", same, shape)
    except (OSError, ValueError) as e:
        test.check("npy can be read", False, run.trouble() or e)
    piped = subprocess.run("'%s' embed '%s' -t a --format npy | cat" % (test.args.plimsoll, embed), shell=True, capture_output=True, env=test.environment)
    test.check("npy into a pipe is refused", not piped.stdout and b"plimsoll: " in piped.stderr, piped.stderr)
    run = test.run("embed", embed, "-i", test.write("none.txt", ""), "--format", "npy", "-o", test.path("none.npy"))
    test.check("npy of nothing: 0 x dim", not run.trouble() and e2e.npy(test.path("none.npy"))[0] == (0, 40), run.trouble())


def formats(test, folder, want):
    lines = "".join(t + "\n" for t in TEXTS)
    quoted = "id,text\n" + "".join('%d,"%s"\n' % (i, t.replace('"', '""')) for i, t in enumerate(TEXTS))
    run_on = lambda path, *flags, **kw: test.run("classify", folder, "--logits", "-i", path, *flags, **kw)
    for what, path in (("txt", test.write("a.txt", lines)), ("CRLF", test.write("b.txt", lines.replace("\n", "\r\n"))), ("no last newline", test.write("c.txt", lines[:-1])),
                       ("byte order mark", test.write("d.txt", "\ufeff" + lines)), ("csv", test.write("a.csv", quoted)), ("csv with CRLF", test.write("b.csv", quoted.replace("\n", "\r\n")))):
        run = run_on(path)
        test.check("input: %s" % what, run.out == want, run.trouble())
    run = run_on("-", data=lines.encode())
    test.check("input: standard input", run.out == want, run.trouble())
    run = run_on("-", "--input-format", "csv", data=quoted.encode())
    test.check("input: csv from standard input", run.out == want, run.trouble())
    argv = [x for t in TEXTS for x in ("-t", t)]
    run = test.run("classify", folder, "--logits", *argv)
    test.check("input: -t repeated", run.out == want, run.trouble())
    both = [("the ship", "in the harbour"), ("people", "know")]
    by_jsonl = run_on(test.jsonl("pairs.jsonl", both)).out
    table = test.write("pairs.csv", "idx,premise,hypothesis\n" + "".join("%d,%s,%s\n" % (i, a, b) for i, (a, b) in enumerate(both)))
    test.check("input: pairs by column names", by_jsonl and run_on(table).out == by_jsonl)
    argv = [x for a, b in both for x in ("-t", a, "--text-pair", b)]
    test.check("input: --text-pair", test.run("classify", folder, "--logits", *argv).out == by_jsonl)
    test.check("input: --text-column and --text-pair-column", run_on(table, "--text-column", "premise", "--text-pair-column", "hypothesis").out == by_jsonl)


def signals(test, folder):
    count, long = 20000, None
    for number in (signal.SIGINT, signal.SIGTERM):
        for _ in range(3):
            source = test.jsonl("many.jsonl", e2e.words(count, longest=60))
            out = test.write("stopped/a.jsonl", "precious\n")
            forget(out)
            process = start(test, "classify", folder, "--logits", "-i", source, "-o", out, "--threads", "1")
            begin = time.monotonic()
            while process.poll() is None and time.monotonic() - begin < 30 and not read(out + ".partial"):
                time.sleep(0.002)
            process.send_signal(number)
            sent = time.monotonic()
            code, _, err = ended(process)
            took = time.monotonic() - sent
            if code != 0 or read(out) == b"precious\n":
                break
            count *= 4
        test.check("signal %d: exit code" % number, code in (128 + number, -number), code)
        test.check("signal %d: at once" % number, took < (20 if test.sanitized else 2), "%.1f s" % took)
        test.check("signal %d: FILE is untouched" % number, read(out) == b"precious\n")
        test.check("signal %d: the finished results are named" % number, b"a.jsonl.partial" in err, err)
        kept = read(out + ".partial") or b""
        if long is None:
            long = test.run("classify", folder, "--logits", "-i", source, timeout=300).out
        test.check("signal %d: whole results in order" % number, kept.endswith(b"\n") and long.startswith(kept), kept[-40:])
        run = test.run("classify", folder, "--logits", "-i", source, "--skip", kept.count(b"\n"), timeout=300)
        test.check("signal %d: --skip goes on" % number, kept + run.out == long, run.trouble())
    process = start(test, "classify", folder, "--logits", "-i", test.path("many.jsonl"))
    line = line_within(process, 30)
    process.stdout.close()
    code = process.wait(30)
    err = process.stderr.read()
    test.check("a reader that goes: 141, no word of it", code in (141, -signal.SIGPIPE) and b"roken" not in err and long.startswith(line), (code, err))


def streaming(test, folder):
    want = test.run("classify", folder, "--logits", "-t", "one", "-t", "two").out.splitlines(True)
    process = start(test, "classify", folder, "--logits", "-i", "-", stdin=subprocess.PIPE)
    patience = 20 if test.sanitized else 3
    for text, line in zip((b"one\n", b"two\n"), want):
        process.stdin.write(text)
        process.stdin.flush()
        got = line_within(process, patience)
        test.check("streaming: an answer while input stays open", got == line, got)
    process.send_signal(signal.SIGTERM)
    code, out, _ = ended(process)
    test.check("streaming: a signal while waiting for input", code in (143, -15) and not out, code)
    # A stalled reader of our output: bounded memory, and a signal still ends us.
    source = test.jsonl("many.jsonl", e2e.words(20000, longest=20))
    process = start(test, "embed", test.folder("bert_prefix"), "-i", source, "--memory", "64MiB")
    time.sleep(1.0)
    held = [int(l.split()[1]) for l in open("/proc/%d/status" % process.pid) if l.startswith("VmHWM")]
    process.send_signal(signal.SIGTERM)
    code = ended(process)[0]
    test.check("streaming: a signal while the reader stalls", code in (143, -15), code)
    if not test.sanitized:
        test.check("streaming: a stalled reader costs no memory", held and held[0] <= 64 << 10, held)


def vanished(test):
    """Weights cut or rewritten under a run that streams them."""
    for name, change in (("cut", lambda p: os.truncate(p, 100000)), ("rewritten", lambda p: os.utime(p, (1, 1)))):
        folder = test.bert("under-" + name, layers=4, hidden=128, inner=512)
        path = os.path.join(folder, "model.safetensors")
        plan = test.run("plan", folder, "--json", "--memory", "1MiB")
        floor = json.loads(plan.out)["floor_bytes"]
        source = test.jsonl("many.jsonl", e2e.words(4000, longest=60))
        out = test.write("under/a.jsonl", "precious\n")
        forget(out)
        process = start(test, "embed", folder, "-i", source, "-o", out, "--memory", floor, "--threads", "1")
        begin = time.monotonic()
        while process.poll() is None and time.monotonic() - begin < 60 and not read(out + ".partial"):
            time.sleep(0.002)
        change(path)
        code, _, err = ended(process, 300)
        test.check("weights %s underneath: exit 3 and named" % name, code == 3 and b"model.safetensors" in err, (code, err[-300:]))
        test.check("weights %s underneath: nothing under the final name" % name, read(out) == b"precious\n")


def messages(test, folder):
    for argv, names in ((["emebd", folder], ["embed"]), (["embed", folder, "-t", "a", "--memroy", "1G"], ["--memory"]), (["classify", folder, "-t", "a", "--threads", "x"], ["--threads"]),
                        (["classify", folder, "-t", "a", "--max-length", "65"], ["64"]), (["classify", folder, "-t", "a", "--memory", "10XB"], ["--memory"]), ([], ["usage"]),
                        (["classify", folder, "-t", "a", "--device", "cuda:0"], ["cuda"]), (["classify", folder, "-t", "a", "--precision", "f16"], ["f16"])):
        run = test.run(*argv)
        codes = (2, 4, 5) if "cuda" in names[0] else (2,)
        fault = e2e.complaint(run, codes, names if names != ["usage"] else [])
        test.check("usage: %s" % " ".join(argv[-2:] if argv else ["nothing"]), not fault, fault)
    run = test.run("classify", folder, "-i", test.path("no\nplimsoll: fine\x1b[31m"))
    test.check("a file name forges no line", not e2e.complaint(run, (2, 3)), e2e.complaint(run, (2, 3)))
    for verb in ("plan", "tokenize", "embed", "classify"):
        run = test.run("help", verb)
        test.check("help %s" % verb, not run.trouble() and verb.encode() in run.out and not run.err, run.trouble())
    run = test.run("--version")
    test.check("--version", not run.trouble() and run.out.startswith(b"plimsoll "), run.out)
    with open("/dev/full", "wb") as full:
        code = subprocess.run([test.args.plimsoll, "--version"], stdout=full, stderr=subprocess.DEVNULL).returncode
    test.check("--version to a full disk: exit 5", code == 5, code)


def places(test, folder, want, source):
    run_on = lambda *argv, **kw: test.run("classify", *argv, "--logits", **kw)
    name = os.path.basename(folder)
    above = os.path.dirname(folder)
    test.check("a relative folder", run_on(name, "-i", source, cwd=above).out == want)
    test.check("the folder is .", run_on(".", "-i", source, cwd=folder).out == want)
    os.symlink(folder, test.path("ein Ordner, größer 船 'x'"))
    test.check("blanks, quotes and UTF-8", run_on(test.path("ein Ordner, größer 船 'x'"), "-i", source).out == want)
    for env in ({"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "C"}, {"HOME": test.path("nohome")}, {"TMPDIR": test.path("notmp"), "TERM": "dumb"}):
        test.check("environment %s" % env, run_on(folder, "-i", source, env=env).out == want)
    cache = test.path("hub")
    snapshot = os.path.join(cache, "models--some-org--some.name", "snapshots", "0123abc")
    os.makedirs(os.path.dirname(snapshot))
    os.symlink(folder, snapshot)
    os.makedirs(os.path.join(cache, "models--some-org--some.name", "refs"))
    test.write("hub/models--some-org--some.name/refs/main", "0123abc")
    test.check("ORG/NAME in HF_HUB_CACHE", run_on("some-org/some.name", "-i", source, cwd=test.tmp, env={"HF_HUB_CACHE": cache}).out == want)
    run = run_on("some-org/other", "-t", "a", cwd=test.tmp, env={"HF_HUB_CACHE": cache})
    test.check("ORG/NAME that is not there: says how to get it", not e2e.complaint(run, (2, 3), ["some-org/other", "get it"]), e2e.complaint(run, (2, 3), ["some-org/other", "get it"]))
    quiet = run_on(folder, "-i", source, "-q")
    test.check("-q: nothing on stderr", quiet.out == want and not quiet.err, quiet.err)
    loud = run_on(folder, "-i", source, "-v", "--progress", "always")
    test.check("-v and progress change no answer", loud.out == want and loud.err)
    plain = run_on(folder, "-i", source)
    test.check("the default limit is told with its reason", b"iB" in plain.err and b"\x1b" not in plain.err, plain.err)


def unseen(test, folder, want, source):
    """An empty /proc, as in a bare chroot: what there is stays unknown, and a limit that is set is enough."""
    if test.sanitized:
        return  # the sanitizers themselves read /proc
    here = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*here, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: no name space of our own can be made here")
        return
    go = lambda *argv: subprocess.run([*here, test.args.plimsoll, *argv], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    run = go("classify", folder, "-i", source, "--logits", "--memory", "1GiB")
    test.check("without /proc, with --memory", run.returncode == 0 and run.stdout == want and not run.stderr, run)
    run = go("classify", folder, "-i", source)
    test.check("without /proc and without --memory: exit 5 and says so", run.returncode == 5 and b"hint: --memory SIZE" in run.stderr, run)
    run = go("train", folder, "--data", test.write("few.csv", "text,label\na ship,x\na sea,y\n"), "--dry-run", "--memory", "1GiB")
    test.check("train without /proc, with --memory", run.returncode == 0 and b'"loss":' in run.stdout, run)


def main():
    test = e2e.Test(__doc__)
    folder = test.folder("bert_cls3")
    source = test.jsonl("in.jsonl", TEXTS)
    want = test.run("classify", folder, "-i", source, "--logits").out
    test.check("the command works", want.count(b"\n") == len(TEXTS))
    for name, part in (("output", lambda: output(test, folder, want, source)), ("formats", lambda: formats(test, folder, want)), ("signals", lambda: signals(test, folder)),
                       ("streaming", lambda: streaming(test, folder)), ("vanished", lambda: vanished(test)), ("messages", lambda: messages(test, folder)), ("places", lambda: places(test, folder, want, source)),
                       ("unseen", lambda: unseen(test, folder, want, source))):
        if test.wants(name):
            part()
    test.finish()


main()
