#!/usr/bin/env python3
"""Draws docs/watch.svg: the screen of `plimsoll watch` beside a process that takes memory, as a
terminal shows it. With the tests' stand-in for NVIDIA's library, a GPU that fills up is on it too:

    docs/watch_picture.py build/libexec/plimsoll/plimsoll-watch build/tests/watch/nvml >docs/watch.svg
"""
import os
import subprocess
import sys
import tempfile
import threading
import time
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "watch"))
from terminal import Terminal  # noqa: E402

ROWS, COLUMNS, WIDTH, HEIGHT, SECONDS = 20, 112, 8.4, 17, 26
COLORS = {None: "#d0d4d8", 1: "#ff6b5e", 2: "#5fc98a", 3: "#f2c14e", 6: "#6fb7c9"}
GROW = "import time\nb = []\nfor i in range(70):\n    b.append(bytearray(12 << 20)); time.sleep(.4)\n"


def runs(row):
    """Cells of one look together: (start, text, colour, flags)."""
    start = 0
    while start < len(row):
        end = start
        while end < len(row) and row[end][1:] == row[start][1:]:
            end += 1
        yield start, "".join(c[0] for c in row[start:end]), *row[start][1:]
        start = end


def draw(screen):
    width, height = COLUMNS * WIDTH + 24, ROWS * HEIGHT + 24
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
           f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#14181c"/>']
    for y, row in enumerate(screen.cells):
        for x, text, color, flags in runs(row):
            fill, left, top = COLORS.get(color, COLORS[None]), 12 + x * WIDTH, 12 + y * HEIGHT
            if "reverse" in flags:
                out.append(f'<rect x="{left:.1f}" y="{top}" width="{len(text) * WIDTH:.1f}" height="{HEIGHT}" fill="#d0d4d8"/>')
                fill = "#14181c"
            if text.strip():
                bold = ' font-weight="bold"' if "bold" in flags else ""
                out.append(f'<text x="{left:.1f}" y="{top + 13}" fill="{fill}"{bold} xml:space="preserve" textLength="{len(text) * WIDTH:.1f}">{escape(text)}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    program, nvml = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as folder:
        gpus = os.path.join(folder, "gpus")
        job = subprocess.Popen([sys.executable, "-c", GROW])
        used = [6000]

        def fill():
            while job.poll() is None:
                with open(gpus + ".new", "w") as f:
                    f.write(f"gpu NVIDIA_A100-SXM4-40GB 40960 500 {used[0]}\nprocess {job.pid} {used[0] - 400}\n")
                os.rename(gpus + ".new", gpus)
                used[0] = min(used[0] + 210, 40000)
                time.sleep(0.2)

        threading.Thread(target=fill, daemon=True).start()
        time.sleep(0.3)
        t = Terminal([program, "watch", "--interval", "0.25", "--pid", str(job.pid)], ROWS, COLUMNS, {"LD_LIBRARY_PATH": nvml, "FAKE_NVML": gpus})
        t.watch(SECONDS)
        sys.stdout.write(draw(t.screen))
        t.type("q")
        t.end()
        job.kill()
        job.wait()


main()
