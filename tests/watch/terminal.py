"""A terminal in memory, as much of it as ncurses needs for TERM=xterm-256color: what a person would
see. Used by the tests of the screen and by the script that draws its picture."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

PIECE = re.compile(rb"\x1b\[([?>]?)([\d;]*)([@-~])|\x1b\][^\x07]*\x07|\x1b[()].|\x1b(.)|([\x00-\x1f\x7f])|([^\x00-\x1f\x7f\x1b]+)", re.S)


class Screen:
    """cells[y][x] = (character, colour, flags): colour None or 0..7, flags of "bold" and "reverse"."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [self.blank_row() for _ in range(rows)]
        self.y = self.x = self.top = 0
        self.bottom = rows - 1
        self.color, self.flags = None, frozenset()
        self.last = " "
        self.rest = b""

    def blank_row(self):
        return [(" ", None, frozenset()) for _ in range(self.columns)]

    def text(self):
        return "\n".join("".join(c[0] for c in row).rstrip() for row in self.cells)

    def feed(self, data):
        data, at = self.rest + data, 0
        cut = data.rfind(b"\x1b")  # a sequence may be cut by the read
        if cut >= 0 and not PIECE.match(data, cut):
            data, self.rest = data[:cut], data[cut:]
        else:
            self.rest = b""
        while at < len(data):
            m = PIECE.match(data, at)
            if not m:
                at += 1
                continue
            at = m.end()
            mark, numbers, final, single, control, text = m.groups()
            if text is not None:
                self.write(text, at == len(data))
            elif control is not None:
                self.control(control)
            elif single is not None:
                self.escape(single)
            elif final is not None:
                self.sequence(mark, [int(n) if n else 0 for n in numbers.split(b";")], final)

    def write(self, text, end):
        try:
            shown = text.decode()
        except UnicodeDecodeError as e:
            if end and e.start > len(text) - 4:  # a character cut by the read
                self.rest, shown = text[e.start:], text[:e.start].decode()
            else:
                raise
        for c in shown:
            self.put(c)

    def put(self, c):
        if self.x >= self.columns:
            self.x = 0
            self.line_feed()
        self.cells[self.y][self.x] = (c, self.color, self.flags)
        self.x += 1
        self.last = c

    def line_feed(self):
        if self.y == self.bottom:
            self.scroll(1)
        elif self.y < self.rows - 1:
            self.y += 1

    def scroll(self, n, top=None):
        top = self.top if top is None else top
        for _ in range(abs(n)):
            if n > 0:
                self.cells.pop(top)
                self.cells.insert(self.bottom, self.blank_row())
            else:
                self.cells.pop(self.bottom)
                self.cells.insert(top, self.blank_row())

    def control(self, c):
        if c == b"\r":
            self.x = 0
        elif c == b"\n":
            self.line_feed()
        elif c == b"\b":
            self.x = max(0, self.x - 1)
        elif c == b"\t":
            self.x = min(self.columns - 1, self.x // 8 * 8 + 8)

    def escape(self, c):
        if c == b"M":
            if self.y == self.top:
                self.scroll(-1)
            else:
                self.y -= 1

    def erase(self, y, start, end):
        for x in range(start, min(end, self.columns)):
            self.cells[y][x] = (" ", None, frozenset())

    def sequence(self, mark, n, final):
        if mark:
            return
        one = max(1, n[0])
        row = self.cells[self.y]
        if final in b"Hf":
            self.y = min(self.rows, one) - 1
            self.x = min(self.columns, max(1, n[1] if len(n) > 1 else 1)) - 1
        elif final == b"d":
            self.y = min(self.rows, one) - 1
        elif final == b"G":
            self.x = min(self.columns, one) - 1
        elif final == b"A":
            self.y = max(0, self.y - one)
        elif final == b"B":
            self.y = min(self.rows - 1, self.y + one)
        elif final == b"C":
            self.x = min(self.columns - 1, self.x + one)
        elif final == b"D":
            self.x = max(0, self.x - one)
        elif final == b"J":
            if n[0] == 0:
                self.erase(self.y, self.x, self.columns)
            for y in range(self.y + 1 if n[0] == 0 else 0, self.rows if n[0] != 1 else self.y):
                self.erase(y, 0, self.columns)
            if n[0] == 1:
                self.erase(self.y, 0, self.x + 1)
        elif final == b"K":
            self.erase(self.y, 0 if n[0] else self.x, self.columns if n[0] != 1 else self.x + 1)
        elif final == b"X":
            self.erase(self.y, self.x, self.x + one)
        elif final == b"b":
            for _ in range(one):
                self.put(self.last)
        elif final == b"@":
            row[self.x:self.x] = [(" ", None, frozenset())] * one
            del row[self.columns:]
        elif final == b"P":
            del row[self.x:self.x + one]
            row.extend([(" ", None, frozenset())] * (self.columns - len(row)))
        elif final in b"LM":
            self.scroll(-one if final == b"L" else one, self.y)
        elif final == b"S":
            self.scroll(one)
        elif final == b"T":
            self.scroll(-one)
        elif final == b"r":
            self.top, self.bottom = one - 1, (n[1] if len(n) > 1 and n[1] else self.rows) - 1
            self.y = self.x = 0
        elif final == b"m":
            self.rendition(n)

    def rendition(self, numbers):
        for n in numbers:
            if n == 0:
                self.color, self.flags = None, frozenset()
            elif n in (1, 7):
                self.flags = self.flags | {"bold" if n == 1 else "reverse"}
            elif n in (22, 27):
                self.flags = self.flags - {"bold" if n == 22 else "reverse"}
            elif 30 <= n <= 37:
                self.color = n - 30
            elif n == 39:
                self.color = None


def terminals():
    """Whether there are pseudo-terminals here; says so if not (a bare chroot has no /dev/pts)."""
    try:
        for fd in pty.openpty():
            os.close(fd)
    except OSError as e:
        print(f"skipped: no pseudo-terminals here ({e})")
        return False
    return True


def on_terminal(argv, variables):
    """What comes to a terminal on standard output; None where there are none."""
    if not terminals():
        return None
    master, slave = pty.openpty()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=slave, env={**os.environ, **variables})
    os.close(slave)
    seen = b""
    try:
        while piece := os.read(master, 4096):
            seen += piece
    except OSError:  # the last writer has gone
        pass
    os.close(master)
    p.wait(60)
    return seen


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, argv, rows=40, columns=120, environment=None):
        self.screen = Screen(rows, columns)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(environment or {})})
            try:
                os.execv(argv[0], argv)
            finally:
                os._exit(127)

    def watch(self, seconds, until=None):
        """Takes what is written for so long, or until `until(text)` holds. Returns whether it did."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until and until(self.screen.text()):
                return True
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    break
                self.screen.feed(data)
        return bool(until and until(self.screen.text()))

    def type(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, columns):
        self.screen = Screen(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        """Waits for the program; its exit code, negative for a signal."""
        self.watch(5, lambda _: os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
        _, status = os.waitpid(self.pid, 0)
        self.watch(0.2)  # what it left
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)
