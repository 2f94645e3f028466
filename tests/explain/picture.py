#!/usr/bin/env python3
"""docs/explain.svg is what the program says of examples/train.log.  picture.py PROGRAM ROOT"""
import os
import subprocess
import sys

program, root = sys.argv[1:]
drawn = subprocess.run([sys.executable, os.path.join(root, "docs", "explain_picture.py"), program], capture_output=True, check=True).stdout
with open(os.path.join(root, "docs", "explain.svg"), "rb") as f:
    if f.read() != drawn:
        sys.exit("docs/explain.svg: docs/explain_picture.py %s >docs/explain.svg writes it anew" % program)
