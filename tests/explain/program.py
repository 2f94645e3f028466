#!/usr/bin/env python3
"""The program plimsoll-explain from outside: exit codes, options, pipes, JSON.  program.py PROGRAM"""
import json
import os
import signal
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
OOM = (b"RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 11.17 GiB total capacity; 9.00 GiB already allocated; "
       b"1.50 GiB free; 9.50 GiB reserved in total by PyTorch)\n")
FIELDS = ["line", "framework", "kind", "device", "requested_bytes", "capacity_bytes", "free_bytes", "process_bytes", "allocated_bytes",
          "reserved_bytes", "allowed_bytes", "others", "phase", "cause", "summary", "advice"]
wrong = []


def run(*argv, data=b"", **more):
    return subprocess.run([PROGRAM, *argv], input=data, capture_output=True, timeout=60, **more)


def check(what, good):
    if not good:
        wrong.append(what)
        print("wrong:", what)


def main():
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "train.log")
        with open(log, "wb") as f:
            f.write(b"epoch 1\n" + OOM)
        empty = os.path.join(folder, "empty.log")
        open(empty, "wb").close()

        r = run(log, "--json")
        answer = json.loads(r.stdout)
        check("found: exit 0", r.returncode == 0 and r.stderr == b"")
        check("one line of JSON", r.stdout.count(b"\n") == 1)
        check("found and its event", answer["found"] is True and len(answer["events"]) == 1)
        event = answer["events"][0]
        check("the fields, in their order", list(event) == FIELDS)
        check("bytes", event["requested_bytes"] == 2 << 30 and event["line"] == 2 and event["process_bytes"] is None)
        check("advice has actions", all(list(a) == ["action", "saves_bytes"] for a in event["advice"]) and event["advice"])
        for argv in (["explain", log, "--json"], ["--json", "--", log], ["--json", "--color", "never", log], ["--json", "-q", log]):
            check(f"the same by {argv}", run(*argv).stdout == r.stdout)
        for argv in (["--json"], ["explain", "--json", "-"]):
            check(f"standard input by {argv}", run(*argv, data=b"epoch 1\n" + OOM).stdout == r.stdout)

        r = run(empty, "--json")
        check("nothing found: exit 1", r.returncode == 1 and json.loads(r.stdout) == {"found": False, "events": []})
        r = run(empty)
        check("nothing found, in words", r.returncode == 1 and b"No out-of-memory" in r.stdout)

        r = run(log)
        check("no colour into a pipe", r.returncode == 0 and b"\x1b" not in r.stdout and b"2.00 GiB" in r.stdout)
        check("lines fit a terminal", max(len(x) for x in r.stdout.decode().split("\n") if "[" not in x and "GiB" not in x) <= 80)
        check("colour when asked", b"\x1b[" in run(log, "--color=always").stdout)

        for argv in (["--nonsense"], [log, empty], ["--color", "blue"], ["--color"]):
            r = run(*argv)
            check(f"usage: exit 2 by {argv}", r.returncode == 2 and r.stderr.startswith(b"plimsoll: ") and r.stdout == b"")
        check("a hint at the right option", b"--json" in run("--jsom").stderr)
        for path in (os.path.join(folder, "none.log"), folder):
            r = run(path, "--json")
            check(f"unreadable: exit 3 for {path}", r.returncode == 3 and r.stderr.startswith(b"plimsoll: " + path.encode()) and r.stdout == b"")
        check("help", run("--help").returncode == 0 and b"usage:" in run("-h").stdout)
        check("version", run("--version").stdout.startswith(b"plimsoll-explain "))

        with open("/dev/full", "wb") as full:
            r = subprocess.run([PROGRAM, log], stdout=full, stderr=subprocess.PIPE, timeout=60)
            check("a full disk: exit 5", r.returncode == 5 and b"standard output" in r.stderr)
        read_end, write_end = os.pipe()
        os.close(read_end)
        r = subprocess.run([PROGRAM, log], stdout=write_end, stderr=subprocess.PIPE, timeout=60,
                           preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        os.close(write_end)
        check("a reader that has gone: 141, silently", r.returncode == 141 and r.stderr == b"")

        many = b"".join(OOM.replace(b"2.00 GiB (", b"%d.00 GiB (" % i) for i in range(2, 40))
        r = run(data=many)
        check("very many are told in short", r.stdout.count(b"What to change") == 20 and b"38. Line 38: " in r.stdout)
        check("and all of them in JSON", len(json.loads(run("--json", data=many).stdout)["events"]) == 38)

        r = run("--json", data=OOM * 3 + b"\xff\xfe\x00bytes \xf0\x28 that are no text\x00\n" + OOM)
        check("JSON is UTF-8 whatever the log is", json.loads(r.stdout.decode("utf-8"))["found"])
        french = "Erreur : mémoire\n".encode("utf-16") + OOM.decode().encode("utf-16-le")
        check("UTF-16 of PowerShell", json.loads(run("--json", data=french).stdout)["events"][0]["line"] == 2)
    print(f"{len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


main()
