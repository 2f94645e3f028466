#!/usr/bin/env python3
"""The program plimsoll-explain from outside: exit codes, options, pipes, JSON.  program.py PROGRAM"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "watch"))
from terminal import on_terminal  # noqa: E402

PROGRAM = sys.argv[1]
OOM = (b"RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 11.17 GiB total capacity; 9.00 GiB already allocated; "
       b"1.50 GiB free; 9.50 GiB reserved in total by PyTorch)\n")
FIELDS = ["line", "framework", "kind", "device", "requested_bytes", "capacity_bytes", "free_bytes", "process_bytes", "allocated_bytes",
          "reserved_bytes", "allowed_bytes", "others", "phase", "cause", "summary", "advice"]
wrong = []


def run(*argv, data=b"", **more):
    return subprocess.run([PROGRAM, *argv], input=data, capture_output=True, timeout=60, **more)


# A double of the programs that know what a model needs: it notes how it was called.
DOUBLE = """#!/bin/sh
echo "$@" >> '{notes}'
case "$*" in
  *none*) echo "plimsoll: none: there is no such folder" >&2; exit 3 ;;
  *"--max-length 9999"*) echo "plimsoll: --max-length 9999: the model's positions allow at most 512 tokens" >&2; exit 2 ;;
  *" mute"*) exit 0 ;;
