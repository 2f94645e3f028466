#!/usr/bin/env python3
"""Every code point against the reference library, through every normalizer and pre-tokenizer.

    differ_codepoints.py ENCODE_MAIN [--only NAME]

The text is "a" + c + "b" for each of the 1,112,064 characters. The model's vocabulary holds every
character that can come out, so ids show what became of it, and offsets show where it was cut."""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

from tokenizers import Regex, Tokenizer, models, normalizers as N, pre_tokenizers as P

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program")
parser.add_argument("--only", default="")
args = parser.parse_args()

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
BERT = [(a, b, s, l) for a in (True, False) for b in (True, False) for s in (True, False) for l in (True, False)]
NORMALIZERS = {f"bert {b}": N.BertNormalizer(*b) for b in BERT}
NORMALIZERS.update(none=None, lower=N.Lowercase(), nfc=N.NFC(), nfd=N.NFD(), nfkc=N.NFKC(), nfkd=N.NFKD(), nmt=N.Nmt(), accents=N.StripAccents(), strip=N.Strip(), bytes=N.ByteLevel())
SPLITTERS = dict(bert=P.BertPreTokenizer(), words=P.Whitespace(), space=P.WhitespaceSplit(), punctuation=P.Punctuation(), digits=P.Digits(individual_digits=True), scripts=P.UnicodeScripts(), gpt2=P.ByteLevel(add_prefix_space=False),
                 regex=P.Split(Regex(r"[[:alpha:]]+|[[:punct:]]|\p{M}|\d|\s|\w"), "isolated"), fold=P.Split(Regex("(?i)[a-zμσςkßåя]"), "isolated"))


def vocabulary(normalizer):
    out = {"<unk>": 0, "a": 1, "b": 2}
    for c in ALL:
        for x in normalizer.normalize_str(chr(c)) if normalizer else chr(c):
            out.setdefault(x, len(out))
    return out


def packed(part):
    out = bytearray()
    for c in part:
        raw = ("a" + chr(c) + "b").encode()
        out += b"S" + struct.pack("<I", len(raw)) + raw
    return bytes(out)


def compare(name, t):
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8").write(t.to_str())
        for start in range(0, len(ALL), 100000):
            part = ALL[start : start + 100000]
            p = subprocess.run([args.program, folder, "64", "full"], input=packed(part), capture_output=True)
            if p.returncode:
                print(name, p.stderr.decode())
                return 1
            for c, line, e in zip(part, p.stdout.split(b"\n"), t.encode_batch(["a" + chr(c) + "b" for c in part])):
                mine = json.loads(line)
                if mine.get("ids") != e.ids or mine.get("offsets") != [list(o) for o in e.offsets]:
                    bad.append((c, mine, e.ids, e.offsets))
    print(f"{name}: {len(bad)} differ", *[f"{c:04X} {m} {i} {o}" for c, m, i, o in bad[:3]], flush=True)
    return len(bad)


def main():
    total = 0
    for name, normalizer in NORMALIZERS.items():
        if args.only not in "normalizer " + name:
            continue
        t = Tokenizer(models.WordPiece(vocabulary(normalizer), unk_token="<unk>", continuing_subword_prefix=""))
        if normalizer is not None:
            t.normalizer = normalizer
        if name.startswith("bert") or name == "none":
            t.pre_tokenizer = P.BertPreTokenizer()
        total += compare("normalizer " + name, t)
    for name, splitter in SPLITTERS.items():
        if args.only not in "pre-tokenizer " + name:
            continue
        t = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
        t.pre_tokenizer = splitter
        total += compare("pre-tokenizer " + name, t)
    return total != 0


sys.exit(main())
