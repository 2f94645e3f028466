#!/usr/bin/env python3
"""Writes tests/golden/tokenizer: small tokenizers of every kind, and what the pinned library makes of
texts of a dozen languages with them.

    python tests/golden/make_tokenizers.py        (tokenizers 0.23.3; training breaks ties as it likes, so files may differ)

Each case is a folder with the tokenizer's files and expected.json: a list of
{"texts": [i] or [i, j], "length": n, "ids": [...], "types": [...], "offsets": [[a, b], ...]},
where i and j count in texts.json. `length` 0 is no truncation."""
import base64
import json
import os
import random
import shutil
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers as N, pre_tokenizers as P, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from tokenizer_texts import SENTENCES, charsmap, random_text  # noqa: E402

OUT = os.path.join(HERE, "tokenizer")
TEXTS = SENTENCES + [random_text(random.Random(i)) for i in range(60)]
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>"]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
FLAGS = [AddedToken("<mask>", lstrip=True, normalized=False, special=True), AddedToken("SINGLE", single_word=True, normalized=False), AddedToken("LEFT", lstrip=True, normalized=True),
         AddedToken("RIGHT", rstrip=True, normalized=False), AddedToken("BOTH", lstrip=True, rstrip=True, normalized=True), AddedToken("yes", normalized=True), AddedToken("caf\u00e9", normalized=True), AddedToken("new york", single_word=True), AddedToken("ab"), AddedToken("abc")]


def make(model, trainer, normalizer=None, splitter=None, post=None, added=()):
    t = Tokenizer(model)
    if normalizer is not None:
        t.normalizer = normalizer
    if splitter is not None:
        t.pre_tokenizer = splitter
    t.train_from_iterator(SENTENCES, trainer)
    if post == "template":
        ids = [(s, t.token_to_id(s)) for s in SPECIAL[:2]]
        t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids)
    elif post:
        t.post_processor = post(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    t.add_tokens(list(added))
    return t


def wordpiece(n=500, special=SPECIAL, **options):
    return models.WordPiece(unk_token=special[2], **options), trainers.WordPieceTrainer(vocab_size=n, special_tokens=special, show_progress=False)


def bpe(n=500, special=SPECIAL, alphabet=(), **options):
    affix = {k: v for k, v in options.items() if k in ("end_of_word_suffix", "continuing_subword_prefix")}
    return models.BPE(**options), trainers.BpeTrainer(vocab_size=n, special_tokens=special, show_progress=False, initial_alphabet=list(alphabet), **affix)


def unigram(n=1000):
    return models.Unigram(), trainers.UnigramTrainer(vocab_size=n, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)


def roberta(trim, prefix):
    return lambda sep, cls: processors.RobertaProcessing(sep, cls, trim, prefix)


def with_bytes(t):
    state = json.loads(t.to_str())
    state["model"]["byte_fallback"] = True
    state["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
    return Tokenizer.from_str(json.dumps(state))


def cases():
    bert = N.BertNormalizer
    yield "wordpiece_uncased", make(*wordpiece(), bert(), P.BertPreTokenizer(), "template")
    yield "wordpiece_cased", make(*wordpiece(), bert(lowercase=False), P.BertPreTokenizer(), processors.BertProcessing, [AddedToken("<mask>", special=True)])
    yield "wordpiece_flags", make(*wordpiece(), bert(), P.BertPreTokenizer(), "template", FLAGS)
    yield "wordpiece_short", make(*wordpiece(continuing_subword_prefix="##", max_input_chars_per_word=6), bert(True, False, False, True), P.BertPreTokenizer())
    yield "wordpiece_unclean", make(*wordpiece(), bert(False, True, True, False), P.BertPreTokenizer())
    yield "wordlevel", make(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False), N.Sequence([N.NFKC(), N.Lowercase(), N.StripAccents()]), P.Sequence([P.Whitespace(), P.Digits(individual_digits=True)]), "template")
    yield "bpe_roberta", make(*bpe(alphabet=P.ByteLevel.alphabet()), None, P.ByteLevel(add_prefix_space=False), roberta(True, False), [AddedToken("<mask>", lstrip=True, special=True)])
    yield "bpe_prefix_space", make(*bpe(alphabet=P.ByteLevel.alphabet()), N.NFC(), P.ByteLevel(add_prefix_space=True), roberta(True, True))
    yield "bpe_llama3", make(*bpe(alphabet=P.ByteLevel.alphabet(), ignore_merges=True), None, P.Sequence([P.Split(Regex(LLAMA3), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), "template")
    yield "bpe_llama2", make(*bpe(900, SPECIAL + [f"<0x{b:02X}>" for b in range(256)], byte_fallback=True, fuse_unk=True, unk_token="<unk>"), N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]), None, "template")
    yield "bpe_clip", make(*bpe(600, unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True), N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]), P.Split(Regex(CLIP), "removed", invert=True), roberta(False, False))
    map_ = base64.b64decode(charsmap({"\ufb01".encode(): "fi", "\uff21".encode(): "A", "\u00a0".encode(): " ", "\u3000".encode(): " ", "\t".encode(): " ", "\n".encode(): " ", "e\u0301".encode(): "\u00e9", "\u200b".encode(): "", "\u2126".encode(): "\u03a9", "a".encode(): "a"}))
    yield "unigram_metaspace", make(*unigram(), N.Sequence([N.Precompiled(map_), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace(), "template", FLAGS[:4])
    yield "unigram_first", make(*unigram(), N.Sequence([N.Nmt(), N.NFKC(), N.Strip()]), P.Metaspace(prepend_scheme="first", split=False))
    yield "unigram_bytes", with_bytes(make(*unigram(), N.NFKD(), P.Sequence([P.UnicodeScripts(), P.Punctuation("contiguous"), P.FixedLength(length=9)])))


def files(name, t, folder):
    """A case is its tokenizer.json, or for some the files that came before it."""
    os.makedirs(folder)
    open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8").write(json.dumps(json.loads(t.to_str()), ensure_ascii=False))


def folder_cases():
    bert = ["[PAD]", "[CLS]", "[UNK]", "[SEP]", "[MASK]"]
    t = make(*wordpiece(special=bert), N.BertNormalizer(lowercase=False, handle_chinese_chars=False), P.BertPreTokenizer())
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[(s, t.token_to_id(s)) for s in ("[CLS]", "[SEP]")])
    words = sorted(t.get_vocab(), key=t.get_vocab().get)
    config = {"do_lower_case": False, "tokenize_chinese_chars": False, "tokenizer_class": "BertTokenizer"}
    yield "folder_bert", t, {"vocab.txt": "".join(w + "\n" for w in words), "tokenizer_config.json": json.dumps(config)}
    t = make(*bpe(special=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], alphabet=P.ByteLevel.alphabet()), None, P.ByteLevel(add_prefix_space=False), roberta(True, False))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    model = json.loads(t.to_str())["model"]
    yield "folder_roberta", t, {"vocab.json": json.dumps(model["vocab"], ensure_ascii=False), "merges.txt": "#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in model["merges"]), "tokenizer_config.json": json.dumps({"tokenizer_class": "RobertaTokenizer", "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False}})}


