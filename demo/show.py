"""What the demos share: ink, steps, bars, and how much memory a process held at most."""
import os
import shutil
import sys

COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
WIDTH = min(100, shutil.get_terminal_size((88, 24)).columns)


def ink(code, text):
    return "\x1b[%sm%s\x1b[0m" % (code, text) if COLOR else text


def step(number, title, command=""):
    print()
    print(ink("1;36", " %s " % number) + ink("1", title))
    if command:
        print("   " + ink("2", "$ " + command))
    print()


def mib(n):
    return "%.1f MiB" % (n / 2**20)


def bar(part, whole, width):
    """A bar of eighths."""
    eighths = int(round(8 * width * min(1, part / whole)))
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "") + "░" * (width - full - (1 if rest else 0))


def peak_of(pid):
    try:
        with open("/proc/%d/status" % pid) as f:
            return max([int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM")] or [0])
    except OSError:
        return 0
