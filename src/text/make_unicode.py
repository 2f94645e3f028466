#!/usr/bin/env python3
"""Writes unicode_tables.c: what the `tokenizers` library knows of each code point.

The library is built on several crates of several Unicode versions (9 for decomposition, an older one
for categories, 16 inside its regular expressions). So nothing here comes from a Unicode file: every
code point is shown to the library, one property at a time, and its answer is the table. Run again
after a change of the pinned version:

    python src/text/make_unicode.py > src/text/unicode_tables.c
"""
import base64
import json
import struct
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, models
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

PINNED = "0.23.3"
ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
# Unicode's scripts by name; what the library does not know is left out.
SCRIPTS = """Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki
Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common
Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan
Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul
Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese
Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu
Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin
Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari
Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic
Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong
Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham
SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham
Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Vai Vithkuqi
Wancho Warang_Citi Yezidi Yi Zanabazar_Square""".split()
L, V, T = range(0x1100, 0x1113), range(0x1161, 0x1176), range(0x11A8, 0x11C3)
SYLLABLES = range(0xAC00, 0xD7A4)


def normalized(normalizer):
    """What the normalizer makes of each single code point."""
    return {c: normalizer.normalize_str(chr(c)) for c in ALL}


def removed(pre_tokenizer):
    """The code points that a pre-tokenizer with behaviour `removed` takes away."""
    out = set()
    for i in range(0, len(ALL), 40000):
        part = ALL[i : i + 40000]
        kept = set()
        for _, (a, b) in pre_tokenizer.pre_tokenize_str("".join(map(chr, part))):
            kept.update(part[a:b])
        out.update(set(part) - kept)
    return out


def matched(pattern):
    return removed(P.Split(Regex(pattern), "removed"))


