#!/usr/bin/env python3
"""The rules of the house, as tests: house.py CHECK ROOT, with CHECK one of

  includes  imports point only upwards through the rooms, and no ban is broken
  length    no C file is longer than 600 lines, no line of code than 200 characters
  paths     no absolute path of somebody's machine, no file too large for the tree
  style     no tabs, no blanks at a line's end, a newline at the end, include guards, no unfinished marks
  selftest  each of the above finds the breach that is planted for it

Prints every breach as FILE:LINE: what, and exits 1 if there was one. Standard library only."""
import os
import re
import subprocess
import sys
import tempfile

# The rooms from the ground up: a room may use itself and what stands before it. Sub-rooms are
# folders; the first match of the longest folder counts.
ORDER = ["base", "os", "json", "text", "hub", "device", "program", "model", "plan", "exec", "govern",
         "infer", "train"]
# Rooms of programs of their own, and what else they may use.
APART = {
    "cli": {"base", "json"},
    "explain": {"base", "os", "json", "text", "hub", "model", "plan", "program"},
    "watch": {"base", "os", "json", "explain"},
    "pull": {"base", "json", "hub"},
    "pytorch": {"base", "os", "json", "hub", "model", "plan"},
}
# Room: rooms that it must not use although they stand before it.
BANS = {
    "device": {"model", "plan", "train", "hub", "text", "program"},
    "exec": {"model", "plan"},
    "device/cpu": {"device/cuda"},
    "device/cuda": {"device/cpu"},
    "plan": {"os"},  # pure: no I/O
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STRING = re.compile(r'"(\\.|[^"\\])*"')
MAX_LINES, MAX_WIDTH = 600, 200
MAX_BYTES = 1 << 20
SOURCES = (".c", ".h", ".cu", ".S")
SKIP = ("build", ".git", ".cache", "__pycache__")


def files(root):
    """Tracked and untracked, not ignored, relative to root; all of them where git knows nothing."""
    found = []
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=True).stdout
        found = [f.decode("utf-8", "surrogateescape") for f in out.split(b"\0") if f]
    except (OSError, subprocess.CalledProcessError):
        pass
    if not found:
        for folder, inside, names in os.walk(root):
            inside[:] = [d for d in inside if not d.startswith(SKIP)]
            found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(f for f in set(found) if os.path.isfile(os.path.join(root, f)))


def lines(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="surrogateescape", newline="\n") as f:
        return f.read().split("\n")


def room_of(path):
    """"src/device/cpu/avx2/gemm.c" -> ["device", "device/cpu", "device/cpu/avx2"]."""
    parts = path.split("/")[1:-1]
    return ["/".join(parts[:i + 1]) for i in range(len(parts))]


def allowed(mine, theirs):
    """May a file in the rooms `mine` (outermost first) include one of the rooms `theirs`?"""
    me, them = mine[0], theirs[0]
    for inner in mine:
        for other in theirs:
            if other in BANS.get(inner, ()):
                return f"{inner} never includes {other}"
    if me == them:
        return ""
    if me in APART:
        return "" if them in APART[me] else f"{me} may use only the public header and {', '.join(sorted(APART[me]))}"
    if me not in ORDER:
        return f"the room {me} is not in the list of rooms"
    if them not in ORDER:
        return f"the room {them} is not below {me}"
    if ORDER.index(them) > ORDER.index(me):
        return f"{them} stands above {me}: imports point only towards the ground"
    return ""


