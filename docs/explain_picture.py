#!/usr/bin/env python3
"""Draws docs/explain.svg: what `plimsoll explain` says of examples/train.log, as a terminal shows it.

    docs/explain_picture.py build/libexec/plimsoll/plimsoll-explain >docs/explain.svg
"""
import os
import re
import subprocess
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, COLUMNS = 8.4, 17, 84
COLORS = {"31": "#ff6b5e", "32": "#5fc98a", "33": "#f2c14e", "34": "#7aa2f7", "36": "#6fb7c9", "90": "#6b7278", "2": "#8a9199"}
LOG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "train.log")


def pieces(line):
    """(colour, bold, text) of a line with ANSI codes."""
    color, bold = None, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            code = part[2:-1]
            color, bold = (None, False) if code in ("0", "") else (color, True) if code == "1" else (code, bold)
        elif part:
            yield color, bold, part


def main():
    shown = subprocess.run([sys.argv[1], "explain", "--color", "always", LOG], capture_output=True, text=True, check=True).stdout
    lines = ["$ plimsoll explain examples/train.log"] + shown.rstrip("\n").split("\n")
    width, height = COLUMNS * WIDTH + 24, len(lines) * HEIGHT + 24
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">')
    print(f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#14181c"/>')
    for y, line in enumerate(lines):
        column = 0
        for color, bold, text in pieces(line):
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                print(f'<text x="{12 + column * WIDTH:.1f}" y="{12 + y * HEIGHT + 13}" fill="{COLORS.get(color, "#d0d4d8")}"{weight} xml:space="preserve" '
                      f'textLength="{len(text) * WIDTH:.1f}">{escape(text)}</text>')
            column += len(text)
    print("</svg>")


if __name__ == "__main__":
    main()
