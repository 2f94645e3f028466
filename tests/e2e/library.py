#!/usr/bin/env python3
"""The library as another program uses it: installed into a folder, found by pkg-config, the examples
compiled against it (static and shared, C and C++) and run; their answers are the command's."""
import os
import shutil
import subprocess
import sys

import e2e

SOURCE = os.path.dirname(os.path.dirname(e2e.HERE))


def nearest_fits(test, program, folder, env):
    texts = ["the ship in the harbour", "people know", "a heavy storm"]
    run = subprocess.run([program, folder, "64MiB", "a ship", *texts], capture_output=True, env=env, text=True)
    lines = [line.split("  ", 1)[1] for line in run.stdout.strip().split("\n") if "  " in line]
    vectors = [r["embedding"] for r in test.run("embed", folder, *[x for t in ["a ship", *texts] for x in ("-t", t)]).rows()]
    cosine = lambda a, b: sum(x * y for x, y in zip(a, b)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    want = sorted(texts, key=lambda t: -cosine(vectors[0], vectors[1 + texts.index(t)]))
    return run.returncode == 0 and lines == want, run.stderr + run.stdout


def stream_fits(test, program, folder, env):
    texts = ["the ship", "", "no", "x" * 5000, "the last one without an end"]
    run = subprocess.run([program, folder, "64MiB"], input="\n".join(texts), capture_output=True, env=env, text=True)
    want = ["%s %.3f" % (r["label"], r["score"]) for r in test.run("classify", folder, *[x for t in texts for x in ("-t", t)]).rows()]
    return run.returncode == 0 and run.stdout.split("\n")[:-1] == want, run.stderr + run.stdout


def main():
    build = sys.argv.pop(sys.argv.index("--build") + 1)
    sys.argv.remove("--build")
    test = e2e.Test(__doc__)
    embed, classify = test.folder("st_mean"), test.folder("bert_cls3")
    env = dict(test.environment)
    for name, fits, folder in (("nearest", nearest_fits, embed), ("stream", stream_fits, classify)):
        good, detail = fits(test, os.path.join(build, "examples", "example_" + name), folder, env)
        test.check("example %s answers as the command does" % name, good, detail)
    run = subprocess.run([os.path.join(build, "examples", "example_nearest"), embed, "64KiB", "a", "b"], capture_output=True, env=env, text=True)
    test.check("example nearest refuses what does not fit", run.returncode == 4 and "iB" in run.stderr, run.stderr)

    target = test.path("prefix")
    run = subprocess.run(["cmake", "--install", build, "--prefix", target], capture_output=True, text=True)
    test.check("cmake --install", run.returncode == 0, run.stderr)
    for path in ("bin/plimsoll", "include/plimsoll.h", "share/man/man1/plimsoll.1"):
        test.check("installed: " + path, os.path.exists(os.path.join(target, path)))
    run = subprocess.run([os.path.join(target, "bin", "plimsoll"), "embed", embed, "-t", "a"], capture_output=True, env=env)
    test.check("the installed program runs", run.returncode == 0 and run.stdout.startswith(b'{"embedding":['), run.stderr)
    folders = [os.path.join(f, "pkgconfig") for f, inside, _ in os.walk(target) if "pkgconfig" in inside]
    test.check("installed: plimsoll.pc", len(folders) == 1, folders)
    env["PKG_CONFIG_PATH"] = ":".join(folders)
    library = os.path.dirname(folders[0]) if folders else target
    # pkg-config gives the prefix of the build; the tests installed elsewhere
    flags = lambda *how: subprocess.run(["pkg-config", "--define-prefix", "--cflags", "--libs", *how, "plimsoll"], capture_output=True, text=True, env=env).stdout.split()
    sanitizer = ["-fsanitize=address,undefined"] if test.sanitized else []
    compilers = [("C, shared", "cc", "c", [], [])] + ([("C, static", "cc", "c", ["--static"], ["-l:libplimsoll.a"])] if not test.sanitized else [])
    if shutil.which("c++"):
        compilers.append(("C++, shared", "c++", "c++", [], []))
    for what, compiler, language, how, more in compilers:
        program = test.path("nearest-" + language.replace("+", "p") + "-".join(how))
        wanted = [f if f != "-lplimsoll" or not more else more[0] for f in flags(*how)]
        source = os.path.join(SOURCE, "examples", "nearest.c")
        if language == "c++":  # the header alone: the examples are C
            source = test.write("header.cpp", '#include <plimsoll.h>\nint main() { pl_options o; pl_options_init(&o); return o.size == sizeof o ? 0 : 1; }\n')
        run = subprocess.run([compiler, "-x", language, source, "-x", "none", "-o", program, *sanitizer, *wanted, "-lm"], capture_output=True, text=True)
        if not test.check("%s: compiles by pkg-config's flags" % what, run.returncode == 0, run.stderr):
            continue
        env["LD_LIBRARY_PATH"] = library
        if language == "c":
            good, detail = nearest_fits(test, program, embed, env)
        else:
            run = subprocess.run([program], env=env, capture_output=True, text=True)
            good, detail = run.returncode == 0, run.stderr
        test.check("%s: runs" % what, good, detail)
    test.finish()


main()
