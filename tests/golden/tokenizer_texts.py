"""Texts for the tokenizer goldens and comparisons: sentences of many languages written for this project,
and random Unicode by seed. And a maker of SentencePiece character maps."""
import base64
import struct

SENTENCES = [
    "The harbour is quiet tonight; only the bell of the buoy can be heard.",
    "She didn't say where she'd been, and we're not going to ask. It's late, I'll go.",
    "A ship of 1,250 tonnes, built in 1897, sails at 12.5 knots (23 km/h)!",
    "Can you can a can as a canner can can a can? Yes - no - maybe...",
    "unbelievable antidisestablishmentarianism incomprehensibilities",
    "Das Schiff f\u00e4hrt morgen \u00fcber die stra\u00dfenbreite M\u00fcndung; \u00c4pfel, \u00d6l und Gr\u00fc\u00dfe an Bord.",
    "L'\u00e9t\u00e9 dernier, nous avons navigu\u00e9 jusqu'\u00e0 l'\u00eele o\u00f9 na\u00eet le fleuve\u2026 \u00ab \u00c7a alors ! \u00bb",
    "El ni\u00f1o pregunt\u00f3: \u00bfcu\u00e1ndo vuelve el ping\u00fcino? \u00a1Ma\u00f1ana por la ma\u00f1ana!",
    "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144 nad rzek\u0105. P\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148.",
    "Istanbul'da \u0131l\u0131k bir g\u00fcn: \u0130zmir\u2019e giden gemi \u015fimdi kalkt\u0131. ISPARTA",
    "\u041a\u043e\u0440\u0430\u0431\u043b\u044c \u0432\u044b\u0448\u0435\u043b \u0438\u0437 \u0433\u0430\u0432\u0430\u043d\u0438 \u0440\u0430\u043d\u043e \u0443\u0442\u0440\u043e\u043c, \u0435\u0449\u0451 \u0434\u043e \u0440\u0430\u0441\u0441\u0432\u0435\u0442\u0430. \u0419\u043e\u0434!",
    "\u03a4\u03bf \u03c0\u03bb\u03bf\u03af\u03bf \u03ad\u03c6\u03c5\u03b3\u03b5 \u03c4\u03b7\u03bd \u03b1\u03c5\u03b3\u03ae. \u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u1f08\u03c1\u03c7\u1f74 \u1f61\u03c2",
    "\u0627\u0644\u0633\u0641\u064a\u0646\u0629 \u062a\u063a\u0627\u062f\u0631 \u0627\u0644\u0645\u064a\u0646\u0627\u0621 \u063a\u062f\u064b\u0627\u060c \u0625\u0646 \u0634\u0627\u0621 \u0627\u0644\u0644\u0647\u061f \u0664\u0662",
    "\u05d4\u05e1\u05e4\u05d9\u05e0\u05d4 \u05e2\u05d5\u05d6\u05d1\u05ea \u05d0\u05ea \u05d4\u05e0\u05de\u05dc; \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u091c\u0939\u093e\u091c\u093c \u0938\u0941\u092c\u0939 \u092c\u0902\u0926\u0930\u0917\u093e\u0939 \u0938\u0947 \u0928\u093f\u0915\u0932\u093e\u0964 \u0915\u094d\u0937\u092e\u093e \u096a\u0968",
    "\u09a8\u09cc\u0995\u09be \u09a8\u09a6\u09c0\u09a4\u09c7 \u09ad\u09be\u09b8\u09c7\u0964 \u0baa\u0b9f\u0b95\u0bc1 \u0b95\u0b9f\u0bb2\u0bbf\u0bb2\u0bcd",
    "\u0e40\u0e23\u0e37\u0e2d\u0e2d\u0e2d\u0e01\u0e08\u0e32\u0e01\u0e17\u0e48\u0e32\u0e15\u0e2d\u0e19\u0e40\u0e0a\u0e49\u0e32\u0e21\u0e37\u0e14 \u0e19\u0e49\u0e33\u0e43\u0e2a",
    "\u8239\u5728\u9ece\u660e\u524d\u79bb\u5f00\u4e86\u6e2f\u53e3\u3002\u8239\u5458\u4eec\u8bf4\uff1a\u201c\u660e\u5929\u4f1a\u4e0b\u96e8\u5417\uff1f\u201d 2024\u5e74",
    "\u6e2f\u306e\u9418\u304c\u9cf4\u308b\u3068\u3001\u30ab\u30e2\u30e1\u304c\u4e00\u6589\u306b\u98db\u3073\u7acb\u3063\u305f\u3002\uff76\uff9e\uff72\uff84\uff9e\u30fc \u30d1\u30fc\u30c6\u30a3\u30fc",
    "\ubc30\ub294 \uc0c8\ubcbd\uc5d0 \ud56d\uad6c\ub97c \ub5a0\ub0ac\ub2e4. \u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\uae00",
    "Thuy\u1ec1n r\u1eddi b\u1ebfn l\u00fac r\u1ea1ng \u0111\u00f4ng. Ph\u01b0\u01a1ng T\u00ecm T\u00ecm ti\u1ebfng Vi\u1ec7t",
    "\u10d2\u10d4\u10db\u10d8 \u10d3\u10d8\u10da\u10d8\u10d7 \u10d2\u10d0\u10d5\u10d8\u10d3\u10d0 \u0546\u0561\u057e\u0568 \u0574\u0565\u056f\u0576\u0565\u0581 \u1218\u122d\u12a8\u1265",
    "\U0001f6a2 at sea \u2693 \U0001f468\u200d\U0001f469\u200d\U0001f467 family \U0001f1ed\U0001f1f7\U0001f1e9\U0001f1ea flags \U0001f44d\U0001f3fd ok \u2764\ufe0f",
    "\ufb01ne \ufb00 \uff21\uff22\uff23 \u2460\u2461 \u00bd \u00b2 \u2126 \u212b \u01c4 \u3300 \ufdfa",
    "e\u0301 a\u0308\u0323 o\u0323\u0308 q\u0307\u0323 \u1e69 s\u0323\u0307 \u0344 \u0f73\u0f71",
    "def f(x):\n\treturn x**2  # squares\n\n\nfor i in range(10): print(f(i), end=' ')\r\n",
    "https://example.org/a?b=c&d=%20#e mail@example.org C:\\temp\\x.txt $HOME/.cache",
    "  two leading, double  inner,\ttab, trailing   ", "\n\n", " ", "", "a", "\u00a0\u2003\u3000x\u200b\u200dy\ufeffz",
    "zero\u0000byte \u0001\u0007\u001b[31mred\u001b[0m \u007f\u0085\u2028\u2029\ufffd",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b",
    "<s> text </s><mask> the  <mask>  is [SEP] <pad><unk> SINGLE, (SINGLE) SINGLEs xSINGLE LEFT  LEFT RIGHT  RIGHT x  BOTH  y YES yes caf\u00e9 CAFE\u0301 new york abc abab",
]

