#!/usr/bin/env python3
"""What watching costs: at most 8 MiB and half a percent of a core at one sample a second, and no
growth however long it runs. watch_cost.py PROGRAM"""
import os
import signal
import subprocess
import sys
import time

from terminal import Terminal, terminals

program = sys.argv[1]


def status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key))


def cpu(pid):
    with open(f"/proc/{pid}/schedstat" if os.path.exists(f"/proc/{pid}/schedstat") else f"/proc/{pid}/stat") as f:
        text = f.read()
    if text.count(" ") < 5:
        return int(text.split()[0]) / 1e9
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if not terminals():
    sys.exit(77)
t = Terminal([program, "watch"])
t.watch(3)
seconds, start = 10, (time.monotonic(), cpu(t.pid))
t.watch(seconds)
used = (cpu(t.pid) - start[1]) / (time.monotonic() - start[0])
peak = status(t.pid, "VmHWM")
t.type("q")
t.end()

p = subprocess.Popen([program, "--json", "--interval", "0.05"], stdout=subprocess.DEVNULL)
time.sleep(2)
early = status(p.pid, "RssAnon")
time.sleep(6)  # 120 samples: two minutes of a watch
growth = status(p.pid, "RssAnon") - early
p.send_signal(signal.SIGTERM)
p.wait()

print(f"screen: {used * 100:.2f} % of a core, peak {peak} KiB; growth over 120 samples {growth} KiB")
sys.exit(not (used <= 0.005 and peak <= 8192 and growth <= 64))
