#!/usr/bin/env python3
"""plimsoll-watch as people and scripts use it: watch_program.py PROGRAM NVML_FOLDER OLD_NVML_FOLDER.

Standard library only. Each check prints a line when it fails; the exit code says whether all held."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from terminal import Terminal, terminals

program, nvml, old_nvml = sys.argv[1:4]
clean = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "FAKE_NVML", "NO_COLOR")}
scratch = tempfile.TemporaryDirectory(prefix="plimsoll-watch-")
failures = []


def check(what, fine, detail=""):
    if not fine:
        failures.append(what)
        print(f"FAIL {what}: {str(detail)[:600]}", flush=True)


def path(name):
    return os.path.join(scratch.name, name)


def go(*argv, env=None, timeout=60, **more):
    return subprocess.run([program, *argv], env={**clean, **(env or {})}, timeout=timeout, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, **more)


def world(text):
    with open(path("gpus.new"), "w") as f:
        f.write(text)
    os.replace(path("gpus.new"), path("gpus"))  # a watch that runs sees the one or the other
    return {"LD_LIBRARY_PATH": nvml, "FAKE_NVML": path("gpus")}


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def reports():
    r = go("devices")
    check("devices: exit 0, names the CPU", r.returncode == 0 and "CPU memory" in r.stdout and not r.stderr, r)
    check("devices: says what was not seen", "not seen: " in r.stdout and "libnvidia-ml.so.1" in r.stdout, r.stdout)
    r = go("devices", "--json")
    d = json.loads(r.stdout)
    cpu = d["devices"][0]
    check("devices --json: the CPU first", r.stdout.count("\n") == 1 and cpu["device"] == "cpu", r.stdout[:200])
    total = int(next(l for l in open("/proc/meminfo") if l.startswith("MemTotal")).split()[1]) * 1024
    check("devices --json: bytes are true", abs(cpu["total_bytes"] - total) < 2**28 and 0 < cpu["free_bytes"] <= cpu["available_bytes"] <= cpu["total_bytes"], cpu)
    r = go("watch", "--once", "--json")
    d = json.loads(r.stdout)
    check("watch --once --json: one line", r.returncode == 0 and r.stdout.count("\n") == 1 and d["seconds"] >= 0, r)
    check("watch --once --json: sorted by memory", [p["resident_bytes"] + p["swap_bytes"] for p in d["processes"]] == sorted((p["resident_bytes"] + p["swap_bytes"] for p in d["processes"]), reverse=True), d)
    check("watch --once --json: we are among the processes or there are more than are listed", d["process_count"] > len(d["processes"]) or any(p["name"] == "plimsoll-watch" for p in d["processes"]), d)
    r = go("--once")
    check("alone, without a verb, it watches; no escapes in a pipe", r.returncode == 0 and "\x1b" not in r.stdout and "PID USER" in r.stdout, r)
    check("--color always", "\x1b[" in go("watch", "--once", "--color=always").stdout)
    for verb in ("watch", "devices"):
        r = go(verb, "--help")
        check(f"{verb} --help", r.returncode == 0 and f"plimsoll {verb}" in r.stdout and "--json" in r.stdout and max(map(len, r.stdout.split("\n"))) <= 80, r)


def wrong_usage():
    for argv in (["watch", "--nonsense"], ["devices", "x"], ["watch", "--interval", "0"], ["watch", "--alert", "free<"], ["watch", "--exec", "true"], ["watch", "--run"]):
        r = go(*argv)
        check(f"{argv}: exit 2, one line", r.returncode == 2 and r.stderr.startswith("plimsoll: ") and not r.stdout, r)
    r = go("watch", "--pid", "4194304000")
    check("a number that is none", r.returncode == 2, r)
    r = go("watch", "--pid", "4194303", "--once")
    check("no such process: exit 3", r.returncode == 3 and "no such process" in r.stderr, r)


def output():
    with open("/dev/full", "w") as full:
        r = subprocess.run([program, "watch", "--once"], env=clean, stdout=full, stderr=subprocess.PIPE, text=True)
    check("a full disk: exit 5", r.returncode == 5 and r.stderr.startswith("plimsoll: standard output:"), r)
    p = subprocess.Popen([program, "watch", "--json", "--interval", "0.05"], env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = [p.stdout.readline() for _ in range(3)]
    p.stdout.close()
    check("a reader that goes: 141, quietly", p.wait(10) == 141 and p.stderr.read() == b"", p.returncode)
    times = [json.loads(l)["seconds"] for l in lines]
    check("--interval is kept", 0.04 < times[2] - times[1] < 2, times)
    for s, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        p = subprocess.Popen([program, "watch", "--interval", "0.05"], env=clean, stdout=subprocess.PIPE)
        line = p.stdout.readline()
        p.send_signal(s)
        check(f"{s.name}: exit {code}", p.wait(10) == code and b"free of" in line, (p.returncode, line))
        p.stdout.close()


def alerts():
    check("--alert holds: exit 4", go("--once", "--alert", "free<1EiB").returncode == 4)
    check("--alert does not hold: exit 0", go("--once", "--alert", "free<1KiB").returncode == 0)
    r = go("--interval", "0.05", "--json", "--alert", "oom_kill>99,cpu.free<1EiB")
    check("--alert ends the watch with 4 and says why", r.returncode == 4 and "alert: cpu free" in r.stderr and r.stdout.count("\n") == 1, r)
    r = go("--once", "--alert", "used>=0%", "--exec", "echo \"$PLIMSOLL_ALERT\"; exit 9")
    check("--exec gets the reason, its output is not ours", r.returncode == 0 and "used" in r.stderr.split("\n")[1] and "used" not in r.stdout.split("\n")[-2], r)
    env = world("gpu A 1000 0 100\n")
    p = subprocess.Popen([program, "--json", "--interval", "0.05", "--alert", "gpu0.free<500MiB", "--exec", f"echo x >>{path('fired')}"], env={**clean, **env}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for used in (100, 700, 100, 700):  # begins to hold twice
        world(f"gpu A 1000 0 {used}\n")
        samples = 0
        while samples < 4:
            samples += json.loads(p.stdout.readline())["devices"][1]["used_bytes"] == used << 20
    until(lambda: os.path.exists(path("fired")) and os.path.getsize(path("fired")) >= len("x\nx\n"))
    p.stdout.close()
    p.send_signal(signal.SIGINT)
    p.wait(10)
    check("--exec fires once each time the condition begins", open(path("fired")).read() == "x\nx\n")


def one_process():
    child = subprocess.Popen([sys.executable, "-c", "import sys; x = bytearray(64 << 20); print(1, flush=True); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    r = go("watch", "--pid", str(child.pid), "--once", "--json")
    w = json.loads(r.stdout)["watched"]
    check("--pid: its memory", w["pid"] == child.pid and w["resident_bytes"] > 60 << 20 and w["peak_bytes"] >= w["resident_bytes"], w)
    r = go("watch", "--pid", str(child.pid), "--once")
    check("--pid: only its tree is listed", r.stdout.count("\n") < 20 and str(child.pid) in r.stdout, r)
    check("rss condition", go("--pid", str(child.pid), "--once", "--alert", "rss>60MiB").returncode == 4)
    start = time.monotonic()
    p = subprocess.Popen([program, "watch", "--pid", str(child.pid), "--interval", "0.1"], env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdout.readline()  # it is under way
    child.communicate()
    p.wait(10)
    check("--pid ends with the process", p.returncode == 0 and "has ended" in p.stderr.read() and time.monotonic() - start < 8, p.returncode)


def jobs():
    r = go("--run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    check("--run: exit code and both streams are the job's", r.returncode == 7 and r.stdout == "out\n" and r.stderr.startswith("err\n"), r)
    check("--run: says how it ended", "ended with exit code 7" in r.stderr and "peak" in r.stderr, r)
    r = go("--run", "--", "sh", "-c", "kill -TERM $$")
    check("--run: a signal is 128 + its number", r.returncode == 143, r)
    check("--run: no such command: 127", go("--run", "--", "/nonexistent/command").returncode == 127)
    check("--run: not executable: 126", go("--run", "--", "/etc/passwd").returncode == 126)
    r = go("--json", "--interval", "0.1", "--run", "--", "sh", "-c", "echo hello; sleep 1")
    check("--run --json: standard output holds samples only", r.returncode == 0 and len([json.loads(l) for l in r.stdout.splitlines()]) >= 3 and "hello\n" in r.stderr, r)
    r = go("--interval", "0.05", "--run", "--", sys.executable, "-c", "import time; x = bytearray(96 << 20); time.sleep(0.5)")
    check("--run: the peak is counted", any(f"{n}" in r.stderr for n in range(96, 125)) and "MiB" in r.stderr, r.stderr)
    r = go("--run", "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2")
    check("--run: megabytes of standard error pass through", r.returncode == 0 and r.stderr.count("x") >= 3000000, len(r.stderr))
    r = go("--run", "--", "sh", "-c", "(sleep 30 >&2 & ) ; exit 3", timeout=20)
    check("--run: a grandchild that keeps the pipe does not keep us", r.returncode == 3, r)
    p = subprocess.Popen([program, "--run", "--", "sleep", "30"], env=clean, stderr=subprocess.PIPE)
    time.sleep(0.4)
    p.send_signal(signal.SIGTERM)
    check("--run: SIGTERM goes to the job", p.wait(10) == 143, p.returncode)
    p.stderr.close()
    r = go("--run", "--", "sh", "-c", "trap 'exit 5' INT; kill -INT $$; sleep 5")
    check("--run: the job's signals are not ours", r.returncode == 5, r)


def explained():
    """A stand-in for explain beside a copy of the program: it keeps its input and finds what holds "OOM"."""
    shutil.copy(program, path("plimsoll-watch"))
    with open(path("plimsoll-explain"), "w") as f:
        f.write(f"#!/bin/sh\ncat >{path('log')}\ngrep -q -e OOM -e 'Killed process' {path('log')} || {{ echo nothing; exit 1; }}\necho STORY \"$@\"\n")
    os.chmod(path("plimsoll-explain"), 0o755)

    def run(script, *more):
        return subprocess.run([path("plimsoll-watch"), "--interval", "0.1", *more, "--run", "--", "sh", "-c", script], env=clean, capture_output=True, text=True)

    r = run("echo OOM here >&2; exit 1")
    check("explain: told of what the job wrote", r.returncode == 1 and "STORY explain --color never" in r.stderr and "before the job's end" in r.stderr and open(path("log")).read() == "OOM here\n\n", r)
    r = run("echo all else >&2; exit 1")
    check("explain: silent where it found nothing", r.returncode == 1 and "nothing" not in r.stderr and "before the job's end" not in r.stderr, r)
    os.unlink(path("log"))
    r = run("echo OOM here >&2; exit 0")
    check("explain: not asked of a job that ended well", r.returncode == 0 and not os.path.exists(path("log")), r)
    run("yes 0123456789abcdef | head -c 1000000 >&2; echo OOM last >&2; exit 1")
    kept = open(path("log")).read()
    check("explain: gets the end of a long output", len(kept) == 65536 + 1 and kept.endswith("OOM last\n\n") and kept.startswith(("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "\n")), len(kept))
    group = cgroup()
    if group:
        r = run(f"echo $$ >{group}/cgroup.procs; exec {sys.executable} -c 'import time\nb = []\nwhile 1: b.append(bytearray(4 << 20)); time.sleep(.02)'")
        log = open(path("log")).read()
        check("explain: told of a kill by the kernel", r.returncode == 137 and "killed 1 process for memory" in r.stderr and "STORY" in r.stderr and "ut of memory: Killed process" in log, (r.stderr, log))
        os.rmdir(group)


def cgroup():
    """A control group with 64 MiB, where we may make one; else None."""
    name = f"plimsoll-test-{os.getpid()}"
    for folder, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = os.path.join(folder, name)
        try:
            os.mkdir(group)
        except OSError:
            continue
        try:
            with open(os.path.join(group, limit), "w") as f:
                f.write("67108864")
            return group
        except OSError:
            os.rmdir(group)
    return None


def gpus():
    me = os.getpid()
    env = world(f"gpu NVIDIA_H100_80GB_HBM3 81920 600 61440\nprocess {me} 40000\nprocess 4194303 20000\ngpu Tesla_T4 15360 0 15300\nlost\ngpu A100 40960 0 30000\nmig 7 0 9728 9000\nprocess {me} 8000 7 0\n")
    r = go("devices", env=env)
    check("devices: GPUs, who holds them, what is lost", r.returncode == 0 and "NVIDIA H100 80GB HBM3" in r.stdout and f"pid {me}" in r.stdout and "GPU is lost" in r.stdout and "not visible" in r.stdout and "MIG 2/7" in r.stdout, r.stdout)
    d = json.loads(go("devices", "--json", env=env).stdout)
    first, lost, third, mig = d["devices"][1:]
    check("devices --json: GPUs", first["device"] == "cuda:0" and first["total_bytes"] == 80 << 30 and first["free_bytes"] == (81920 - 600 - 61440) << 20 and first["uuid"] == "GPU-0" and first["bus"] == "00000000:17:00.0", first)
    check("devices --json: processes of a GPU", [(p["pid"], p["bytes"]) for p in first["processes"]] == [(me, 40000 << 20), (4194303, 20000 << 20)] and first["processes"][1]["name"] is None, first)
    check("devices --json: a lost GPU is null, not nought", lost["total_bytes"] is None and lost["trouble"] == "GPU is lost", lost)
    check("devices --json: MIG", mig["mig"] and mig["instance"] == 7 and mig["device"] == "cuda:2" and mig["processes"][0]["pid"] == me and third["processes"] == [], mig)
    held = next(p for p in d["processes"] if p["pid"] == me) if any(p["pid"] == me for p in d["processes"]) else {"gpu_bytes": 48000 << 20}
    check("devices --json: a process's GPU memory over all devices", held["gpu_bytes"] == 48000 << 20, held)
    old = {**world(f"gpu K80 11441 0 1000\nprocess {me} 900\n"), "LD_LIBRARY_PATH": old_nvml}
    d = json.loads(go("devices", "--json", env=old).stdout)["devices"]
    check("an NVML of old entry points", len(d) == 2 and d[1]["used_bytes"] == 1000 << 20 and d[1]["processes"][0]["bytes"] == 900 << 20, d)
    r = go("devices", env={**world("fail 9\n")})
    check("a driver that is not loaded", r.returncode == 0 and re.search(r"^not seen: .*NVIDIA GPUs \(Driver Not Loaded\)", r.stdout, re.M), r.stdout)


def driver_goes():
    env = world("gpu A 1000 0 100\n")
    p = subprocess.Popen([program, "--json", "--interval", "0.05"], env={**clean, **env}, stdout=subprocess.PIPE)
    known = [json.loads(p.stdout.readline())["devices"][1]["free_bytes"]]
    world("fail 1\n")
    end = time.monotonic() + 10
    while known[-1] is not None and time.monotonic() < end:
        known.append(json.loads(p.stdout.readline())["devices"][1]["free_bytes"])
    line = json.loads(p.stdout.readline())
    check("a driver that goes away in mid-watch", known[0] == 900 << 20 and known[-1] is None and "the driver has gone" in line["not_seen"], line["not_seen"])
    p.kill()
    p.wait()
    p.stdout.close()


def screen():
    if not terminals():
        return
    env = {**clean, **world(f"gpu NVIDIA_A100 40960 512 20480\nprocess {os.getpid()} 20000\n")}
    t = Terminal([program, "watch", "--interval", "0.2"], environment=env)
    check("screen: devices, chart and processes", t.watch(10, lambda s: "CPU memory" in s and "GPU 0" in s and "PID USER" in s and "\u2584" in s.replace("\u2585", "\u2584").replace("\u2588", "\u2584")), t.screen.text())
    check("screen: header and foot", "plimsoll watch" in t.screen.text().split("\n")[0] and "q quit" in t.screen.text().split("\n")[0], t.screen.text())
    check("screen: colours", any(cell[1] == 2 for row in t.screen.cells for cell in row))
    t.type("g")
    check("screen: g groups", t.watch(5, lambda s: "PROCS" in s and "LIMIT" in s), t.screen.text())
    t.type("g")
    t.type("s")
    check("screen: s sorts", t.watch(5, lambda s: "by GPU memory" in s), t.screen.text())
    t.type("/plimsoll-watch\r")
    check("screen: / filters", t.watch(5, lambda s: "filter: plimsoll-watch" in s and re.search(r"\(\d+ by", s) is not None), t.screen.text())
    t.type("\x1b")
    t.watch(1, lambda s: "filter" not in s)
    t.type("?")
    check("screen: ? helps", t.watch(5, lambda s: "Page Up" in s), t.screen.text())
    t.type("?")
    t.resize(12, 60)
    check("screen: a small window", t.watch(5, lambda s: "CPU memory" in s and "PID USER" in s) and all(len(l) <= 60 for l in t.screen.text().split("\n")), t.screen.text())
    t.resize(4, 20)
    t.watch(0.6)
    t.resize(1, 1)
    t.watch(0.6)
    t.resize(50, 200)
    check("screen: a large window again", t.watch(5, lambda s: "CPU memory" in s), t.screen.text())
    t.type(" ")
    t.watch(0.5)
    before = t.screen.text()
    t.watch(0.7)
    check("screen: space pauses", t.screen.text() == before)
    t.type(" q")
    check("screen: q quits with 0", t.end() == 0)
    t = Terminal([program, "--interval", "0.1", "--alert", "free<1EiB"], environment=clean)
    check("screen: an alert ends it with 4 and is readable after it", t.end() == 4 and "alert: cpu free" in t.screen.text(), t.screen.text())
    # ncurses keeps what it took for a terminal that it then does not know
    t = Terminal([program, "--interval", "0.1"], environment={**clean, "TERM": "nonsense-terminal", "ASAN_OPTIONS": "detect_leaks=0"})
    check("no such terminal: lines instead", t.watch(5, lambda s: s.count("free of") >= 3), t.screen.text())
    os.kill(t.pid, signal.SIGINT)
    check("no such terminal: SIGINT ends it", t.end() == 130)
    t = Terminal([program, "--interval", "0.1"], environment={**clean, "TERM": "dumb"})
    check("TERM=dumb: lines instead", t.watch(5, lambda s: s.count("free of") >= 3), t.screen.text())
    os.kill(t.pid, signal.SIGINT)
    check("TERM=dumb: SIGINT ends it", t.end() == 130)
    for term, colored in (("xterm-256color", True), ("dumb", False)):
        t = Terminal([program, "--once"], environment={**clean, "TERM": term})
        check(f"--once on TERM={term}", t.end() == 0 and any(cell[1] is not None for row in t.screen.cells for cell in row) == colored, t.screen.text())
    t = Terminal([program, "--interval", "0.1"], environment={**clean, "NO_COLOR": "1"})
    t.watch(5, lambda s: "PID USER" in s)
    check("screen: NO_COLOR", all(cell[1] is None for row in t.screen.cells for cell in row))
    os.kill(t.pid, signal.SIGTERM)
    check("screen: SIGTERM ends it with 143", t.end() == 143)


for part in (reports, wrong_usage, output, alerts, one_process, jobs, explained, gpus, driver_goes, screen):
    part()
print(f"{len(failures)} failures")
sys.exit(bool(failures))
