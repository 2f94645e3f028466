#!/usr/bin/env python3
"""Random tokenizers of every kind against the reference library, text by text.

    differ_tokenizers.py ENCODE_MAIN [--rounds 100] [--seed 1] [--texts 150] [--keep DIR] [--show N]

Each round trains or makes a tokenizer with unusual settings, writes its tokenizer.json and compares ids,
types and offsets of texts (words of many scripts, random Unicode, whatever `fortune` files are there),
of pairs and of truncated ones. ENCODE_MAIN is tests/text/encode_main of the build. Not part of the
test suite: it needs the pinned `tokenizers`, and is as long as it is told to be."""
import argparse
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tokenizer_texts import SENTENCES, charsmap, random_text  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program")
parser.add_argument("--rounds", type=int, default=100)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--texts", type=int, default=150)
parser.add_argument("--show", type=int, default=3)
parser.add_argument("--only", default="", help="only rounds whose kind contains this")
parser.add_argument("--keep", help="where the tokenizers that differ are left")
args = parser.parse_args()


def fortunes():
    out = []
    for path in sorted(glob.glob("/usr/share/games/fortunes/*.u8") + glob.glob("/usr/share/games/fortunes/*/*.u8")):
        try:
            out += [t.strip("\n") for t in open(path, encoding="utf-8").read().split("\n%\n") if 0 < len(t) < 3000]
        except (OSError, UnicodeDecodeError):
            pass
    return out


CORPUS = SENTENCES + fortunes()[:3000]


# ---- parts ----

REGEXES = [
    r"\s+", r"\d", r"\p{L}+|\p{N}+|[^\s\p{L}\p{N}]+", r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", r"[\r\n]", r"\s?[A-Za-z\u00b5\u00c0-\u00d6]+", r"\s?[!-/:-~\uff01-\uff0f\u3001\u3002]+",
    r"\p{Han}|\p{Hiragana}+", r"(?<=\p{L})\p{N}|\b\w", r"a*?b|[^a-z]{2,3}?", r"(?:ab|a)(?>b*)|\w+?(?=\s|$)", r"[[:upper:]][[:lower:]]+|[[:punct:]]",
    r"[\w&&[^\d_]]+", r"^\s*\w|\.$", r"(?x) [aeiou]+ # vowels" "\n" r" | \d+ ", r"(?m:.{1,4})", r"\R|\h{2}", r".", r"[^\p{Cyrillic}]+", r"(\w)?(\s|e*)*n", r"",
]


def pick_regex(r):
    return Regex(unescape(r.choice(REGEXES)))


def unescape(p):
    """\\uXXXX of the list above as the characters themselves."""
    out, i = "", 0
    while i < len(p):
        if p[i : i + 2] == "\\u" and len(p) >= i + 6:
            out += chr(int(p[i + 2 : i + 6], 16))
            i += 6
        elif p[i] == "\\":
            out += p[i : i + 2]
            i += 2
        else:
            out += p[i]
            i += 1
    return out


def pattern(r):
    return pick_regex(r) if r.random() < 0.7 else r.choice([" ", "e", "\u2581", "ab", "--", "\n", "  ", "\u00e9"])


def normalizer(r, depth=0):
    kinds = {
        "bert": lambda: normalizers.BertNormalizer(r.random() < 0.7, r.random() < 0.7, r.choice([None, True, False]), r.random() < 0.5),
        "strip": lambda: normalizers.Strip(r.random() < 0.6, r.random() < 0.6),
        "accents": lambda: normalizers.StripAccents(),
        "nfc": normalizers.NFC, "nfd": normalizers.NFD, "nfkc": normalizers.NFKC, "nfkd": normalizers.NFKD,
        "lower": normalizers.Lowercase, "nmt": normalizers.Nmt,
        "precompiled": lambda: precompiled(r),
        "replace": lambda: normalizers.Replace(pattern(r), r.choice(["", " ", "\u2581", "xy", "\u00fc"])),
        "prepend": lambda: normalizers.Prepend(r.choice(["\u2581", "ab", " "])),
        "bytelevel": normalizers.ByteLevel,
        "sequence": lambda: normalizers.Sequence([normalizer(r, 1) for _ in range(r.randint(0, 3))]),
    }
    names = [k for k in kinds if depth == 0 or k != "sequence"]
    return kinds[r.choice(names + ["sequence"] * (4 if depth == 0 else 0))]()


