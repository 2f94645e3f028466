#!/usr/bin/env python3
"""Training as a command: same bits whatever the limit and the interruption, what OUT holds, what is refused.

training.py PROGRAM GOLDEN_MAKE [PART ...]   Standard library only."""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM, MAKE = map(os.path.abspath, sys.argv[1:3])
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "cases")
parts, faults, checks = {}, [], 0
here = None
RECIPE = {"--epochs": "2", "--batch": "8", "--lr": "1e-3", "--max-length": "32", "--seed": "3", "--weight-decay": "0.01", "--log-every": "3", "--save-every": "4", "--threads": "1"}


def part(f):
    parts[f.__name__] = f
    return f


def fine(what, condition, detail=""):
    global checks
    checks += 1
    if not condition:
        faults.append(what)
        print(f"FAIL {what}: {str(detail)[:400]}", flush=True)
    return bool(condition)


def path(*names):
    return os.path.join(here, *names)


def argv(out, *flags, **change):
    recipe = {"--data": path("train.csv"), "--eval": path("eval.csv"), **RECIPE, **{"--" + k.replace("_", "-"): v for k, v in change.items()}}
    return [PROGRAM, "train", path("model"), *(x for kv in recipe.items() for x in kv), "-o", path(out), *flags]


def train(out, *flags, **change):
    return subprocess.run(argv(out, *flags, **change), capture_output=True, stdin=subprocess.DEVNULL, timeout=300)