def expect(t, r):
    out = []
    n = len(TEXTS)
    special = max(t.num_special_tokens_to_add(True), t.num_special_tokens_to_add(False))
    jobs = [([i], 0) for i in range(n)] + [([r.randrange(n), r.randrange(n)], 0) for _ in range(10)]
    jobs += [([r.randrange(n)], special + r.choice([1, 3, 8])) for _ in range(20)] + [([r.randrange(n), r.randrange(n)], special + r.choice([1, 2, 3, 5, 9, 14])) for _ in range(30)]
    for which, length in jobs:
        t.no_truncation()
        if length:
            t.enable_truncation(length)
        try:
            e = t.encode(*(TEXTS[i] for i in which))
        except BaseException:  # the library panics on a few
            continue
        out.append({"texts": which, "length": length, "ids": e.ids, "types": e.type_ids, "offsets": [list(o) for o in e.offsets]})
    t.no_truncation()
    return out


def write(name, t, others=None):
    folder = os.path.join(OUT, name)
    files(name, t, folder)
    if others:
        os.remove(os.path.join(folder, "tokenizer.json"))
        for file, text in others.items():
            open(os.path.join(folder, file), "w", encoding="utf-8", newline="\n").write(text)
    loaded = t if others else Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    rows = expect(loaded, random.Random(name))
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


def main():
    assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    with open(os.path.join(OUT, "texts.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(t) for t in TEXTS) + "\n]\n")
    for name, t in cases():
        write(name, t)
    for name, t, others in folder_cases():
        write(name, t, others)


main()
