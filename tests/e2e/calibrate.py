#!/usr/bin/env python3
"""A machine record as calibrate prints it is one that plimsoll reads: the plan's estimate follows it,
and a record that is none is refused with its line."""
import json
import pathlib
import subprocess
import sys

import e2e


def at(test, record, folder, code=0):
    run = test.run("plan", folder, "--json", "--precision", "f32", env={"PLIMSOLL_MACHINE": str(record)})
    fault = e2e.complaint(run, (code,)) if code else run.trouble()
    test.check("%s: plan" % record.name, not fault, fault)
    return run


def main():
    place = sys.argv.index("--calibrate")
    program = sys.argv[place + 1]
    del sys.argv[place : place + 2]
    test = e2e.Test(__doc__)
    folder = test.folder("bert_prefix")
    record = pathlib.Path(test.tmp) / "machine"
    done = subprocess.run([program, test.tmp], stdout=subprocess.PIPE, timeout=300)
    test.check("calibrate ends well", done.returncode == 0, done.returncode)
    record.write_bytes(done.stdout)
    lines = [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
    test.check("calibrate measures something", len(lines) >= 14, lines)
    test.check("every rate is above zero", all(float(line.split("=")[1]) > 0 for line in lines), lines)

    speed = {}
    for factor in (1, 10):
        scaled = pathlib.Path(test.tmp) / ("machine_%d" % factor)
        scaled.write_text("".join("%s=%g\n" % (key, float(value) * factor) for key, value in (line.split("=") for line in lines) if key.endswith("flops")))
        run = at(test, scaled, folder)
        speed[factor] = json.loads(run.out)["estimate"]["tokens_per_second"] if run.out else 0
    test.check("the estimate follows the record", speed[10] > 1.5 * speed[1], speed)
    at(test, record, folder)

    broken = pathlib.Path(test.tmp) / "broken"
    broken.write_text(lines[0] + "\navx512.F32.wishes=1\n" + "avx2.F32.wishes=1\nreference.F32.wishes=1\n")
    run = at(test, broken, folder, 3)
    test.check("a record that is none: its line is named", b"broken: line" in run.err, run.err[:200])
    test.finish()


main()