def digest(out):
    with open(path(out, "model.safetensors"), "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def checkpoints(out):
    try:
        return sorted((n for n in os.listdir(path(out + ".partial")) if n.startswith("checkpoint-")), key=lambda n: -int(n[11:]))
    except OSError:
        return []


def prepare():
    subprocess.run([MAKE, os.path.join(CASES, "bert_multi.json"), path("model")], check=True, capture_output=True)
    config = json.load(open(path("model", "config.json")))
    for key in ("problem_type", "id2label", "label2id"):
        config.pop(key, None)
    json.dump(config, open(path("model", "config.json"), "w"))
    dice = random.Random(5)
    words = "the cat sat on a mat and saw two dogs run past it".split()
    for name, count in (("train", 60), ("eval", 12)):
        with open(path(name + ".csv"), "w", encoding="utf-8") as f:
            f.write("text,label\n")
            f.writelines(f"{' '.join(dice.choice(words) for _ in range(dice.randint(1, 30)))},{dice.choice(['no', 'yes'])}\n" for _ in range(count))


def straight():
    run = train("straight")
    fine("a run left in peace", run.returncode == 0, run.stderr)
    return digest("straight"), run.stdout


@part
def folder():
    straight()
    config, state = (json.load(open(path("straight", n))) for n in ("config.json", "trainer_state.json"))
    fine("config: labels, architecture, problem", config["id2label"] == {"0": "no", "1": "yes"} and config["architectures"] == ["BertForSequenceClassification"] and
         config["problem_type"] == "single_label_classification", config)
    fine("state: losses and evaluations", [x["step"] for x in state["log_history"] if "loss" in x] == [3, 6, 9, 12, 15] and [x["step"] for x in state["log_history"] if "eval_loss" in x] == [8, 16], state)
    run = subprocess.run([PROGRAM, "classify", path("straight"), "-i", path("eval.csv"), "--label-column", "label", "--max-length", "32", "--stats", path("stats.json")], capture_output=True)
    last = [x for x in state["log_history"] if "eval_loss" in x][-1]
    fine("classify has training's figures", run.returncode == 0 and abs(json.load(open(path("stats.json")))["metrics"]["accuracy"] - last["eval_accuracy"]) < 1e-6, run.stderr)
    fine("nothing is left beside it", not os.path.exists(path("straight.partial")) and not any(n.startswith(".") for n in os.listdir(path("straight"))))
    run = train("straight")
    fine("an existing folder is a usage error", run.returncode == 2 and b"--overwrite" in run.stderr, run.stderr)
    fine("--overwrite replaces it", train("straight", "--overwrite", seed="4").returncode == 0)
    fine("a dry run saves nothing", train("dry", "--dry-run").returncode == 0 and not os.path.exists(path("dry")) and not os.path.exists(path("dry.partial")))


def planned(form, **change):
    recipe = {**{k: RECIPE[k] for k in ("--batch", "--max-length", "--threads")}, **{"--" + k: v for k, v in change.items()}}
    return subprocess.run([PROGRAM, "plan", path("model"), "--train", form, *(x for kv in recipe.items() for x in kv)], capture_output=True, text=True)


def plan(**change):
    return json.loads(planned("--json", **change).stdout)


def same_bits(**recipe):
    run = train("truth", **recipe)
    fine(f"{recipe}: a run left in peace", run.returncode == 0, run.stderr)
    truth, lines, floor = digest("truth"), run.stdout, plan(**recipe)["floor_bytes"]
    for i, (threads, memory) in enumerate((("1", str(floor)), ("2", str(floor + (2 << 20))), ("3", "1GiB"))):
        run = train(f"same{i}", threads=threads, memory=memory, **recipe)
        fine(f"{recipe}, {threads} threads in {memory}: same bits and lines", run.returncode == 0 and digest(f"same{i}") == truth and run.stdout == lines, run.stderr)
    os.makedirs(path("spill"))
    fine(f"{recipe}: another spill folder", train("spilled", spill=path("spill"), memory=str(floor), **recipe).returncode == 0 and digest("spilled") == truth)
    fine("the spill folder is left empty", not os.listdir(path("spill")))


@part
def same():
    same_bits()


def interrupted(out, number, meanwhile=lambda: None, **change):
    p = subprocess.Popen(argv(out, epochs="30", **change), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while len(checkpoints(out)) < 2 and p.poll() is None and time.monotonic() < limit:
        time.sleep(0.001)
    p.send_signal(signal.SIGSTOP)
    meanwhile()
    p.send_signal(number)
    p.send_signal(signal.SIGCONT)
    p.communicate(timeout=60)
    return p.returncode


def resumed_bits(**recipe):
    fine("the long run", train("long", epochs="30", **recipe).returncode == 0)
    code = interrupted("killed", signal.SIGKILL, **recipe)
    fine(f"{recipe}: SIGKILL leaves checkpoints, no folder", code == -9 and checkpoints("killed") and not os.path.exists(path("killed")), code)
    run = train("killed", "--resume", epochs="30", threads="2", **recipe)
    fine(f"{recipe}: resumed: the same bits", run.returncode == 0 and digest("killed") == digest("long"), run.stderr)


@part
def resumed():
    resumed_bits()


@part
def resumed_early():
    """With an evaluation that decides when to end, but keeps no weights of its own."""
    resumed_bits(early_stopping="99")


def losses(out):
    return [x["loss"] for x in json.load(open(path(out, "trainer_state.json")))["log_history"] if "loss" in x]


@part
def bf16():
    same_bits(precision="bf16")
    truth = digest("truth")
    fine("f32 learns nearly the same", train("wide").returncode == 0 and digest("wide") != truth and all(abs(a - b) < 0.02 * b for a, b in zip(losses("truth"), losses("wide"))),
         f"{losses('truth')} {losses('wide')}")
    fine("the plan names it", plan(precision="bf16")["knobs"]["precision"] == "bf16" and plan()["knobs"]["precision"] == "f32")
    program = planned("--program", precision="bf16", memory=str(plan(precision="bf16")["floor_bytes"]))
    places = set(re.findall(r" [a-f]=([^+ ]*)\+[0-9]", program.stdout))
    fine("its program names where operands stand", program.returncode == 0 and places == {"micro", "batch", "passing", "fixed"}, program.stderr or places)
    run = train("auto", precision="auto")
    fine("auto says what it took", run.returncode == 0 and b"chosen by --precision auto" in run.stderr and digest("auto") == (truth if b"precision: bf16" in run.stderr else digest("wide")), run.stderr)
    run = train("never", precision="f16")
    fine("f16 is refused", run.returncode == 2 and b"f16" in run.stderr, run.stderr)
    env = {**os.environ, "PLIMSOLL_ISA": "reference"}
    for isa in ("avx2", "avx512"):
        other = {**env, "PLIMSOLL_ISA": isa}
        for out, e in (("one", env), ("other", other)):
            shutil.rmtree(path(out), ignore_errors=True)
            run = subprocess.run(argv(out, precision="bf16", dropout="0.1"), capture_output=True, stdin=subprocess.DEVNULL, env=e)
        if b"cannot run it" not in run.stderr:
            fine(f"bf16 by f32 arithmetic: {isa} has the reference's bits", run.returncode == 0 and digest("one") == digest("other"), run.stderr)


@part
def bf16_resumed():
    resumed_bits(precision="bf16")
    interrupted("other", signal.SIGKILL, precision="bf16")
    run = train("other", "--resume", epochs="30")
    if plan(precision="bf16")["knobs"]["isa"] in ("amx", "avx512_bf16"):
        resume = subprocess.run(argv("other", "--resume", epochs="30", precision="bf16"), capture_output=True, stdin=subprocess.DEVNULL, env={**os.environ, "PLIMSOLL_ISA": "avx2"})
        fine("bf16 by another path is refused by name", resume.returncode == 2 and b"--precision bf16 (f32 arithmetic)" in resume.stderr, resume.stderr)
    fine("another precision is refused by name", run.returncode == 2 and b"--precision f32" in run.stderr and b"begun with bf16" in run.stderr, run.stderr)


@part
def shards():
    same_bits(shards="3", precision="f32")
    fine("shards sum in another order", train("one").returncode == 0 and digest("one") != digest("truth"))
    fine("shards that wait are in the ledger", any("other shards" in x["name"] for x in plan(shards="3")["ledger"]) and plan(shards="3")["floor_bytes"] > plan()["floor_bytes"])
    shutil.rmtree(path("long"), ignore_errors=True)
    resumed_bits(shards="8", precision="bf16")
    interrupted("other", signal.SIGKILL, shards="2")
    run = train("other", "--resume", epochs="30", shards="3")
    fine("another number of shards is refused by name", run.returncode == 2 and b"--shards 3" in run.stderr and b"begun with 2" in run.stderr, run.stderr)
    for bad in ("0", "9"):
        run = train("never", shards=bad)
        fine(f"--shards {bad} of 8 texts is a usage error", run.returncode == 2 and b"--shards" in run.stderr, run.stderr)


@part
def stopped():
    for number in (signal.SIGTERM, signal.SIGINT):
        name = f"stopped{int(number)}"
        code = interrupted(name, number)
        fine(f"signal {int(number)}: a checkpoint and 128 + it", code == 128 + number and checkpoints(name), code)

    def beside():
        before = checkpoints("live")
        for option in ("--resume", "--overwrite"):
            run = train("live", option, epochs="30")
            fine(f"beside a training into the same folder, {option}", run.returncode == 5 and b"another training" in run.stderr, run.stderr)
        fine("its checkpoints are left alone", before and checkpoints("live") == before, before)

    interrupted("live", signal.SIGKILL, beside)
    fine("a killed one holds nothing", train("live", "--resume", epochs="30").returncode == 0)


@part
def damaged():
    fine("the long run", train("long", epochs="30").returncode == 0)
    interrupted("hurt", signal.SIGKILL)
    kept = path("kept.partial")
    shutil.copytree(path("hurt.partial"), kept)
    newest = checkpoints("hurt")[0]
    for what in ("cut", "bit", "gone"):
        shutil.rmtree(path("hurt.partial"), ignore_errors=True)
        shutil.rmtree(path("hurt"), ignore_errors=True)
        shutil.copytree(kept, path("hurt.partial"))
        state = path("hurt.partial", newest, "training.state")
        if what == "cut":
            os.truncate(state, os.path.getsize(state) // 2)
        elif what == "gone":
            os.unlink(state)
        else:
            with open(state, "r+b") as f:
                f.seek(os.path.getsize(state) * 2 // 3)
                byte = f.read(1)[0]
                f.seek(-1, 1)
                f.write(bytes([byte ^ 1]))
        run = train("hurt", "--resume", epochs="30")
        fine(f"{what}: passed over by name, the same bits", run.returncode == 0 and newest.encode() in run.stderr and digest("hurt") == digest("long"), run.stderr)


@part
def recipe():
    interrupted("other", signal.SIGKILL)
    for option, value in (("lr", "2e-3"), ("batch", "4"), ("seed", "9"), ("dropout", "0.3"), ("schedule", "cosine"), ("data", path("eval.csv")), ("max_length", "20")):
        run = train("other", "--resume", **{"epochs": "30", option: value})
        fine(f"another {option} is refused by name", run.returncode == 2 and option.replace("_", "-").encode() in run.stderr, run.stderr)


def with_data(*flags):
    fixed = [x for k in ("--batch", "--max-length", "--threads", "--seed", "--epochs") for x in (k, RECIPE[k])]
    run = subprocess.run([PROGRAM, "plan", path("model"), "--train", "--json", "--data", path("train.csv"), "--eval", path("eval.csv"), *fixed, *flags], capture_output=True)
    return run.stdout


@part
def lengths():
    """plan --train reads texts alone (-i, -t) for their lengths, or the data itself."""
    fixed = ["plan", path("model"), "--train", "--json", "--batch", "4", "--threads", "1"]

    def figures(*flags):
        run = subprocess.run([PROGRAM, *fixed, *flags], capture_output=True)
        plan = json.loads(run.stdout) if run.returncode == 0 else {}
        return {k: plan.get("knobs", {}).get(k) for k in ("longest", "batch_rows", "words", "batch")} | {k: plan.get(k) for k in ("steps", "peak_bytes", "floor_bytes")}
    whole = figures("--data", path("train.csv"))
    with open(path("train.csv"), encoding="utf-8") as f:
        texts = [line.rsplit(",", 1)[0] for line in f][1:]
    with open(path("train.txt"), "w", encoding="utf-8") as f:
        f.writelines(t + "\n" for t in texts)
    fine("-i: as with the data", whole["steps"] and figures("-i", path("train.csv")) == whole, whole)
    fine("-i: a file without labels", figures("-i", path("train.txt")) == whole, figures("-i", path("train.txt")))
    fine("-i -: standard input", json.loads(subprocess.run([PROGRAM, *fixed, "-i", "-"], capture_output=True, input="\n".join(texts).encode()).stdout)["peak_bytes"] == whole["peak_bytes"])
    one = figures("-t", "the cat", "-t", "the")
    fine("-t: two texts", one["longest"] == 5 and one["batch"] == 2 and one["words"] == 5 and one["peak_bytes"] < whole["peak_bytes"], one)
    fine("no text: the longest there may be", figures()["longest"] == 64, figures())
    for flags, need in ((("-i", path("train.txt"), "--data", path("train.csv")), b"--data"), (("-t", "x", "--data", path("train.csv")), b"--data"), (("--eval", path("eval.csv")), b"--data"),
                        (("-i", path("train.txt"), "--eval", path("eval.csv")), b"--data"), (("--pooling", "mean"), b"--pooling"), (("--task", "embed"), b"--task"), (("--skip", "3"), b"--skip")):
        run = subprocess.run([PROGRAM, *fixed, *flags], capture_output=True)
        fine(f"plan --train {flags[0]} ..: a usage error", run.returncode == 2 and need in run.stderr, run.stderr)
    run = subprocess.run([PROGRAM, *fixed, "-i", path("nowhere.txt")], capture_output=True)
    fine("a file that is not there", run.returncode == 3 and b"nowhere.txt" in run.stderr, run.stderr)


@part
def saved_plan():
    free, floor = json.loads(with_data()), json.loads(with_data("--memory", "1MiB"))["floor_bytes"]
    small = json.loads(with_data("--memory", str(floor)))
    fine("two plans", free["knobs"] != small["knobs"], small["knobs"])
    straight()

    def run_with(text, **change):
        with open(path("plan.json"), "w") as f:
            f.write(text)
        shutil.rmtree(path("planned"), ignore_errors=True)
        return train("planned", plan=path("plan.json"), stats=path("stats.json"), **change)
    for plan_ in (free, small):
        run = run_with(json.dumps(plan_))
        fine("a saved plan is run exactly, to the same bits", run.returncode == 0 and digest("planned") == digest("straight") and json.load(open(path("stats.json")))["knobs"] == plan_["knobs"], run.stderr)
    with open(path("train.csv")) as f, open(path("longer.csv"), "w") as g:
        lines = f.read().splitlines()
        g.write("\n".join(lines + [max(lines[1:], key=len)] * 300))
    fine("in a limit it fits", run_with(json.dumps(small), memory=str(floor + (1 << 20))).returncode == 0)
    for what, code, need, text, change in (
            ("for less memory", 4, b"plan again", json.dumps(small), {"memory": str(floor // 2)}),
            ("for another batch", 4, b"--batch", json.dumps(small), {"batch": "4"}),
            ("for longer data", 4, b"made for tokens", json.dumps(small), {"data": path("longer.csv")}),
            ("that did not fit", 4, b"did not fit", with_data("--memory", "1MiB").decode(), {}),
            ("that is no JSON", 3, b"plan.json", "{", {}),
            ("without knobs", 3, b"knobs", "{}", {}),
            ("with impossible knobs", 3, b"knobs", json.dumps({**small, "knobs": {**small["knobs"], "kept_layers": 99}}), {}),
            ("with knobs of a wrong kind", 3, b"micro_rows", json.dumps({**small, "knobs": {**small["knobs"], "micro_rows": "many"}}), {})):
        run = run_with(text, **change)
        fine(f"a saved plan {what} is refused", run.returncode == code and need in run.stderr and not os.path.exists(path("planned")), run.stderr)


@part
def numbers():
    """Whole numbers as other programs write them: training and classify read them alike."""
    dice = random.Random(7)
    with open(path("numbers.csv"), "w", encoding="utf-8") as f:
        f.write("text,label\n")
        f.writelines(f"{text},{label}\n" for text, label in zip("cat dog sat ran mat saw two it past the a on".split(), (dice.choice(("1", "2", "4", "+04", "-100", "-100")) if i > 2 else ("1", "2", "4")[i] for i in range(12))))
    run = train("numbers", data=path("numbers.csv"), eval=path("numbers.csv"))
    if not fine("classes that are numbers", run.returncode == 0, run.stderr):
        return
    fine("their names", json.load(open(path("numbers", "config.json")))["id2label"] == {"0": "1", "1": "2", "2": "4"})
    told = [json.loads(x) for x in run.stdout.splitlines() if b"eval_loss" in x][-1]
    run = subprocess.run([PROGRAM, "classify", path("numbers"), "-i", path("numbers.csv"), "--label-column", "label", "--max-length", "32", "--stats", path("stats.json")], capture_output=True)
    if fine("classify reads them", run.returncode == 0, run.stderr):
        found = json.load(open(path("stats.json")))["metrics"]
        fine("and has training's figures", all(abs(found[k] - told["eval_" + k]) < 1e-6 for k in ("accuracy", "f1_macro", "matthews")), (found, told))


@part
def messages():
    def refused(what, content, code, *need, **change):
        with open(path("bad.csv"), "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(content)
        run = train("never", **{"data": path("bad.csv"), **change})
        fine(what, run.returncode == code and all(n in run.stderr for n in need) and not os.path.exists(path("never.partial")), run.stderr)
    refused("an empty label", "text,label\na,x\nb,\n", 3, b"line 3")
    refused("no example", "text,label\n", 3, b"no example")
    refused("no label column", "text,answer\na,x\n", 3, b"label")
    refused("semicolons", "text;label\na;x\n", 3, b"no semicolon", b"--label-column NAME")
    refused("tabs", "text\tlabel\na\tx\n", 3, b"--input-format tsv")
    refused("UTF-16", "\udcff\udcfet\0e\0x\0t\0", 3, b"-f UTF-16")
    refused("a number that is none", "text,label\na,0.5\nb,1\nc,nan\n", 3, b"line 4", b"not finite")
    refused("zeros and ones", 'text,label\na,"[0, 1]"\nb,"[1, 0, 1]"\n', 3, b"line 3", b"zeros and ones")
    for what, content in (("a byte order mark, CRLF", "\ufefftext,label\r\na,x\r\nb,y\r\n"), ("quotes, lines, other columns", 'n,label,text\n1,"x, ""x""","a\nb,"\n2,y,\n'), ("one example", "text,label\na,x\n"),
                          ("blank lines, no last end", "text,label\n\na,x\n\nb,y"), ("names beside nan", "text,label\na,nan\nb,bread\n"), ("zeros and ones for two", 'text,label\na,"[0, 1]"\nb,[1]\n')):
        with open(path("odd.csv"), "w", encoding="utf-8", newline="") as f:
            f.write(content)
        run = train("odd", "--overwrite", data=path("odd.csv"), eval=path("odd.csv"))
        fine(f"honest: {what}", run.returncode == 0 and os.path.exists(path("odd", "model.safetensors")), run.stderr)
    refused("smoothed numbers", "text,label\na,0.5\nb,1\n", 2, b"--label-smoothing", b"numbers", eval=path("bad.csv"), label_smoothing="0.1")
    refused("smoothed lists", "text,label\na,[x]\nb,[y]\n", 2, b"--label-smoothing", b"several", eval=path("bad.csv"), label_smoothing="0.1")
    with open(path("unknown.csv"), "w", encoding="utf-8") as f:
        f.write("text,label\na,no\nb,perhaps\n")
    run = train("never", eval=path("unknown.csv"))
    fine("a label that only the evaluation has", run.returncode == 3 and b"line 3" in run.stderr and b"perhaps" in run.stderr, run.stderr)
    run = train("nan", lr="1e30", max_grad_norm="0")
    fine("a loss that is not finite: step and line", run.returncode == 3 and b"not finite" in run.stderr and b"step" in run.stderr, run.stderr)
    fine("no empty folder stays where nothing was saved", not os.path.exists(path("nan.partial")))
    for out, need in ((".", b"can be made"), ("x/..", b"can be made"), ("/", b"can be made"), ("/proc", b"mounted")):
        run = subprocess.run([*argv("never")[:-1], out, "--overwrite"], capture_output=True, cwd=here)
        fine(f"-o {out} is refused before anything is learned", run.returncode == 2 and need in run.stderr and not run.stdout, run.stderr)
    run = train("never", memory="1MiB")
    fine("what does not fit", run.returncode == 4 and b"smallest that works" in run.stderr, run.stderr)


wanted = sys.argv[3:] or list(parts)
with tempfile.TemporaryDirectory(prefix="plimsoll-training-") as here:
    prepare()
    for name in wanted:
        for left in os.listdir(here):
            if left not in ("model", "train.csv", "eval.csv"):
                full = path(left)
                shutil.rmtree(full) if os.path.isdir(full) else os.unlink(full)
        parts[name]()
print(f"{checks - len(faults)} of {checks} checks hold")
sys.exit(bool(faults))
