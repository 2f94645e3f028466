#!/usr/bin/env python3
"""Files that a training reads back and that are not what it wrote: cut, damaged, swapped, forged, of
another training, or no files at all. Each is refused by name or passed over for the older good one;
nothing good is lost, and no memory beyond the plan is used.

damaged   a checkpoint cut or lengthened at many places, or with a byte changed anywhere
places    links, pipes, folders, empty files in the place of its files and folders
forged    heads and logs that cannot be, with the right checksums
others    checkpoints of another model, data, options, or of another step, brought in
strangers what else lies in OUT.partial
finished  a finished model that waits for its name only
plans     saved plans that are cut, forged, of another model or data
spilled   the unnamed files, cut off or altered while the training runs"""
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import e2e  # noqa: E402

RECIPE = {"--batch": "4", "--lr": "1e-3", "--max-length": "24", "--threads": "1", "--weight-decay": "0.01", "--epochs": "6", "--log-every": "1", "--save-every": "5", "--seed": "3", "--progress": "never"}
STATE = "training.state"
TEXTS, STEPS = 48, 12  # of an epoch


# ---- XXH64 after its specification, to forge checksums ----

P1, P2, P3, P4, P5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
M = (1 << 64) - 1


def turn(x, by):
    return (x << by | x >> (64 - by)) & M