def check_includes(root):
    headers = {f for f in files(root) if f.startswith("src/") and f.endswith((*SOURCES, ".def"))}
    for name in sorted(h for h in headers if h.endswith(SOURCES)):
        mine = room_of(name)
        if not mine:
            yield name, 1, "stands in no room"
            continue
        for number, line in enumerate(lines(root, name), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            wanted = m.group(2)
            if m.group(1) == '"':
                target = "src/" + wanted
                if target not in headers:
                    beside = os.path.normpath(os.path.join(os.path.dirname(name), wanted))
                    what = f'write it from src: "{beside[4:]}"' if beside in headers else "there is no such file below src"
                    yield name, number, f'#include "{wanted}": {what}'
                    continue
                fault = allowed(mine, room_of(target))
                if fault:
                    yield name, number, f'#include "{wanted}": {fault}'
            elif mine[0] == "device" and len(mine) > 1 and wanted.startswith(("sys/", "fcntl", "unistd")) and "cpu.c" not in name and "isa" not in name:
                yield name, number, f"#include <{wanted}>: kernels touch no file and no system call"
    for name in (f for f in files(root) if f.startswith("include/") and f.endswith(".h")):
        for number, line in enumerate(lines(root, name), 1):
            m = INCLUDE.match(line)
            if m and (m.group(1) == '"' or not m.group(2).startswith("std")):
                yield name, number, f"{line.strip()}: the public header includes only the standard's headers"
    for name in (f for f in files(root) if f.startswith("examples/") and f.endswith(".c")):
        for number, line in enumerate(lines(root, name), 1):
            m = INCLUDE.match(line)
            if m and m.group(1) == '"':
                yield name, number, f"{line.strip()}: examples use the installed header only"


def check_length(root):
    for name in files(root):
        if not name.endswith(SOURCES):
            continue
        text = lines(root, name)
        count = len(text) - (text[-1] == "")
        if count > MAX_LINES:
            yield name, count, f"{count} lines: a file has at most {MAX_LINES}, this one wants a second room"
        generated = text[0].startswith("/* Generated by ")  # tables: read by a compiler
        for number, line in enumerate([] if generated else text, 1):
            code = STRING.sub('""', line)  # a sentence is not cut
            if len(code) > MAX_WIDTH:
                yield name, number, f"{len(code)} characters: a line has at most {MAX_WIDTH}"


# Written in two halves, so that this file does not find itself.
ABSOLUTE = re.compile("(?<![\\w.}/])/(wor" + "k|ro" + "ot|ho" + "me/[a-z]+|Us" + "ers/|far" + "m)(/|\\b)")


def check_paths(root):
    for name in files(root):
        path = os.path.join(root, name)
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            yield name, 1, f"{size} bytes: files of more than {MAX_BYTES} do not belong into the tree"
        with open(path, "rb") as f:
            data = f.read(MAX_BYTES)
        if b"\0" in data or name.startswith(("tests/explain/", "tests/fuzz/seeds/")):
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            m = ABSOLUTE.search(line)
            if m:
                yield name, number, f"{m.group(0)!r}: an absolute path of one machine"


UNFINISHED = re.compile(r"\b(TO" + "DO|FIX" + "ME|X" + r"XX|HA" + "CK)\\b|not (yet )?imple" + "mented|for n" + "ow\\b")


def check_style(root):
    for name in files(root):
        if not name.endswith(SOURCES + (".py", ".sh", ".cmake")) and os.path.basename(name) not in ("dev", "CMakeLists.txt"):
            continue
        text = lines(root, name)
        if text[-1] != "":
            yield name, len(text), "no newline at the end"
        for number, line in enumerate(text, 1):
            if "\t" in line:
                yield name, number, "a tab"
            if line.endswith((" ", "\r")):
                yield name, number, "a blank at the end"
            if UNFINISHED.search(line):
                yield name, number, f"unfinished by its own word: {line.strip()[:60]}"
        if name.endswith(".h") and name.startswith(("src/", "include/")):
            code = [(i, l) for i, l in enumerate(text, 1) if re.match(r"\s*#\s*(ifndef|define|pragma)", l)]
            if len(code) < 2 or not code[0][1].startswith("#ifndef") or code[0][1].split()[1] != code[1][1].split()[1]:
                yield name, code[0][0] if code else 1, "no include guard first"


CHECKS = {"includes": check_includes, "length": check_length, "paths": check_paths, "style": check_style}


def selftest():
    planted = {
        "includes": [("src/exec/a.c", '#include "plan/plan.h"\n'), ("src/device/a.c", '#include "model/model.h"\n'),
                     ("src/cli/a.c", '#include "infer/infer.h"\n'), ("src/base/a.c", '#include "os/os.h"\n'),
                     ("src/device/cpu/a.c", '#include "device/cuda/a.h"\n'), ("src/os/b.c", '#include "nothing.h"\n'),
                     ("src/os/c.c", '#include "os.h"\n'), ("examples/a.c", '#include "base/base.h"\n')],
        "length": [("src/base/long.c", "int x;\n" * (MAX_LINES + 1)), ("src/base/wide.c", "/* " + "x" * MAX_WIDTH + " */\n")],
        "paths": [("tests/a.py", "open('/ho" + "me/somebody/x')\n"), ("docs/b.md", "see /wor" + "k/x\n")],
        "style": [("src/base/tab.c", "int\tx;\n"), ("src/base/end.c", "int x; \n"), ("src/base/cut.c", "int x;"),
                  ("src/base/do.c", "/* TO" + "DO */\n"), ("src/base/bare.h", "int x;\n")],
    }
    always = {"src/plan/plan.h": "", "src/model/model.h": "", "src/infer/infer.h": "", "src/os/os.h": "",
              "src/base/base.h": "", "src/device/cuda/a.h": "",
              "src/exec/good.c": '#include "device/device.h"\n#include <string.h>\n', "src/device/device.h": "",
              "src/infer/good.c": '#include "plan/plan.h"\n#include "exec/exec.h"\n', "src/exec/exec.h": ""}
    for name, check in CHECKS.items():
        with tempfile.TemporaryDirectory() as root:
            for path, text in list(always.items()) + planted[name]:
                if path.endswith(".h") and path in always:
                    guard = re.sub(r"\W", "_", path).upper()
                    text = f"#ifndef {guard}\n#define {guard}\n#endif\n"
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w") as f:
                    f.write(text)
            found = {f for f, _, _ in check(root)}
            wanted = {f for f, _ in planted[name]}
            if found != wanted:
                yield name, 1, f"missed {sorted(wanted - found)}, blamed {sorted(found - wanted)}"


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in [*CHECKS, "selftest"]:
        sys.exit(__doc__)
    breaches = list(selftest() if sys.argv[1] == "selftest" else CHECKS[sys.argv[1]](sys.argv[2]))
    for name, number, what in breaches:
        print(f"{name}:{number}: {what}")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
