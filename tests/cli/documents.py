#!/usr/bin/env python3
"""The manual page and the completions in the tree are what plimsoll-doc prints from the command's tables.

documents.py PLIMSOLL_DOC ROOT   Standard library only."""
import os
import shutil
import subprocess
import sys

program, root = sys.argv[1:]
FILES = {"man": "docs/man/plimsoll.1", "bash": "completions/plimsoll.bash", "zsh": "completions/_plimsoll", "fish": "completions/plimsoll.fish"}
faults = []
for kind, name in FILES.items():
    want = subprocess.run([program, kind], capture_output=True, check=True).stdout
    try:
        with open(os.path.join(root, name), "rb") as f:
            have = f.read()
    except OSError:
        have = b""
    if have != want:
        faults.append(f"{name} is not what the tables say: `ninja -C build documents` writes it anew")
    if shutil.which(kind) and kind != "man" and subprocess.run([kind, "-n", os.path.join(root, name)]).returncode:
        faults.append(f"{name} is no {kind}")
if subprocess.run([program, "nonsense"], capture_output=True).returncode != 2:
    faults.append("plimsoll-doc takes nonsense")


def complete(*words):
    script = f'source "{root}/completions/plimsoll.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plimsoll 2>/dev/null; echo "${{COMPREPLY[@]}}"'
    return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True).stdout.split()


if shutil.which("bash"):
    for words, want in ((("plimsoll", "cl"), ["classify"]), (("plimsoll", "embed", "--pool"), ["--pooling"]), (("plimsoll", "embed", "--pooling", "m"), ["mean", "max"]),
                        (("plimsoll", "tokenize", "--top"), []), (("plimsoll", "help", "tok"), ["tokenize"]), (("plimsoll", "embed", "--memory", ""), []),
                        (("plimsoll", "embed", "--pooling", "=", "m"), ["mean", "max"]), (("plimsoll", "embed", "--format", "="), ["jsonl", "npy"])):
        got = complete(*words)
        if sorted(got) != sorted(want):
            faults.append(f"bash completes {' '.join(words)} to {got} instead of {want}")
print("\n".join(faults))
sys.exit(1 if faults else 0)
