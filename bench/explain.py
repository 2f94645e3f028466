#!/usr/bin/env python3
"""How fast plimsoll explain reads, and how long it takes on a short log. Not a test.

    bench/explain.py [build/libexec/plimsoll/plimsoll-explain] [MEGABYTES]

Prints MB/s of CPU time for a log of MEGABYTES (default 1000) of each kind, read from a file in 16 MiB
of address space; then milliseconds of the whole process on a log of 50 lines."""
import os
import resource
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/libexec/plimsoll/plimsoll-explain"
MEGABYTES = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
OOM = ("RuntimeError: CUDA out of memory. Tried to allocate 98.00 MiB (GPU 0; 1.96 GiB total capacity; 1.41 GiB already allocated; "
       "18.25 MiB free; 1.49 GiB reserved in total by PyTorch)\n")
KINDS = {
    "training": "2024-05-05 10:22:11,120 INFO trainer.py:120 epoch 3 step {} loss 2.1312 lr 0.0001 memory: 12034 time 0.231\n",
    "server": 'INFO:     10.0.0.{}:51234 - "POST /v1/chat/completions HTTP/1.1" 200 OK; 0 processes killed, batch allocated\n',
    "progress bars": "\r {}%|######    | 1200/2000 [01:02<00:33, 19.20it/s, loss=1.23]",
    "JSON": '{{"log":"step {} of the run, all is well\\n","stream":"stdout","time":"2023-05-05T10:00:00.123456789Z"}}\n',
}


def used(argv):
    """CPU seconds of a run in 16 MiB of address space: memory is constant."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdout=out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (16 << 20, 16 << 20)))
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{argv}: status {status}")
    return usage.ru_utime + usage.ru_stime


def main():
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "long.log")
        for name, line in KINDS.items():
            block = "".join(line.format(i % 250) for i in range(20000)).encode()
            with open(log, "wb") as f:
                for _ in range(MEGABYTES * 1000000 // len(block)):
                    f.write(block)
                f.write(b"\n" + OOM.encode())
            seconds = min(used([PROGRAM, "--json", log]) for _ in range(3))
            print(f"{name:14} {os.path.getsize(log) / 1e6 / seconds:7.0f} MB/s")
        with open(log, "w") as f:
            f.write("".join(KINDS["training"].format(i) for i in range(49)) + OOM)
        start = time.perf_counter()
        for _ in range(100):
            subprocess.run([PROGRAM, "--json", log], stdout=subprocess.DEVNULL, check=True)
        cpu = min(used([PROGRAM, "--json", log]) for _ in range(20))
        print(f"50 lines       {(time.perf_counter() - start) * 10:7.2f} ms a run, {cpu * 1000:.2f} ms of it CPU")


main()