def xxh64(data, seed=0):
    def mix(lane, word):
        return turn((lane + word * P2) & M, 31) * P1 & M
    at, n = 0, len(data)
    if n >= 32:
        a, b, c, d = (seed + P1 + P2) & M, (seed + P2) & M, seed, (seed - P1) & M
        whole = n // 32 * 32
        for w, x, y, z in struct.iter_unpack("<QQQQ", data[:whole]):
            a, b, c, d = mix(a, w), mix(b, x), mix(c, y), mix(d, z)
        h = (turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18)) & M
        for lane in (a, b, c, d):
            h = ((h ^ mix(0, lane)) * P1 + P4) & M
        at = whole
    else:
        h = (seed + P5) & M
    h = (h + n) & M
    while n - at >= 8:
        h = (turn(h ^ mix(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & M
        at += 8
    if n - at >= 4:
        h = (turn(h ^ struct.unpack_from("<I", data, at)[0] * P1 & M, 23) * P2 + P3) & M
        at += 4
    for byte in data[at:]:
        h = turn(h ^ byte * P5 & M, 11) * P1 & M
    h = (h ^ h >> 33) * P2 & M
    h = (h ^ h >> 29) * P3 & M
    return h ^ h >> 32


# ---- a checkpoint as its bytes are: train/checkpoint.c, train/blocks.h ----

HEAD = struct.Struct("<16sIIQQQ QdQdQQdQB7xQQ 2048s")
FIELDS = "magic version entry_bytes entries learned first step loss_sum loss_steps total_loss evaluated best_step best_value worse ended texts tokens recipe".split()
ENTRY = struct.Struct("<QIId6d")
BLOCK, MAGIC = 60 << 10, 0x706C696D736F6C31


class State:
    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        self.head, at, rest = dict(zip(FIELDS, HEAD.unpack_from(data))), HEAD.size + 8, bytearray()
        assert struct.unpack_from("<Q", data, HEAD.size)[0] == xxh64(data[:HEAD.size], MAGIC)
        while at < len(data):
            n = min(BLOCK, len(data) - at - 8)
            rest += data[at:at + n]
            at += n + 8
        self.log, self.numbers = rest[:self.head["entries"] * ENTRY.size], rest[self.head["entries"] * ENTRY.size:]

    def bytes(self):
        head = HEAD.pack(*(self.head[k] for k in FIELDS))
        binding, rest = xxh64(head, MAGIC), bytes(self.log + self.numbers)
        out = head + struct.pack("<Q", binding)
        for i, at in enumerate(range(0, len(rest), BLOCK)):
            piece = rest[at:at + BLOCK]
            out += piece + struct.pack("<Q", xxh64(piece, binding + i + 1 & M))
        return out

    def write(self, path):
        with open(path, "wb") as f:
            f.write(self.bytes())


# ---- trainings ----

def data(test, name, count, seed=1, words="the cat sat on a mat and saw two dogs"):
    dice, path = random.Random(seed), test.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write("text,label\n")
        f.writelines("%s,%s\n" % (" ".join(dice.choice(words.split()) for _ in range(dice.randint(1, 20))), dice.choice(["no", "yes"])) for _ in range(count))
    return path


def model(test, name="model", hidden=32, **more):
    return test.bert(name, hidden=hidden, heads=2, inner=96, layers=2, positions=32, labels=["no", "yes"], **more)


def argv(test, out, *flags, folder=None, train=None, **change):
    recipe = {**RECIPE, **{"--" + k.replace("_", "-"): v for k, v in change.items()}}
    return ["train", folder or model(test), "--data", train or data(test, "train.csv", TEXTS), "--eval", data(test, "eval.csv", 8, 2), "-o", test.path(out),
            *(x for kv in recipe.items() for x in kv), *flags]


def weights(out):
    path = os.path.join(out, "model.safetensors")
    return open(path, "rb").read() if os.path.exists(path) else None


def checkpoints(partial):
    return sorted((n for n in os.listdir(partial) if n.startswith("checkpoint-")), key=lambda n: -int(n[11:]))


def tree(folder):
    """Everything below a folder: names, kinds, contents."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(where, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as f:
                    found[path] = hashlib.sha256(f.read()).hexdigest()
            else:
                found[path] = "other"
    return found


def interrupted(test, name, *flags, **change):
    """OUT.partial of a run killed where its lines no longer fit the pipe: behind about the fiftieth."""
    partial = test.path(name + ".partial")
    if os.path.exists(partial):
        return partial
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    job = subprocess.Popen([test.args.plimsoll, *argv(test, name, *flags, **change)], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.DEVNULL, env=test.environment)
    os.close(write)
    waiting, since, deadline = 0, time.monotonic(), time.monotonic() + 120
    while job.poll() is None and time.monotonic() < deadline:
        now = struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"\0" * 4))[0]
        if now != waiting:
            waiting, since = now, time.monotonic()
        if waiting > 3000 and time.monotonic() - since > (2 if test.sanitized else 0.3):
            break
        time.sleep(0.02)
    job.kill()
    job.wait()
    os.close(read)
    test.check("%s: was interrupted with checkpoints" % name, job.returncode == -signal.SIGKILL and len(checkpoints(partial)) == 2, job.returncode)
    return partial


def truth(test, *flags):
    out = test.path("truth" + "".join(flags))
    if not os.path.exists(out):
        run = test.run(*argv(test, os.path.basename(out), *flags))
        test.check("undisturbed", not run.trouble(), run.trouble())
        test.peak = run.peak
    return weights(out)


def copy(test, partial, name="hurt"):
    """A copy of OUT.partial to be hurt; OUT is not there."""
    for path in (test.path(name), test.path(name + ".partial")):
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(partial, test.path(name + ".partial"), symlinks=True)
    return test.path(name + ".partial")


def memory_fault(test, run):
    most = test.peak + (1 << 20)
    return "" if test.sanitized or run.peak <= most else "peak %d, an undisturbed run has %d" % (run.peak, test.peak)


def passed_over(test, what, want, *flags, name="hurt", need=(), **change):
    """Resuming names the newest, goes on from the older one to the same bits."""
    newest = checkpoints(test.path(name + ".partial"))[0]
    run = test.run(*argv(test, name, "--resume", *flags, **change))
    text = run.err.decode("utf-8", "replace")
    fault = run.trouble() or memory_fault(test, run) or ("" if weights(test.path(name)) == want else "other weights")
    for word in (newest + " is passed over", *need):
        fault = fault or ("" if word in text else "%r is not in: %s" % (word, text[:300]))
    test.check("%s: passed over by name, the same bits" % what, not fault, fault)


def refused(test, what, names, *flags, codes=(3,), name="hurt", **change):
    """Resuming ends with an error that names it; nothing is touched."""
    partial = test.path(name + ".partial")
    before = tree(partial)
    run = test.run(*argv(test, name, *flags, **change))
    fault = e2e.complaint(run, codes, names) or memory_fault(test, run)
    if not fault and tree(partial) != before:
        fault = "OUT.partial was touched"
    if not fault and os.path.exists(test.path(name)):
        fault = "OUT stands there"
    test.check("%s: refused by name, nothing touched" % what, not fault, fault)


# ---- damage ----

def damaged(test):
    want, partial = truth(test), interrupted(test, "killed")
    newest, older = checkpoints(partial)
    size = os.path.getsize(os.path.join(partial, newest, STATE))
    dice = random.Random(11)
    cuts = [0, 1, HEAD.size - 1, HEAD.size, HEAD.size + 7, HEAD.size + 8, HEAD.size + 9, BLOCK, HEAD.size + 8 + BLOCK, HEAD.size + 16 + BLOCK, size - 8, size - 1] + [dice.randrange(size) for _ in range(6)]
    for at in cuts:
        hurt = copy(test, partial)
        os.truncate(os.path.join(hurt, newest, STATE), at)
        passed_over(test, "cut to %d of %d" % (at, size), want, need=("cut off",))
    for more in (1, 8, BLOCK, 1 << 33):  # the last one a hole of 8 GiB
        hurt = copy(test, partial)
        os.truncate(os.path.join(hurt, newest, STATE), size + more)
        passed_over(test, "longer by %d" % more, want, need=("too long",))
    parts = [(0, 16), (16, 48), (48, 144), (144, HEAD.size), (HEAD.size, HEAD.size + 8), (HEAD.size + 8, HEAD.size + 8 + 72 * 20), (size - 8, size)]
    for at in [dice.randrange(a, b) for a, b in parts] + [dice.randrange(size) for _ in range(12)]:
        hurt = copy(test, partial)
        with open(os.path.join(hurt, newest, STATE), "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1 << dice.randrange(8)]))
        passed_over(test, "a bit at %d of %d" % (at, size), want, need=("byte ", "checksum"))
    for what in ("cut", "gone", "zeros"):
        hurt = copy(test, partial)
        for number in (newest, older):
            state = os.path.join(hurt, number, STATE)
            if what == "gone":
                os.unlink(state)
            else:
                with open(state, "wb") as f:
                    f.write(b"" if what == "cut" else bytes(size))
        refused(test, "both %s" % what, (newest + "/" + STATE, "--overwrite"), "--resume")
    run = test.run(*argv(test, "hurt", "--overwrite"))
    test.check("--overwrite begins anew", not run.trouble() and weights(test.path("hurt")) == want, run.trouble())


# ---- no files ----

def replace(path, what):
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    if what == "a named pipe":
        os.mkfifo(path)
    elif what == "a folder":
        os.mkdir(path)
    elif what == "an empty file":
        open(path, "wb").close()
    else:
        os.symlink(what, path)


def places(test):
    want, partial = truth(test), interrupted(test, "killed")
    newest, older = checkpoints(partial)
    for what in ("a named pipe", "a folder", "an empty file", "/dev/zero", "/dev/null", "loop", "/nowhere", "../../../" * 9 + "etc/passwd"):
        hurt = copy(test, partial)
        replace(os.path.join(hurt, newest, STATE), STATE if what == "loop" else what)
        passed_over(test, "state: %s" % what, want)
    for what in ("a named pipe", "a folder", "an empty file", "/dev/zero", "loop", "/nowhere"):
        hurt = copy(test, partial)
        replace(os.path.join(hurt, newest), newest if what == "loop" else what)
        passed_over(test, "checkpoint: %s" % what, want)
    hurt, good = copy(test, partial), test.path("elsewhere")
    shutil.copytree(os.path.join(partial, newest), good)
    replace(os.path.join(hurt, newest), good)
    before = tree(good)
    run = test.run(*argv(test, "hurt", "--resume"))
    test.check("a link to a checkpoint: gone on from, what it leads to stays", not run.trouble() and weights(test.path("hurt")) == want and tree(good) == before, run.trouble())
    precious = test.write("precious", "precious")
    for name in ("config.json", "model.safetensors", "README.md", "trainer_state.json", "tokenizer.json", ".finished", ".new-checkpoint-45", ".new-checkpoint-50", ".old-checkpoint-40", ".new-best-60"):
        for what in ("link", "link to a folder", "pipe", "folder"):
            hurt = copy(test, partial)
            path = os.path.join(hurt, name)
            if what == "pipe":
                os.mkfifo(path)
            elif what == "folder":
                os.makedirs(os.path.join(path, "deep", "er"))
            else:
                os.symlink(precious if what == "link" else good, path)
            run = test.run(*argv(test, "hurt", "--resume"))
            untouched = tree(good) == before and open(precious).read() == "precious"
            fine = not run.trouble() and weights(test.path("hurt")) == want and not os.path.islink(os.path.join(test.path("hurt"), name))
            test.check("%s is a %s: replaced, never followed" % (name, what), fine and untouched, run.trouble())
    for what in ("a named pipe", "an empty file"):
        hurt = copy(test, partial)
        replace(hurt, what)
        refused(test, "OUT.partial: %s" % what, ("hurt.partial",), "--resume", codes=(2,))
        os.unlink(hurt)


# ---- forgery ----

def forged(test):
    want, partial = truth(test, "--best"), interrupted(test, "killedbest", "--best")
    newest = checkpoints(partial)[0]
    good = State(os.path.join(partial, newest, STATE))
    with open(os.path.join(partial, newest, STATE), "rb") as f:
        test.check("the forger's bytes are the program's", f.read() == good.bytes())
    step, nan, huge = good.head["step"], float("nan"), 1 << 63
    test.check("there is a best one to speak of", good.head["best_step"] > 0, good.head)
    heads = [dict(magic=b"plimsoll best\n"), dict(version=0), dict(version=1 << 31), dict(entry_bytes=0), dict(entry_bytes=(1 << 32) - 1),
             dict(entries=0), dict(entries=huge), dict(entries=M), dict(entries=1 << 29), dict(entries=good.head["entries"] + 1), dict(learned=0), dict(learned=huge), dict(learned=M // 12), dict(learned=M),
             dict(learned=good.head["learned"] - 1), dict(first=1), dict(first=huge), dict(first=M), dict(step=0), dict(step=step + 1), dict(step=M), dict(loss_sum=nan), dict(loss_sum=float("-inf")), dict(loss_steps=M), dict(loss_steps=1),
             dict(total_loss=nan), dict(evaluated=step + 1), dict(evaluated=M), dict(best_step=step + 1), dict(best_step=M), dict(best_step=1), dict(best_value=nan), dict(worse=M), dict(worse=1 << 20), dict(ended=1), dict(ended=255),
             dict(texts=0), dict(texts=M), dict(tokens=M), dict(recipe=b"x" * 2048), dict(recipe=b"\0" * 2048), dict(recipe=b"lr=nan\n\x1b[31m"), dict(recipe=good.head["recipe"].rstrip(b"\0").ljust(2048, b"y")),
             dict(recipe=good.head["recipe"].rstrip(b"\0\n").ljust(2048, b"\0")), dict(recipe=b"\0".rjust(2048, b"z"))]
    for change in heads:
        hurt = copy(test, partial)
        state = State(os.path.join(hurt, newest, STATE))
        state.head.update(change)
        state.write(os.path.join(hurt, newest, STATE))
        what = "head with %s" % ", ".join("%s %.30r" % kv for kv in change.items())
        if "recipe" in change and change["recipe"][-1:] != b"y" and change["recipe"][:2] not in (b"xx",):
            if change["recipe"][:3] == b"for":  # only the end of the last line is missing: the same recipe
                run = test.run(*argv(test, "hurt", "--best", "--resume"))
                test.check("%s: the same" % what, not run.trouble() and weights(test.path("hurt")) == want, run.trouble())
            else:
                refused(test, what, ("checkpoint-",), "--best", "--resume", codes=(2,))
        else:
            passed_over(test, what, want, "--best")
    log, n = ENTRY.size, good.head["entries"]
    for what, at, value in (("kind", 8, struct.pack("<I", 2)), ("count", 12, struct.pack("<I", 4)), ("great count", 12, struct.pack("<I", 1 << 31)), ("no count", 12, bytes(4)), ("step", 0, struct.pack("<Q", step + 1)),
                            ("no step", 0, bytes(8)), ("epoch", 16, struct.pack("<d", nan))):
        for line in (0, n // 2, n - 1):
            hurt = copy(test, partial)
            state = State(os.path.join(hurt, newest, STATE))
            state.log[line * log + at:line * log + at + len(value)] = value
            state.write(os.path.join(hurt, newest, STATE))
            passed_over(test, "log, line %d: %s" % (line, what), want, "--best", need=("log",))
    learned = good.head["learned"]
    for what, place, value in (("a weight", 0, nan), ("a weight", learned - 1, float("inf")), ("a first moment", learned + 5, float("-inf")), ("a second moment", 2 * learned, -1.0), ("a second moment", 3 * learned - 1, nan)):
        hurt = copy(test, partial)
        state = State(os.path.join(hurt, newest, STATE))
        state.numbers[4 * place:4 * place + 4] = struct.pack("<f", value)
        state.write(os.path.join(hurt, newest, STATE))
        passed_over(test, "%s is %g" % (what, value), want, "--best", need=(what,))


# ---- of others ----

def bring(test, partial, source, name):
    """Puts another training's newest checkpoint in the place of ours."""
    newest, hurt = checkpoints(partial)[0], copy(test, partial)
    their = checkpoints(source)[0]
    state = State(os.path.join(source, their, STATE))
    state.head["step"] = int(newest[11:])
    shutil.rmtree(os.path.join(hurt, newest))
    shutil.copytree(os.path.join(source, their), os.path.join(hurt, newest))
    state.write(os.path.join(hurt, newest, STATE))
    return newest


def others(test):
    want, partial = truth(test), interrupted(test, "killed")
    newest, older = checkpoints(partial)
    # between two of the same training
    hurt = copy(test, partial)
    a, b, c = (os.path.join(hurt, n) for n in (newest, older, "aside"))
    os.rename(a, c), os.rename(b, a), os.rename(c, b)
    refused(test, "two checkpoints under each other's name", (newest, older[11:]), "--resume")
    hurt = copy(test, partial)
    shutil.copy(os.path.join(hurt, older, STATE), os.path.join(hurt, newest, STATE))
    passed_over(test, "the older one's bytes", want, need=("is the checkpoint of step " + older[11:],))
    for at in (0, HEAD.size + 8, HEAD.size + 16 + BLOCK, os.path.getsize(os.path.join(partial, older, STATE)) - 4096):
        hurt = copy(test, partial)
        with open(os.path.join(hurt, older, STATE), "rb") as f, open(os.path.join(hurt, newest, STATE), "r+b") as g:
            f.seek(at), g.seek(at)
            g.write(f.read(HEAD.size + 8 if at == 0 else BLOCK + 8))
        passed_over(test, "a block of the older one at %d" % at, want)

    # of another training, as it is: the options differ
    model(test, "wide", hidden=40), model(test, "model")
    weighty = test.path("models", "weighty")
    shutil.copytree(model(test), weighty)
    with open(os.path.join(weighty, "model.safetensors"), "r+b") as f:  # one number of the middle of the word table
        n = struct.unpack("<Q", f.read(8))[0]
        begin = json.loads(f.read(n))["bert.embeddings.word_embeddings.weight"]["data_offsets"][0]
        f.seek(8 + n + begin + 4 * 32 * 200)
        f.write(struct.pack("<f", 0.25))
    configs = {}
    for name, change in (("heads", {"num_attention_heads": 4}), ("epsilon", {"layer_norm_eps": 1e-5}), ("relu", {"hidden_act": "relu"}), ("labels", {"id2label": {"0": "yes", "1": "no"}, "label2id": {"yes": 0, "no": 1}})):
        configs[name] = test.path("models", name)
        shutil.copytree(model(test), configs[name])
        path = os.path.join(configs[name], "config.json")
        config = json.load(open(path))
        config.update(change)
        json.dump(config, open(path, "w"))
    distil = test.folder("distilbert_cls2")
    hurt = copy(test, partial)
    for what, names, change in (("another hidden size", ("MODEL",), {"folder": test.path("models", "wide")}), ("another family", ("MODEL",), {"folder": distil}), ("one other number", ("MODEL",), {"folder": weighty}),
                                *((k, ("MODEL",), {"folder": v}) for k, v in configs.items()),
                                ("other data", ("--data",), {"train": data(test, "other.csv", TEXTS, 9)}), ("less data", ("--data",), {"train": data(test, "less.csv", TEXTS - 4, 1)}),
                                ("other options", ("--lr", "0.001"), {"lr": "2e-3"}), ("another batch", ("--batch",), {"batch": "8"}), ("another end", ("--epochs",), {"epochs": "7"}), ("another seed", ("--seed",), {"seed": "4"}),
                                ("another pace of lines", ("--log-every",), {"log_every": "2"}), ("another dropout", ("--dropout",), {"dropout": "0.2"}), ("steps", ("--max-steps",), {"max_steps": "72"})):
        refused(test, what, names + ("hurt.partial",), "--resume", codes=(2,), **change)
    # of another training, made to look as ours
    for what, flags, change in (("another hidden size", (), {"folder": test.path("models", "wide")}), ("another family", (), {"folder": distil}), ("other options", (), {"lr": "2e-3"}), ("with --best", ("--best",), {})):
        source = interrupted(test, "their" + what.replace(" ", "-"), *flags, **change)
        bring(test, partial, source, "hurt")
        refused(test, "brought in, %s" % what, (newest,), "--resume", codes=(2,))
    source = test.path("theiranother-hidden-size.partial")
    newest = bring(test, partial, source, "hurt")
    path = os.path.join(test.path("hurt.partial"), newest, STATE)
    state = State(path)
    state.head["recipe"] = State(os.path.join(partial, newest, STATE)).head["recipe"]
    state.write(path)
    passed_over(test, "another hidden size, our recipe written over", want, need=("numbers it learns",))


# ---- what else lies there ----

def strangers(test):
    want, partial = truth(test), interrupted(test, "killed")
    for name in ("pytorch_model.bin", "model.safetensors.index.json", "notes.txt", "checkpoint-", "checkpoint-007", "checkpoint-x", "best-", ".git", "checkpoint-5.old"):
        hurt = copy(test, partial)
        test.write(os.path.join(hurt, name), "mine")
        refused(test, "%s beside checkpoints" % name, (name, "--overwrite"), "--resume", codes=(2,))
    hurt = test.path("hurt.partial")
    for name in ("thesis.tex", "pictures"):
        shutil.rmtree(hurt)
        os.makedirs(os.path.join(hurt, "pictures") if name == "pictures" else hurt)
        test.write(os.path.join(hurt, name, "cat.png") if name == "pictures" else os.path.join(hurt, name), "mine")
        refused(test, "a folder that is somebody's: %s" % name, (name, "--overwrite"), "--resume", codes=(2,))
    shutil.rmtree(hurt)
    run = test.run(*argv(test, "hurt", "--resume"))
    test.check("no OUT.partial: from the start", not run.trouble() and weights(test.path("hurt")) == want, run.trouble())

    # numbered folders by the thousand, of steps that cannot be
    hurt = copy(test, partial)
    for i in range(1200):
        os.mkdir(os.path.join(hurt, "checkpoint-%d" % (10 ** 9 + i)))
    refused(test, "a thousand checkpoints of nothing", ("checkpoint-", "--overwrite"), "--resume")
    hurt = copy(test, partial)
    for i in (3, 10 ** 17, 10 ** 18 - 1):
        os.mkdir(os.path.join(hurt, "best-%d" % i)), os.mkdir(os.path.join(hurt, "checkpoint-%d" % i))
    run = test.run(*argv(test, "hurt", "--resume"))
    left = os.listdir(test.path("hurt")) if os.path.exists(test.path("hurt")) else []
    test.check("a few of them: passed over, gone at the end", not run.trouble() and weights(test.path("hurt")) == want and not [n for n in left if n.startswith((".", "best", "checkpoint"))], run.trouble() or left)

    # the best weights that a checkpoint speaks of
    want, partial = truth(test, "--best"), interrupted(test, "killedbest", "--best")
    newest = checkpoints(partial)[0]
    best = "best-%d" % State(os.path.join(partial, newest, STATE)).head["best_step"]
    old = [State(os.path.join(partial, n, STATE)).head["best_step"] for n in checkpoints(partial)]
    other = interrupted(test, "killedother", "--best", lr="2e-3")
    for what in ("gone", "cut", "bit", "stranger's"):
        hurt = copy(test, partial)
        path = os.path.join(hurt, best, "weights.state")
        if what == "gone":
            shutil.rmtree(os.path.dirname(path))
        elif what == "cut":
            os.truncate(path, 1000)
        elif what == "bit":
            with open(path, "r+b") as f:
                f.seek(5000)
                byte = f.read(1)[0]
                f.seek(5000)
                f.write(bytes([byte ^ 64]))
        else:
            theirs = next(n for n in os.listdir(other) if n.startswith("best-"))
            shutil.copy(os.path.join(other, theirs, "weights.state"), path)
        if old[0] == old[1]:
            refused_load(test, "best weights %s" % what, best)
        else:
            passed_over(test, "best weights %s" % what, want, "--best", need=(best,))


def refused_load(test, what, name):
    """As refused, where lines of what is passed over come first."""
    before = tree(test.path("hurt.partial"))
    run = test.run(*argv(test, "hurt", "--best", "--resume"))
    fault = e2e.complaint(run, (3,), (name, "--overwrite"))
    test.check("%s: refused by name, nothing touched" % what, not fault and tree(test.path("hurt.partial")) == before, fault or "touched")


# ---- a finished model that has no name yet ----

def stopped_at_the_end(test):
    """OUT.partial of a run that had everything but the last renaming: OUT came to be meanwhile."""
    partial = test.path("done.partial")
    if os.path.exists(partial):
        return partial
    read, write = os.pipe()
    job = subprocess.Popen([test.args.plimsoll, *argv(test, "done")], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, env=test.environment)
    os.close(write)
    os.read(read, 10)
    os.mkdir(test.path("done"))
    while os.read(read, 65536):
        pass
    err = job.communicate()[1].decode()
    os.close(read)
    os.rmdir(test.path("done"))
    test.check("OUT came to be: the finished model is kept", job.returncode == 5 and "done.partial" in err, err)
    return partial


def finished(test):
    want, partial = truth(test), stopped_at_the_end(test)
    copy(test, partial)
    run = test.run(*argv(test, "hurt", "--resume"))
    test.check("finished: placed, nothing else", not run.trouble() and weights(test.path("hurt")) == want and not run.out and ".finished" not in os.listdir(test.path("hurt")), run.trouble())
    for name in ("model.safetensors", "config.json", "tokenizer.json", "README.md", "trainer_state.json", ".finished"):
        for what in ("gone", "cut", "bit", "a named pipe", "/dev/zero"):
            if name == ".finished" and what == "gone":
                continue
            hurt = copy(test, partial)
            path = os.path.join(hurt, name)
            size = os.path.getsize(path)
            if what == "gone":
                os.unlink(path)
            elif what == "cut":
                os.truncate(path, size - 1)
            elif what == "bit":
                with open(path, "r+b") as f:
                    f.seek(size // 2)
                    byte = f.read(1)[0]
                    f.seek(size // 2)
                    f.write(bytes([byte ^ 4]))
            else:
                replace(path, what)
            refused(test, "finished, %s: %s" % (name, what), (name, "--overwrite"), "--resume")
    copy(test, partial)
    refused(test, "finished, another recipe", ("--lr",), "--resume", codes=(2,), lr="2e-3")
    hurt = copy(test, interrupted(test, "killed"))
    for name in os.listdir(partial):
        shutil.copy(os.path.join(partial, name), os.path.join(hurt, name))
    os.truncate(os.path.join(hurt, "model.safetensors"), 100)
    run = test.run(*argv(test, "hurt", "--resume"))
    test.check("finished and damaged, with checkpoints: gone on from those", not run.trouble() and weights(test.path("hurt")) == want and b"passed over" in run.err and b"model.safetensors" in run.err, run.trouble())
    # --overwrite: interrupted between taking OUT's place and removing the old one
    hurt, out = copy(test, partial), test.path("hurt")
    os.rename(hurt, out)
    test.write("hurt.partial/old.txt", "of the old folder")
    run = test.run(*argv(test, "hurt", "--resume", "--overwrite"))
    test.check("OUT has its place: only the old one goes", not run.trouble() and weights(out) == want and not run.out and not os.path.exists(hurt) and ".finished" not in os.listdir(out), run.trouble())


# ---- saved plans ----

def plans(test):
    test.peak = 64 << 20
    fixed = [x for k in ("--batch", "--max-length", "--threads", "--epochs") for x in (k, RECIPE[k])]

    def plan(*flags, folder=None, train=None):
        run = test.run("plan", folder or model(test), "--train", "--json", "--data", train or data(test, "train.csv", TEXTS), "--eval", data(test, "eval.csv", 8, 2), *fixed, *flags)
        return json.loads(run.out)
    free = plan()
    floor = json.loads(test.run("plan", model(test), "--train", "--json", "--data", data(test, "train.csv", TEXTS), "--eval", data(test, "eval.csv", 8, 2), *fixed, "--memory", "1MiB").out)["floor_bytes"]
    small = plan("--memory", str(floor))
    test.check("two plans", free["knobs"] != small["knobs"], small["knobs"])
    want, file = truth(test), test.path("saved.json")

    def with_plan(text, **change):
        with open(file, "wb") as f:
            f.write(text if isinstance(text, bytes) else json.dumps(text).encode())
        for path in (test.path("planned"), test.path("planned.partial")):
            shutil.rmtree(path, ignore_errors=True)
        return test.run(*argv(test, "planned", plan=file, **change))
    for p in (free, small):
        run = with_plan(p)
        test.check("as saved: the same bits", not run.trouble() and weights(test.path("planned")) == want, run.trouble())

    def refuse(what, text, codes, names=(), **change):
        run = with_plan(text, **change)
        fault = e2e.complaint(run, codes, ("saved.json",) + names)
        if not fault and run.peak > 64 << 20 and not test.sanitized:
            fault = "peak %d" % run.peak
        test.check("a saved plan %s: refused by name" % what, not fault and not os.path.exists(test.path("planned")) and not os.path.exists(test.path("planned.partial")), fault)
    text = json.dumps(small).encode()
    for at in sorted({0, 1, len(text) - 1, *range(7, len(text), len(text) // 12)}):
        refuse("cut to %d" % at, text[:at], (3,))
    refuse("of zeros", bytes(1000), (3,))
    refuse("that is too long", b" " * (5 << 20) + text, (3,))
    refuse("that nests", b"[" * 100000, (3,))
    refuse("that is a list", [small], (3,))
    refuse("without a model", {**small, "model": 3}, (3,), ("model",))
    for key in small["knobs"]:
        gone = dict(small["knobs"])
        del gone[key]
        refuse("without %s" % key, {**small, "knobs": gone}, (3,), (key,))
        for value in (-1, 1.5, "x" * 100, None, [], 1 << 32, 1 << 63, 10 ** 30, True if not isinstance(small["knobs"][key], bool) else 7):
            refuse("with %s %.20r" % (key, value), {**small, "knobs": {**small["knobs"], key: value}}, (3, 4))
    knobs = small["knobs"]
    for key, value in (("micro_rows", 0), ("micro_rows", 1), ("micro_rows", (1 << 32) - 1), ("kept_layers", (1 << 32) - 1), ("passing_layers", 3), ("resident_state", 16), ("resident_state", (1 << 32) - 1), ("threads", (1 << 32) - 1),
                       ("threads", 100000), ("threads", 0), ("batch", 0), ("batch", (1 << 32) - 1), ("batch_rows", 0), ("longest", 0), ("words", 0), ("shards", 0), ("max_length", 0), ("precision", "bf16"), ("isa", "\x1b[31m"), ("isa", "")):
        refuse("with %s %r" % (key, value), {**small, "knobs": {**knobs, key: value}}, (3, 4))
        if key == "threads":
            run = with_plan({**small, "knobs": {**knobs, key: value}}, threads="1")
            test.check("a saved plan for %s threads, --threads 1" % value, not e2e.complaint(run, (4,), ("--threads",)), run.last_line())
    for key, value in (("limit_bytes", 0), ("limit_bytes", floor - 1), ("limit_bytes", -1), ("limit_bytes", "much"), ("peak_bytes", floor + 1), ("peak_bytes", None), ("fits", False)):
        refuse("with %s %r" % (key, value), {**small, key: value}, (3, 4))
    with open(file, "w") as f:
        json.dump({**small, "knobs": {**knobs, "threads": (1 << 32) - 1}}, f)
    words = argv(test, "planned", plan=file)
    at = words.index("--threads")
    run = test.run(*words[:at], *words[at + 2:])
    test.check("a plan for four thousand million threads, none given", not e2e.complaint(run, (2, 3, 4), ()) and (test.sanitized or run.peak < 64 << 20), run.trouble(4))

    wide = model(test, "wide", hidden=40)
    refuse("of another hidden size", plan("--memory", "64MiB", folder=wide), (4,), ("model",))
    refuse("of another family", plan("--memory", "64MiB", folder=test.folder("distilbert_cls2")), (4,), ("family",))
    refuse("of other data", plan("--memory", "64MiB", train=data(test, "other.csv", 70, 9, "people know the way of long water")), (4,), ("made for",))
    refuse("of an inference", json.loads(test.run("plan", model(test), "--json").out), (3,))
    refuse("for another batch", small, (4,), ("--batch",), batch="8")
    run = test.run("embed", model(test), "-t", "x", "--plan", test.write("training.json", json.dumps(small)))
    test.check("a training's plan for an inference", not e2e.complaint(run, (3, 4), ("training.json",)), run.last_line())
    for what in ("a named pipe", "a folder", "/dev/zero", "/nowhere"):
        replace(file, what)
        run = test.run(*argv(test, "planned", plan=file))
        fault = e2e.complaint(run, (3,), ("saved.json",))
        test.check("%s in a plan's place" % what, not fault, fault)
        shutil.rmtree(file) if os.path.isdir(file) else os.unlink(file)
        open(file, "w").close()


# ---- files in use ----

def unnamed(pid):
    """The job's unnamed files by what they begin with: the line of the first example, the step of the first evaluation."""
    found = {}
    for fd in os.listdir("/proc/%d/fd" % pid):
        path = "/proc/%d/fd/%s" % (pid, fd)
        try:
            if os.stat(path).st_nlink or "(deleted)" not in os.readlink(path):
                continue
            with open(path, "rb") as f:
                found[{2: "data", STEPS: "log"}.get(struct.unpack("<Q", f.read(8))[0], "spill")] = path
        except OSError:
            pass
    return found


def spilled(test):
    folder = model(test, "longer", hidden=64)
    job = argv(test, "cut", "--overwrite", folder=folder, epochs="4000", save_every="200", log_every="50")
    tight = test.run("plan", folder, "--train", "--json", *job[2:6], "--batch", RECIPE["--batch"], "--max-length", RECIPE["--max-length"], "--threads", "1", "--memory", "1MiB").out
    floor = json.loads(tight)["floor_bytes"]
    out = test.path("cut")
    altered = lambda f, size: (f.seek(size // 3), f.write(b"\x5a" * 4000))  # noqa: E731
    nothing, half = (lambda f, size: f.truncate(0)), (lambda f, size: f.truncate(size // 2))
    longer = lambda f, size: f.truncate(size + 4096)  # noqa: E731
    for what, which, deed, word in (("data cut to nothing", "data", nothing, "tokenised data"), ("data cut in two", "data", half, "tokenised data"), ("data altered", "data", altered, "tokenised data"), ("spilled state cut to nothing", "spill", nothing, "spill file"),
                                    ("spilled state cut in two", "spill", half, "spill file"), ("spilled state lengthened", "spill", longer, "spill file")):
        run = subprocess.Popen([test.args.plimsoll, *job, "--memory", str(floor)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=test.environment)
        run.stdout.readline()  # it is under way
        limit = time.monotonic() + 60
        while (not os.path.isdir(out + ".partial") or not checkpoints(out + ".partial")) and run.poll() is None and time.monotonic() < limit:
            time.sleep(0.01)
        files = unnamed(run.pid) if run.poll() is None else {}
        if test.check("%s: three files are in use" % what, len(files) == 3, files):
            with open(files[which], "r+b") as f:
                deed(f, os.fstat(f.fileno()).st_size)
        else:
            run.kill()
        try:
            err = run.communicate(timeout=60)[1].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            run.kill()
            err = "goes on for a minute" + str(run.communicate()[1])
        good = run.returncode == 5 and word in err and "Sanitizer" not in err and "is kept, --resume goes on" in err and checkpoints(out + ".partial") and not os.path.exists(out)
        test.check("%s: exit 5, named, the last checkpoint is kept" % what, good, "exit %s: %s" % (run.returncode, err[-300:]))
    # the log is read at each checkpoint
    for what, deed in (("log cut to nothing", nothing), ("log altered", altered)):
        run = subprocess.Popen([test.args.plimsoll, *job], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=test.environment)
        run.stdout.readline()
        files = unnamed(run.pid)
        with open(files["log"], "r+b") as f:
            deed(f, os.fstat(f.fileno()).st_size)
        err = run.communicate(timeout=60)[1].decode("utf-8", "replace")
        test.check("%s: exit 5, named" % what, run.returncode == 5 and "the log" in err, "exit %s: %s" % (run.returncode, err[-300:]))
    again = argv(test, "cut", "--resume", folder=folder, epochs="4000", save_every="200", log_every="50")
    run = subprocess.Popen([test.args.plimsoll, *job, "--memory", str(floor)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=test.environment)
    while not os.path.isdir(out + ".partial") or not checkpoints(out + ".partial"):
        time.sleep(0.01)
    with open(unnamed(run.pid)["spill"], "r+b") as f:
        f.truncate(0)
    run.communicate()
    last = checkpoints(out + ".partial")[0]
    run = subprocess.Popen([test.args.plimsoll, *again], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=test.environment)
    run.stdout.readline()
    run.terminate()
    err = run.communicate(timeout=60)[1].decode()
    test.check("and goes on from it", run.returncode == 143 and "going on behind step " + last[11:] in err, err)


PARTS = (damaged, places, forged, others, strangers, finished, plans, spilled)


def main():
    test = e2e.Test(__doc__)
    test.peak = 0
    for part in PARTS:
        if test.wants(part.__name__):
            part(test)
    test.finish()


if __name__ == "__main__":
    main()