def precompiled(r):
    import base64
    keys = ["\ufb01", "\u00e9", "e\u0301", "\uff21", "\u3300", "\u00a0", "a", "\r", "\u200b", "\u0300", "\u2126", "x\u0308", "\u0e33", "q\u0301", "\u00df", "\u01c4", "\U0001f600", "\u0600"]
    values = ["", "fi", "e", "A", " ", "\u30a2\u30d1", "bb", "\u00fc", "\u03a9"]
    mapping = {k.encode(): r.choice(values) for k in r.sample(keys, r.randint(2, len(keys)))}
    return normalizers.Precompiled(base64.b64decode(charsmap(mapping)))


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def pre_tokenizer(r, depth=0):
    kinds = {
        "bert": pre_tokenizers.BertPreTokenizer,
        "bytelevel": lambda: pre_tokenizers.ByteLevel(add_prefix_space=r.random() < 0.5, use_regex=r.random() < 0.7),
        "delimiter": lambda: pre_tokenizers.CharDelimiterSplit(r.choice(["-", " ", "e"])),
        "metaspace": lambda: pre_tokenizers.Metaspace(replacement=r.choice(["\u2581", "_"]), prepend_scheme=r.choice(["always", "first", "never"]), split=r.random() < 0.7),
        "whitespace": pre_tokenizers.Whitespace, "whitespacesplit": pre_tokenizers.WhitespaceSplit,
        "split": lambda: pre_tokenizers.Split(pattern(r), r.choice(BEHAVIORS), r.random() < 0.4),
        "punctuation": lambda: pre_tokenizers.Punctuation(r.choice(BEHAVIORS)),
        "digits": lambda: pre_tokenizers.Digits(r.random() < 0.5),
        "scripts": pre_tokenizers.UnicodeScripts,
        "fixed": lambda: pre_tokenizers.FixedLength(length=r.randint(1, 7)),
        "sequence": lambda: pre_tokenizers.Sequence([pre_tokenizer(r, 1) for _ in range(r.randint(1, 3))]),
    }
    names = [k for k in kinds if depth == 0 or k != "sequence"]
    return kinds[r.choice(names + ["sequence"] * (4 if depth == 0 else 0))]()


def post_processor(r, t):
    ids = [(s, t.token_to_id(s)) for s in ("<s>", "</s>")]
    kind = r.randint(0, 5)
    byte_level = processors.ByteLevel(trim_offsets=True, add_prefix_space=r.random() < 0.5)
    template = processors.TemplateProcessing(single=r.choice(["<s> $A </s>", "$A </s>:3", "$A", "<s> <s> $A:2"]), pair=r.choice(["<s> $A </s> $B:1 </s>:1", "$B $A:1 </s>", "$A $B"]), special_tokens=ids)
    return [None, processors.BertProcessing(ids[1], ids[0]), processors.RobertaProcessing(ids[1], ids[0], r.random() < 0.6, r.random() < 0.5), byte_level, template, processors.Sequence([byte_level, template])][kind]


def added(r):
    out = []
    for content in r.sample(["<mask>", "SINGLE", "LEFT", "RIGHT", "BOTH", "[SEP]", "caf\u00e9", "YES", "new york", " x", "ab", "abc", "\u4e2d", "\u2581", "Ab", "--", "na\u00efve", "E\u0301"], r.randint(0, 8)):
        out.append(AddedToken(content, single_word=r.random() < 0.3, lstrip=r.random() < 0.3, rstrip=r.random() < 0.3, normalized=r.random() < 0.5, special=r.random() < 0.5))
    return out


def words(r, t):
    """Pieces that the tokenizer's own first stages make of the corpus."""
    out = []
    for text in r.sample(CORPUS, min(len(CORPUS), 300)):
        n = t.normalizer.normalize_str(text) if t.normalizer else text
        out += [p for p, _ in t.pre_tokenizer.pre_tokenize_str(n)] if t.pre_tokenizer else [n]
    return out