def joined_by_whitespace_pre_tokenizer():
    """Code points that \\w of the regex crate matches: "ac" stays one word."""
    out, pre = set(), P.Whitespace()
    for i in range(0, len(ALL), 20000):
        part = ALL[i : i + 20000]
        for _, (a, b) in pre.pre_tokenize_str("".join("a" + chr(c) + " " for c in part)):
            if b - a == 2 and a % 3 == 0:
                out.add(part[a // 3])
    return out


def bert(**switches):
    return N.BertNormalizer(**{"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False, **switches})


# ---- combining classes, seen by what swaps with what ----


def combining_classes(nfd):
    f = N.NFD().normalize_str
    last = "\u0345"  # the only character of the highest class
    probes = {240: last}
    for c in ALL:
        k = unicodedata.combining(chr(c))
        if k and nfd[c] == chr(c) and k not in probes and f("a" + last + chr(c)) != "a" + last + chr(c):
            probes[k] = chr(c)
    # a probe is trusted only if the library orders all probes as their classes say
    order = sorted(probes)
    for i, a in enumerate(order):
        for b in order[i + 1 :]:
            assert f("a" + probes[b] + probes[a]) == "a" + probes[a] + probes[b], (a, b)
    top = probes[order[-1]]
    classes = {}
    for c in ALL:
        ch = chr(c)
        if nfd[c] != ch:
            continue
        if ch in probes.values():
            classes[c] = next(k for k in order if probes[k] == ch)
        elif f("a" + top + ch) != "a" + top + ch:
            below = [k for k in order if f("a" + probes[k] + ch) == "a" + ch + probes[k]]  # class < k
            classes[c] = order[order.index(below[0]) - 1] if below[0] != order[0] else None
            assert classes[c] is not None, hex(c)
    return classes


def composition_pairs(nfd):
    nfc = N.NFC().normalize_str
    pairs = {}
    for c in ALL:
        d = nfd[c]
        if len(d) > 1 and c not in SYLLABLES and nfc(chr(c)) == chr(c):
            first = nfc(d[:-1])
            assert len(first) == 1, hex(c)
            pairs[(ord(first), ord(d[-1]))] = c
    return pairs


# ---- grapheme clusters, seen through the Precompiled normalizer ----


def charsmap(mapping):
    """A precompiled_charsmap of {bytes: str}: a double array of blocks of 256 units."""
    units, blob, children = {}, b"", {}
    for key, value in mapping.items():
        node = children
        for byte in key:
            node = node.setdefault(byte, {})
        node[-1] = value
    offsets, next_block = {}, 1

    def place(node, position, label):
        nonlocal next_block, blob
        block = next_block
        next_block += 1
        leaf = -1 in node
        shift = (position ^ (block << 8)) >> 8  # an offset that is a multiple of 256
        low = (position ^ (block << 8)) & 0xFF
        assert low == position & 0xFF
        # the node's children stand at position ^ offset ^ byte; keep offset a multiple of 256
        units[position] = (shift << 10) | (1 << 9) | (int(leaf) << 8) | label
        base = position ^ (shift << 8)
        if leaf:
            units[base] = (1 << 31) | len(blob)
            blob += node[-1].encode() + b"\0"
        for byte, child in node.items():
            if byte >= 0:
                place(child, base ^ byte, byte)

    place(children, 0, 0)
    size = max(units) + 1
    size = (size + 255) & ~255
    array = [0] * size
    for position, unit in units.items():
        array[position] = unit
    raw = struct.pack("<I", 4 * size) + struct.pack(f"<{size}I", *array) + blob
    return base64.b64encode(raw).decode()


def precompiled(mapping):
    t = Tokenizer(models.WordLevel({"u": 0}, unk_token="u"))
    state = json.loads(t.to_str())
    state["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap(mapping)}
    return Tokenizer.from_str(json.dumps(state)).normalizer.normalize_str


def grapheme_classes():
    """control, extend, prepend, pict: only graphemes below 6 bytes are ever looked at whole.
    A grapheme whose beginning is mapped loses its rest."""
    A = "\u0301"
    one = precompiled({b"a": "b"})
    # c swallowed behind an "a" extends it; "ca" one grapheme keeps the mark behind "a"
    extend = {c for c in ALL if c > 0x7F and one("a" + chr(c)) == "b"}
    prepend = {c for c in ALL if c > 0x7F and c not in extend and one(chr(c) + "a" + A) == chr(c) + "b" + A}
    control = set()
    small = [c for c in range(1, 0x10000) if not 0xD800 <= c <= 0xDFFF]
    for start in range(0, len(small), 4096):
        part = small[start : start + 4096]
        f = precompiled({chr(c).encode(): "b" for c in part})
        control.update(c for c in part if c not in extend and f(chr(c) + A) == "b" + A)
    copyright_mapped = precompiled({"\u00a9".encode(): "b"})
    pict = {c for c in ALL if c > 0x7F and c not in extend and copyright_mapped(chr(c) + "\u200d\u00a9" + A)[1:] == "\u200db" + A}
    assert 0xA9 in pict and 0x1F600 in pict
    return control, extend, prepend, pict


def conjuncts(extend):
    """Letters and linkers of GB9c: "letter linker letter" is one grapheme."""
    f = precompiled({"\u0924".encode(): "b"})  # TA
    A = "\u0301"
    linkers = {c for c in extend if f("\u0915" + chr(c) + "\u0924" + A) == "\u0915" + chr(c) + "b" + A}
    letters = set()
    if linkers:
        virama = chr(min(linkers))
        letters = {c for c in ALL if c > 0x7F and c not in extend and f(chr(c) + virama + "\u0924" + A) == chr(c) + virama + "b" + A}
    # what may stand between them without breaking the bond
    between = {c for c in extend if linkers and f("\u0915" + chr(min(linkers)) + chr(c) + "\u0924" + A) == "\u0915" + chr(min(linkers)) + chr(c) + "b" + A}
    return letters, linkers, between


# ---- scripts ----


def scripts():
    pre = P.UnicodeScripts()

    def split(text):
        return [b for _, (a, b) in pre.pre_tokenize_str(text)]

    any_script = {c for c in ALL if len(split("a" + chr(c))) == 1 and len(split("\u6f22" + chr(c))) == 1}
    number, representatives = {c: 0 for c in any_script}, []
    named = [c for c in ALL if c not in any_script]
    for start in range(0, len(named), 20000):
        part = named[start : start + 20000]
        at = 0
        for end in split("".join(map(chr, part))):
            c = part[at]
            k = next((i for i, r in enumerate(representatives) if len(split(r + chr(c))) == 1), None)
            if k is None:
                representatives.append(chr(c))
                k = len(representatives) - 1
            for x in part[at:end]:
                number[x] = k + 1
            at = end
    return number


def onig_scripts():
    """\\p{Han} and the others, and their names in small letters without marks."""
    names, number = [], {}
    for name in SCRIPTS:
        try:
            Regex(r"\p{%s}" % name)
        except Exception:
            continue
        names.append(name)
        for c in matched(r"\p{%s}" % name):
            assert c not in number
            number[c] = len(names)
    three_stage("onig_script", number, "uint8_t")
    words = [n.replace("_", "").lower() for n in names]
    print("const char *const pl__onig_script_names[] = {" + ",".join(f'"{w}"' for w in words) + "};")
    print(f"const uint32_t pl__onig_scripts = {len(words)};\n")


# ---- writing ----


def three_stage(name, values, kind):
    """values: {code point: int}, 0 where absent. Value of c: block[row[top[c >> 12] * 64 + (c >> 6 & 63)] * 64 + (c & 63)]."""
    blocks, rows, top = {}, {}, []
    for page in range(0, 0x110000, 4096):
        row = []
        for start in range(page, page + 4096, 64):
            block = tuple(values.get(c, 0) for c in range(start, start + 64))
            row.append(blocks.setdefault(block, len(blocks)))
        top.append(rows.setdefault(tuple(row), len(rows)))
    array(f"pl__{name}_top", top, "uint8_t")
    array(f"pl__{name}_row", [i for row in rows for i in row], "uint16_t")
    array(f"pl__{name}_block", [v for block in blocks for v in block], kind)


def array(name, values, kind):
    print(f"const {kind} {name}[{len(values)}] = {{")
    line = ""
    for v in values:
        word = f"{v},"
        if len(line) + len(word) > 1150:
            print(line)
            line = ""
        line += word
    print(line + "\n};\n")
    width = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "int32_t": 4}[kind]
    print(f"  {name}: {len(values) * width} bytes", file=sys.stderr)


def main():
    assert tokenizers.__version__ == PINNED, tokenizers.__version__
    print("/* Generated by make_unicode.py from tokenizers " + PINNED + ": do not edit. The layout is in unicode.h. */")
    print("/* clang-format off */\n#include \"text/unicode.h\"\n")

    nfd, nfkd, lower = normalized(N.NFD()), normalized(N.NFKD()), normalized(N.Lowercase())
    pairs, ccc = composition_pairs(nfd), combining_classes(nfd)
    control, extend, prepend, pict = grapheme_classes()
    letters, linkers, between = conjuncts(extend)
    print(len(control), len(extend), len(prepend), len(pict), len(letters), len(linkers), len(between), file=sys.stderr)

    seconds = {b for _, b in pairs} | set(V) | set(T)
    starters = lambda text: ccc.get(ord(text[0]), 0) == 0 and ord(text[0]) not in seconds
    broken = control | extend | prepend | pict | set(range(0x1100, 0x1200)) | set(range(0xA960, 0xA980)) | set(range(0xD7B0, 0xD800)) | set(range(0x1F1E6, 0x1F200)) | letters
    plain = {c for c in ALL if c not in broken and c not in seconds and starters(nfd[c]) and starters(nfkd[c])}

    clean = normalized(bert(clean_text=True))
    flags = [
        removed(P.WhitespaceSplit()),  # WHITE
        {c for c in ALL if clean[c] == ""},  # OTHER: what clean_text drops, U+0000 and U+FFFD too
        removed(P.Punctuation("removed")),  # PUNCTUATION
        {c for c, v in normalized(bert(strip_accents=True)).items() if v == ""},  # NONSPACING
        {c for c, v in normalized(N.StripAccents()).items() if v == ""},  # MARK
        numeric(),  # NUMERIC
        joined_by_whitespace_pre_tokenizer(),  # WORD
        plain,  # PLAIN
    ]
    three_stage("class", bits(flags), "uint8_t")

    category = {}
    for i, k in enumerate(CATEGORIES):
        for c in matched(r"\p{%s}" % k):
            category[c] = i
    assert len(category) == len(ALL)
    for i, pattern in enumerate(("[[:alpha:]]", "[[:upper:]]", "[[:lower:]]")):
        for c in matched(pattern):
            category[c] |= 32 << i
    alpha = {c for c in ALL if category[c] & 32}
    words = {c for c in ALL if c in alpha or CATEGORIES[category[c] & 31] in ("Mn", "Mc", "Me", "Nd", "Pc")}
    assert matched("[[:word:]]") == words and matched(r"\w") == words | {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE}  # as regex_set.c has it
    three_stage("onig", category, "uint8_t")

    onig_scripts()

    grapheme = {}
    for i, group in enumerate((control, extend, prepend, pict, letters)):
        for c in group:
            assert c not in grapheme
            grapheme[c] = i + 1
    for c in linkers:
        grapheme[c] = 6
    for c in extend - linkers - between:
        grapheme[c] = 7  # extends, and ends a conjunct
    three_stage("grapheme", grapheme, "uint8_t")
    three_stage("script", scripts(), "uint8_t")
    three_stage("ccc", ccc, "uint8_t")

    deltas, lowers = [0], {}
    for c in ALL:
        if lower[c] != chr(c):
            delta = ord(lower[c]) - c if len(lower[c]) == 1 else None
            if delta is None:
                assert c == 0x130 and lower[c] == "i\u0307"
                delta = 0x110000
            if delta not in deltas:
                deltas.append(delta)
            lowers[c] = deltas.index(delta)
    three_stage("lower", lowers, "uint8_t")
    array("pl__lower_delta", deltas, "int32_t")
    print(f"const uint32_t pl__lower_deltas = {len(deltas)};\n")

    pool, entries = b"", {}
    for c in ALL:
        if c in SYLLABLES or (nfd[c] == chr(c) and nfkd[c] == chr(c)):
            continue
        canonical, compatible = nfd[c].encode(), nfkd[c].encode()
        entry = bytes([len(canonical)]) + canonical + bytes([len(compatible)]) + compatible if nfd[c] != chr(c) and nfkd[c] != nfd[c] else bytes([len(canonical)]) + canonical + b"\0" if nfd[c] != chr(c) else b"\0" + bytes([len(compatible)]) + compatible
        at = pool.find(entry)
        if at < 0:
            at = len(pool)
            pool += entry
        entries[c] = at + 1
    assert len(pool) < 65535
    three_stage("decomposition", entries, "uint16_t")
    array("pl__decomposition_pool", list(pool), "uint8_t")

    ordered = sorted(pairs)
    print(f"const uint32_t pl__compositions = {len(ordered)};\n")
    array("pl__composition_first", [a for a, _ in ordered], "uint32_t")
    array("pl__composition_second", [b for _, b in ordered], "uint32_t")
    array("pl__composition_whole", [pairs[p] for p in ordered], "uint32_t")


def numeric():
    out, pre = set(), P.Digits(individual_digits=True)
    for i in range(0, len(ALL), 20000):
        part = ALL[i : i + 20000]
        for _, (a, b) in pre.pre_tokenize_str("".join("a" + chr(c) + "a" for c in part)):
            if b - a == 1 and a % 3 == 1:
                out.add(part[a // 3])
    return out


def bits(groups):
    out = {}
    for i, group in enumerate(groups):
        for c in group:
            out[c] = out.get(c, 0) | 1 << i
    return out


main()