RANGES = [(0x20, 0x7E)] * 6 + [(0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF), (0xE00, 0x109F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2BFF), (0x3000, 0x30FF), (0x3300, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x2FFFF), (0xE0000, 0xE01FF), (0, 0x1F), (0x7F, 0x9F), (0, 0x10FFFF)]


def character(r):
    a, b = r.choice(RANGES)
    c = r.randint(a, b)
    return chr(c) if not 0xD800 <= c <= 0xDFFF else "?"


def random_text(r):
    """Random Unicode, words of the sentences, added tokens' contents, white space, in all mixtures."""
    out = ""
    for _ in range(r.choice([1, 3, 8, 20])):
        kind = r.random()
        if kind < 0.35:
            out += "".join(character(r) for _ in range(r.randint(1, 6)))
        elif kind < 0.6:
            out += r.choice(r.choice(SENTENCES).split(" "))
        elif kind < 0.7:
            out += r.choice(["<mask>", "SINGLE", "LEFT", "RIGHT", "BOTH", "[SEP]", "caf\u00e9", "cafe\u0301", "YES", "yes", "new york", " x", "ab", "abc", "AB", "--", "<s>", "</s>", "<unk>", "\u2581", "E\u0301", "\u00c9", "na\u00efve"])
        elif kind < 0.9:
            out += r.choice([" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\x0b", "   "])
        else:
            out += r.choice(["e\u0301\u0323\u0308", "\u1100\u1161\u11a8", "'s", "'LL", "\u017f", "1234567", "3.14", "a\u0300" * 5, "\u0915\u094d\u0924", "!!!", "...", "__", "A\u030a", "aaaa"])
    return out


def charsmap(mapping):
    """SentencePiece's precompiled_charsmap of {bytes: str}, in base 64: a double array whose nodes each
    have 256 units of their own, so that every offset is a multiple of 256."""
    tree = {}
    for key, value in mapping.items():
        node = tree
        for byte in key:
            node = node.setdefault(byte, {})
        node[-1] = value
    units, texts, blocks = {}, b"", 0

    def place(node, position, label):
        nonlocal texts, blocks
        blocks += 1
        shift = (position >> 8) ^ blocks
        units[position] = shift << 10 | 1 << 9 | (-1 in node) << 8 | label
        base = position ^ shift << 8
        if -1 in node:
            units[base] = 1 << 31 | len(texts)
            texts += node[-1].encode() + b"\0"
        for byte, child in node.items():
            if byte >= 0:
                place(child, base ^ byte, byte)

    place(tree, 0, 0)
    size = (max(units) | 255) + 1
    return base64.b64encode(struct.pack("<I", 4 * size) + struct.pack(f"<{size}I", *(units.get(i, 0) for i in range(size))) + texts).decode()