def make(r):
    kind = r.choice(["wordpiece", "wordlevel", "bpe", "bpe", "unigram", "unigram"])
    special = ["<s>", "</s>", "<unk>", "<pad>"]
    if kind == "wordpiece":
        prefix = r.choice(["##", "##", "", "@@"])
        t, trainer = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice([100, 5, 20]), continuing_subword_prefix=prefix)), trainers.WordPieceTrainer(vocab_size=r.choice([300, 1500]), special_tokens=special, continuing_subword_prefix=prefix or "##", show_progress=False)
    elif kind == "wordlevel":
        t, trainer = Tokenizer(models.WordLevel(unk_token="<unk>")), trainers.WordLevelTrainer(vocab_size=800, special_tokens=special, show_progress=False)
    elif kind == "bpe":
        fallback = r.random() < 0.3
        options = dict(unk_token=r.choice([None, "<unk>"]), fuse_unk=r.random() < 0.5, byte_fallback=fallback, ignore_merges=r.random() < 0.3)
        affixes = {}
        if not fallback:
            affixes = dict(continuing_subword_prefix=r.choice([None, None, "##"]), end_of_word_suffix=r.choice([None, None, "</w>"]))
        bytes_ = [f"<0x{b:02X}>" for b in range(256)] if fallback and r.random() < 0.8 else []
        t, trainer = Tokenizer(models.BPE(**options, **{k: v for k, v in affixes.items() if v})), trainers.BpeTrainer(vocab_size=r.choice([400, 2000]), special_tokens=special + bytes_, limit_alphabet=r.choice([1000, 60]), show_progress=False, **{k: v for k, v in affixes.items() if v})
    else:
        t, trainer = Tokenizer(models.Unigram()), trainers.UnigramTrainer(vocab_size=r.choice([300, 1000]), unk_token="<unk>", special_tokens=special, show_progress=False)
    if r.random() < 0.7:
        t.normalizer = normalizer(r)
    if r.random() < 0.85:
        t.pre_tokenizer = pre_tokenizer(r)
    t.train_from_iterator(r.sample(CORPUS, min(len(CORPUS), 400)), trainer)
    state = json.loads(t.to_str())
    state["added_tokens"] = [a for a in state["added_tokens"] if not a["content"].startswith("<0x")]
    if kind == "unigram" and r.random() < 0.4:
        state["model"]["byte_fallback"] = True
        state["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
    t = Tokenizer.from_str(json.dumps(state))
    p = post_processor(r, t)
    if p is not None:
        t.post_processor = p
    t.add_tokens(added(r))
    return kind, t


# ---- comparing ----


def packed(items):
    out = bytearray()
    for item in items:
        out += b"P" if len(item) == 2 else b"S"
        for text in item:
            raw = text.encode("utf-8")
            out += struct.pack("<I", len(raw)) + raw
    return bytes(out)


def ours(folder, items, length):
    p = subprocess.run([args.program, folder, str(length), "full"], input=packed(items), capture_output=True)
    if p.returncode:
        return None, p.stderr.decode("utf-8", "replace").strip()
    return [json.loads(l) for l in p.stdout.split(b"\n") if l], ""


def theirs(t, item, length):
    if length:
        t.enable_truncation(length)
    else:
        t.no_truncation()
    try:
        e = t.encode(*item)
    except BaseException as error:  # the library panics on some texts
        return {"error": str(error)}
    return {"ids": e.ids, "types": e.type_ids, "offsets": [list(o) for o in e.offsets]}


def same(mine, right):
    if "error" in right:
        return True  # nothing to compare with
    return all(mine.get(k) == right[k] for k in right)


def main():
    bad = refused = compared = 0
    for number in range(args.seed, args.seed + args.rounds):
        r = random.Random(number)
        try:
            kind, t = make(r)
            state = t.to_str()
            t = Tokenizer.from_str(state)  # as it is loaded
        except BaseException as error:
            print(f"{number}: not made: {str(error)[:100]}")
            continue
        if args.only and args.only not in kind:
            continue
        texts = [r.choice(CORPUS) for _ in range(args.texts // 2)] + [random_text(r) for _ in range(args.texts // 2)]
        items = [(x,) for x in texts]
        pairs = [(r.choice(texts), r.choice(texts)) for _ in range(args.texts // 5)]
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8").write(state)
            special = max(t.num_special_tokens_to_add(True), t.num_special_tokens_to_add(False))
            for what, batch, length in (("texts", items, 0), ("pairs", pairs, 0), ("cut", items, special + r.choice([1, 2, 5, 20])), ("cut pairs", pairs, special + r.choice([1, 2, 5, 9, 30])), ("long, cut", [("".join(r.choice(texts) + r.choice(["", " ", "\n"]) for _ in range(r.choice([60, 200]))),) for _ in range(6)], special + r.choice([1, 5, 20, 60]))):
                got, trouble = ours(folder, batch, length or 200000)
                if got is None:
                    refused += 1
                    print(f"{number} {kind}: refused: {trouble}")
                    break
                wrong = [(i, m, w) for i, (m, w) in enumerate(zip(got, (theirs(t, b, length) for b in batch))) if not same(m, w)]
                compared += len(batch)
                if not wrong:
                    continue
                bad += 1
                brief = json.loads(state)
                parts = {k: brief[k] for k in ("normalizer", "pre_tokenizer", "post_processor")}
                print(f"{number} {kind} {what} {length}: {len(wrong)} of {len(batch)} differ; " + ascii(json.dumps(parts))[:700])
                for i, m, w in wrong[: args.show]:
                    key = next(k for k in w if m.get(k) != w[k])
                    a, b = m.get(key), w[key]
                    at = next((j for j, (x, y) in enumerate(zip(a or [], b)) if x != y), min(len(a or []), len(b)))
                    print(f"    {key} at {at}: {(a or [m.get('error')])[at:at + 4]} instead of {b[at:at + 4]} in {ascii(batch[i])[:300]}")
                if args.keep:
                    os.makedirs(os.path.join(args.keep, str(number)), exist_ok=True)
                    open(os.path.join(args.keep, str(number), "tokenizer.json"), "w", encoding="utf-8").write(state)
                break
    print(f"{compared} texts compared, {bad} tokenizers differ, {refused} refused")
    return bad != 0


sys.exit(main())