esac
{answer}
"""
PYTORCH = """echo '{"for":"pytorch","fits":false,"limit_bytes":8589934592,"peak_bytes":10737418240,"biggest_batch":21,
"parts":{"weights":1073741824,"gradients":1073741824,"optimizer":2147483648,"activations":5368709120,"temporaries":536870912,"rounding":1,
"context":536870911},"settings":{"train":true,"batch":32,"max_length":384,"precision":"f32","attention":"sdpa","checkpointing":false,
"optimizer":"adamw"},"alternatives":[
{"fits":true,"peak_bytes":3221225472,"settings":{"batch":32,"precision":"bf16","attention":"sdpa","checkpointing":true,"optimizer":"adamw"}},
{"fits":true,"peak_bytes":6442450944,"settings":{"batch":32,"precision":"f32","attention":"sdpa","checkpointing":true,"optimizer":"adamw"}}]}'
exit 4"""
OWN = "echo '{\"fits\":true,\"floor_bytes\":268435456}'"
JOB = b"python train.py --per_device_train_batch_size 32 --max_seq_length 384\n  File \"train.py\", line 9, in <module>\n    loss.backward()\n"


def check(what, good):
    if not good:
        wrong.append(what)
        print("wrong:", what)


def needs(folder):
    """--model: the question that the other programs are asked, and what is made of their answer."""
    global PROGRAM
    home, own = os.path.join(folder, "libexec", "plimsoll"), PROGRAM
    os.makedirs(home)
    os.makedirs(os.path.join(folder, "bin"))
    PROGRAM = shutil.copy(own, home)
    notes = os.path.join(folder, "notes")

    def double(path, answer):
        with open(path, "w") as f:
            f.write(DOUBLE.replace("{notes}", notes).replace("{answer}", answer))
        os.chmod(path, 0o755)

    def noted():
        with open(notes) as f:
            lines = f.read().splitlines()
        os.remove(notes)
        return lines

    r = run("--json", "--model", "m", data=JOB + OOM)
    check("the program that computes is missing: exit 5", r.returncode == 5 and b"plimsoll-pytorch" in r.stderr)
    double(os.path.join(home, "plimsoll-pytorch"), PYTORCH)
    r = run("--json", "--model", "m", data=JOB + OOM)
    need = json.loads(r.stdout)["events"][0]["need"]
    check("the need, without plimsoll's own", r.returncode == 0 and r.stderr == b"" and need["peak_bytes"] == 10 << 30 and need["plimsoll_bytes"] is None)
    check("what PyTorch's ledger is asked", noted() == ["plan --json --train --max-length 384 --for pytorch --batch 32 --device-memory 11993696174 -- m"])
    double(os.path.join(folder, "bin", "plimsoll"), OWN)
    need = json.loads(run("--json", "--model=m", "--batch", "5", data=JOB + OOM + OOM).stdout)["events"][0]["need"]
    check("the need", need == {"train": True, "batch": 5, "max_length": 384, "limit_bytes": 11993696174, "peak_bytes": 10 << 30, "biggest_batch": 21,
                               "weights_bytes": 1 << 30, "gradients_bytes": 1 << 30, "optimizer_bytes": 2 << 30, "activations_bytes": 5 << 30,
                               "other_bytes": 1 << 30, "plimsoll_bytes": 256 << 20})
    lines = noted()
    check("asked once for one job", len(lines) == 2 and "--batch 5" in lines[0] and lines[1] == "plan --json --train --max-length 384 --batch 5 -- m")
    small = OOM.replace(b"11.17", b"8.00").replace(b"9.", b"6.")
    text = " ".join(run("--model", "m", data=JOB + small).stdout.decode().split())
    check("told: what would have fitted", "batch 21 would have fitted" in text and "plimsoll trains it within 256.00 MiB" in text)
    check("told: the least change", "Batch 32 fits with gradient_checkpointing=True (6.00 GiB)" in text)
    noted()
    run("--model", "m", data=JOB.replace(b"python", b"python --bf16 --gradient_checkpointing").replace(b"384", b"9999") + OOM)
    lines = noted()
    check("what the log shows is asked", "--precision bf16 --checkpointing" in lines[0] and "--max-length" in lines[0] and "--max-length" not in lines[1])
    run("--model", "m", data=b"model.encode(texts)\n" + OOM)
    check("nothing of training where there is none", noted()[0].startswith("plan --json --for pytorch --batch 8"))
    r = run("--model", "none", data=OOM)
    check("its failure is told, behind the story", r.returncode == 3 and r.stderr == b"plimsoll: --model: none: there is no such folder\n" and OOM[14:40] in r.stdout)
    check("no answer", run("--model", "mute", data=OOM).returncode == 5)
    check("no need of other programs", json.loads(run("--json", "--model", "m", data=b"std::bad_alloc\n").stdout)["events"][0]["need"] is None)
    check("without --model no need", "need" not in json.loads(run("--json", data=OOM).stdout)["events"][0])
    PROGRAM = own


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

        used = JOB.replace(b"python train.py", b"python train.py --bf16 --gradient_checkpointing --optim adamw_8bit")
        actions = " ".join(a["action"] for a in json.loads(run("--json", data=used + OOM).stdout)["events"][0]["advice"])
        check("what is used is not advised", "16" in actions and not any(w in actions for w in ("bf16", "heckpointing", "8bit", "8 bits")))
        r = run(log)
        check("no colour into a pipe", r.returncode == 0 and b"\x1b" not in r.stdout and b"2.00 GiB" in r.stdout)
        check("lines fit a terminal", max(len(x) for x in r.stdout.decode().split("\n") if "[" not in x and "GiB" not in x) <= 80)
        check("colour when asked", b"\x1b[" in run(log, "--color=always").stdout)
        for variables, colored in (({"TERM": "xterm", "NO_COLOR": ""}, True), ({"TERM": "dumb", "NO_COLOR": ""}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            check(f"colour on a terminal by {variables}", (seen := on_terminal([PROGRAM, log], variables)) is None or (b"\x1b[" in seen) == colored)
        with open(os.path.join(folder, "small"), "wb") as f:
            limited = subprocess.run([PROGRAM, log], stdout=f, stderr=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (99, 99)))
        check("a file size limit: exit 5", limited.returncode == 5 and b"standard output" in limited.stderr)

        for argv in (["--nonsense"], [log, empty], ["--color", "blue"], ["--color"], ["--batch", "8"], ["--model"], ["--model", "m", "--batch", "0"],
                     ["--model", "m", "--batch", "8x"], ["--batchs=8"]):
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
        needs(folder)
        check("UTF-16 of PowerShell", json.loads(run("--json", data=french).stdout)["events"][0]["line"] == 2)
    print(f"{len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


main()
