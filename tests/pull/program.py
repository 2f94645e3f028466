#!/usr/bin/env python3
"""plimsoll-pull against a hub on 127.0.0.1 that can misbehave.  program.py PROGRAM"""
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROGRAM = sys.argv[1]
scratch = tempfile.TemporaryDirectory(prefix="plimsoll-pull-")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
wrong = []


def check(what, fine, detail=""):
    if not fine:
        wrong.append(what)
        print(f"wrong: {what}: {str(detail)[:600]}")


class Hub:
    """What the server shows, and what it was asked."""

    def __init__(self):
        self.files = {}      # path: bytes
        self.lfs = set()
        self.seen = []       # (path, headers)
        self.status = {}     # url part: (code, headers)
        self.cut = {}        # path: bytes that are sent before the connection breaks, once each time in the list
        self.damage = set()
        self.redirect = {}   # path: URL
        self.ranges = True
        self.slow = set()
        self.tree = None     # a body of its own
        self.info = None
        self.pages = 0       # entries a page; 0: all
        self.too_much = set()

    def entry(self, path):
        data = self.files[path]
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        e = {"type": "file", "oid": git, "size": len(data), "path": path}
        if path in self.lfs:
            e["oid"] = "f" * 40
            e["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return e

    def hash(self, path):
        e = self.entry(path)
        return e.get("lfs", e)["oid"]


hub = Hub()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        hub.seen.append((self.path, dict(self.headers)))
        for part, (code, headers) in hub.status.items():
            if part in path:
                return self.answer(code, b"words", headers)
        if path.startswith("/api/models/"):
            return self.api(path, url.query)
        return self.blob(path.split("/resolve/" + COMMIT + "/", 1)[-1])

    def api(self, path, query):
        if "/tree/" not in path:
            return self.answer(200, hub.info or json.dumps({"id": "x", "sha": COMMIT, "siblings": [{"rfilename": p} for p in hub.files]}).encode())
        if hub.tree is not None:
            return self.answer(200, hub.tree)
        names = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "1_Pooling"}] + [hub.entry(p) for p in hub.files]
        at = int(urllib.parse.parse_qs(query).get("cursor", ["0"])[0])
        end = at + hub.pages if hub.pages else len(names)
        more = [("Link", f'<http://{self.headers["Host"]}{path}?recursive=true&cursor={end}>; rel="next"')] if end < len(names) else []
        return self.answer(200, json.dumps(names[at:end]).encode(), more)

    def blob(self, path):
        if path in hub.redirect:
            return self.answer(302, b"", [("Location", hub.redirect[path])])
        if path not in hub.files:
            return self.answer(404)
        data, start = hub.files[path], 0
        if path in hub.damage:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if path in hub.too_much:
            data += b"more"
        wanted = self.headers.get("Range")
        if wanted and hub.ranges:
            start = int(wanted.split("=")[1].split("-")[0])
            if start >= len(data):
                return self.answer(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if hub.cut.get(path):
            self.wfile.write(body[:hub.cut[path].pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return self.connection.close()
        if path in hub.slow:
            for i in range(0, len(body), 20000):
                self.wfile.write(body[i:i + 20000])
                time.sleep(0.02)
            return None
        return self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
ENDPOINT = f"http://127.0.0.1:{server.server_port}"
other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
other.daemon_threads = True
threading.Thread(target=other.serve_forever, daemon=True).start()
OTHER = f"http://127.0.0.1:{other.server_port}"


def fresh():
    """A new hub with a small model, and an empty cache."""
    hub.__init__()
    hub.files = {"config.json": b'{"model_type": "bert"}', "tokenizer.json": b"{}", "model.safetensors": os.urandom(300000), "pytorch_model.bin": b"pickle",
                 "onnx/model.onnx": b"onnx", "README.md": b"words", "tf_model.h5": b"h5", "vocab.txt": b"[PAD]\n"}
    hub.lfs = {"model.safetensors", "pytorch_model.bin"}
    shutil.rmtree(os.path.join(scratch.name, "home"), ignore_errors=True)
    os.makedirs(os.path.join(scratch.name, "home"))


def environment(**more):
    env = {"PATH": os.environ["PATH"], "HOME": os.path.join(scratch.name, "home"), "HF_ENDPOINT": ENDPOINT, "no_proxy": "127.0.0.1"}
    env |= {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))}
    return {k: v for k, v in (env | more).items() if v is not None}


def pull(*argv, env=None, **more):
    return subprocess.run([PROGRAM, "pull", *argv], capture_output=True, text=True, timeout=60, env=environment(**(env or {})), **more)


def repository(name="models--org--name"):
    return os.path.join(scratch.name, "home", ".cache/huggingface/hub", name)


def snapshot(path=""):
    return os.path.join(repository(), "snapshots", COMMIT, path)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def refused(what, code, words, r):
    first = r.stderr.split("\n")[0]
    check(what, r.returncode == code and first.startswith("plimsoll: ") and words in r.stderr and not r.stdout, (r.returncode, r.stderr, r.stdout))
    check(what + ": further lines are hints", all(line.startswith("  hint: ") for line in r.stderr.split("\n")[1:] if line), r.stderr)


def whole():
    fresh()
    r = pull("org/name")
    check("exit 0, the path alone", r.returncode == 0 and r.stdout == snapshot().rstrip("/") + "\n" and not r.stderr, (r.returncode, r.stdout, r.stderr))
    found = {os.path.relpath(os.path.join(at, f), snapshot()) for at, _, names in os.walk(snapshot()) for f in names}
    check("what is needed and nothing else", found == {"config.json", "tokenizer.json", "model.safetensors", "vocab.txt"}, found)
    for path in found:
        check("bytes of " + path, read(snapshot(path)) == hub.files[path])
        check("link of " + path, os.readlink(snapshot(path)) == "../../blobs/" + hub.hash(path))
    check("reference", read(repository() + "/refs/main") == COMMIT.encode())
    check("nothing unfinished", not [n for n in os.listdir(repository() + "/blobs") if n.endswith(".incomplete")])
    hub.seen.clear()
    r = pull("org/name", "--json")
    p = json.loads(r.stdout)
    check("the second time nothing is downloaded", not [u for u, _ in hub.seen if "/resolve/" in u] and p["downloaded_bytes"] == 0, hub.seen)
    check("json", list(p) == ["model", "revision", "commit", "path", "files", "bytes", "downloaded_bytes"] and p["commit"] == COMMIT and len(p["files"]) == 4
          and p["bytes"] == sum(len(hub.files[f]) for f in found), p)
    with open(repository() + "/blobs/" + hub.hash("vocab.txt"), "w") as f:
        f.write("short")
    r = pull("org/name", "-v")
    check("a short blob is replaced", read(snapshot("vocab.txt")) == hub.files["vocab.txt"] and "vocab.txt: " in r.stderr and "was here" in r.stderr, r.stderr)


def names():
    fresh()
    hub.pages = 2
    r = pull("org/name@refs/pr/7")
    check("a revision with slashes", r.returncode == 0 and read(repository() + "/refs/refs/pr/7") == COMMIT.encode() and any("revision/refs%2Fpr%2F7" in u for u, _ in hub.seen), (r.stderr, hub.seen[:2]))
    check("in pages", sum("/tree/" in u for u, _ in hub.seen) == 5)
    r = pull("org/name@" + COMMIT)
    check("a commit needs no reference", r.returncode == 0 and not os.path.exists(repository() + "/refs/" + COMMIT))
    check("without an organisation", pull("plain").returncode == 0 and os.path.exists(repository("models--plain") + "/refs/main"))
    for bad in ("a/b/c", "../x", "org/..", "org/name@", "org/na me", "org--x/y", ""):
        refused("name " + bad, 2, "is no name on the hub", pull(bad))
    refused("no model", 2, "the model is missing", pull())
    refused("two models", 2, "one model at a time", pull("org/name", "org/other"))
    refused("an option", 2, "pull has no such option", pull("org/name", "--jsn"))
    refused("no address", 2, "HF_ENDPOINT", pull("org/name", env={"HF_ENDPOINT": "ftp://127.0.0.1"}))
    refused("no cache", 2, "HF_HUB_CACHE", pull("org/name", env={"HOME": None}))


def places():
    fresh()
    for variable, folder in (("HF_HUB_CACHE", "a"), ("HF_HOME", "b"), ("XDG_CACHE_HOME", "c"), ("HUGGINGFACE_HUB_CACHE", "d")):
        at = os.path.join(scratch.name, "home", folder)
        r = pull("org/name", env={variable: at})
        inside = {"a": "", "b": "/hub", "c": "/huggingface/hub", "d": ""}[folder]
        check(variable, r.returncode == 0 and os.path.exists(f"{at}{inside}/models--org--name/refs/main"), r.stderr)


def tokens():
    fresh()
    hub.redirect["model.safetensors"] = OTHER + "/x/resolve/" + COMMIT + "/weights"
    hub.files["weights"] = hub.files["model.safetensors"]
    hub.redirect["vocab.txt"] = "/moved/resolve/" + COMMIT + "/words"
    hub.files["words"] = hub.files["vocab.txt"]
    r = pull("org/name", env={"HF_TOKEN": "hf_secret"})
    told = {u: h.get("Authorization") for u, h in hub.seen}
    elsewhere = [a for u, a in told.items() if u.startswith("/x/")]
    check("redirected", r.returncode == 0 and read(snapshot("model.safetensors")) == hub.files["weights"], r.stderr)
    check("the token goes to the hub alone", elsewhere == [None] and all(a == "Bearer hf_secret" for u, a in told.items() if not u.startswith("/x/")), told)
    fresh()
    os.makedirs(os.path.join(scratch.name, "home/.cache/huggingface"))
    with open(os.path.join(scratch.name, "home/.cache/huggingface/token"), "w") as f:
        f.write("hf_file\n")
    pull("org/name")
    check("the token's file", all(h.get("Authorization") == "Bearer hf_file" for _, h in hub.seen))
    hub.seen.clear()
    pull("org/name", env={"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})
    check("not by itself", all("Authorization" not in h for _, h in hub.seen))
    refused("a token with a line in it", 2, "HF_TOKEN: holds what is no token", pull("org/name", env={"HF_TOKEN": "a\r\nX: y"}))


def refusals():
    for code, reason, words in ((404, "", "there is no such model"), (401, "RepoNotFound", "there is no such model"), (401, "", "(401)"), (403, "", "(403)"),
                                (403, "GatedRepo", "accepted its conditions"), (404, "RevisionNotFound", "has no revision main")):
        fresh()
        hub.status["/api/models/"] = (code, [("X-Error-Code", reason)] if reason else [])
        refused(f"{code} {reason}", 3, words, pull("org/name"))
    fresh()
    hub.status["/resolve/"] = (403, [])
    refused("files that may not be read", 3, "may not be read", pull("org/name"))
    fresh()
    del hub.files["model.safetensors"]
    refused("pickles only", 3, "has no safetensors weights", pull("org/name"))
    fresh()
    del hub.files["config.json"]
    refused("no model", 3, "has no config.json", pull("org/name"))
    check("no reference is left", not os.path.exists(repository() + "/refs"))
    begin = time.monotonic()
    refused("no server", 5, "127.0.0.1", pull("org/name", env={"HF_ENDPOINT": "http://127.0.0.1:9"}))
    check("at once", time.monotonic() - begin < 10)
    fresh()
    hub.status["/tree/"] = (503, [])
    refused("a server in trouble", 5, "answers 503", pull("org/name"))
    check("asked four times", sum("/tree/" in u for u, _ in hub.seen) == 4)


def transfers():
    fresh()
    hub.cut["model.safetensors"] = [100000, 50000]
    r = pull("org/name")
    ranges = [h.get("Range") for u, h in hub.seen if u.endswith("model.safetensors")]
    check("goes on by itself", r.returncode == 0 and ranges == [None, "bytes=100000-", "bytes=150000-"] and read(snapshot("model.safetensors")) == hub.files["model.safetensors"], (r.stderr, ranges))
    fresh()
    hub.cut["model.safetensors"] = [100000, 1000, 1000, 1000]
    refused("gives up", 5, "model.safetensors", pull("org/name"))
    partial = repository() + "/blobs/" + hub.hash("model.safetensors") + ".incomplete"
    check("keeps what came", read(partial) == hub.files["model.safetensors"][:103000])
    check("nothing points at it", not os.path.lexists(snapshot("model.safetensors")) and not os.path.exists(repository() + "/refs/main"))
    hub.seen.clear()
    p = json.loads(pull("org/name", "--json").stdout)
    check("and goes on with the rest", [h.get("Range") for u, h in hub.seen if u.endswith("model.safetensors")] == ["bytes=103000-"]
          and [f["downloaded_bytes"] for f in p["files"] if f["path"] == "model.safetensors"] == [197000], p)
    fresh()
    hub.cut["model.safetensors"], hub.ranges = [100000], False
    r = pull("org/name")
    check("a server without ranges", r.returncode == 0 and read(snapshot("model.safetensors")) == hub.files["model.safetensors"], r.stderr)
    fresh()
    hub.damage.add("model.safetensors")
    refused("another hash", 3, "would be right", pull("org/name"))
    check("is removed", not os.path.exists(partial) and not os.path.lexists(snapshot("model.safetensors")))
    hub.damage.clear()
    check("and comes anew", pull("org/name").returncode == 0)
    fresh()
    hub.damage.add("vocab.txt")
    refused("git's hash too", 3, "would be right", pull("org/name"))
    fresh()
    hub.too_much.add("model.safetensors")
    refused("more than it said", 3, "sends more than", pull("org/name"))
    fresh()
    os.makedirs(repository() + "/blobs")
    with open(repository() + "/blobs/" + hub.hash("model.safetensors") + ".incomplete", "wb") as f:
        f.write(b"x" * 400000)
    check("an unfinished file that is too long", pull("org/name").returncode == 0)


def sentences():
    fresh()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}}
    modules = [{"idx": 0, "path": "", "type": "T"}, {"idx": 1, "path": "1_Pooling", "type": "P"}, {"idx": 2, "path": "2_Dense", "type": "D"}]
    del hub.files["model.safetensors"]
    hub.files |= {"modules.json": json.dumps(modules).encode(), "1_Pooling/config.json": b"{}", "2_Dense/config.json": b"{ }", "2_Dense/model.safetensors": b"dense", "sentence_bert_config.json": b"{}",
                  "2_Dense/pytorch_model.bin": b"no", "model.safetensors.index.json": json.dumps(index).encode(), "model-00001-of-00002.safetensors": b"one",
                  "model-00002-of-00002.safetensors": b"two", "other.safetensors": b"other", "3_More/config.json": b"more"}
    r = pull("org/name")
    found = {os.path.relpath(os.path.join(at, f), snapshot()) for at, _, names in os.walk(snapshot()) for f in names}
    check("shards and modules", r.returncode == 0 and found == set(hub.files) - {"pytorch_model.bin", "onnx/model.onnx", "README.md", "tf_model.h5", "2_Dense/pytorch_model.bin", "other.safetensors", "3_More/config.json"},
          (r.stderr, found))
    check("deep links", os.readlink(snapshot("2_Dense/model.safetensors")) == "../../../blobs/" + hub.hash("2_Dense/model.safetensors"))
    for shard in ("../../x.safetensors", "none.safetensors", "model.bin", "/etc/x.safetensors"):
        hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": shard}}).encode()
        refused("shard " + shard, 3, "", pull("org/name"))
    hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    for path in ("../up", "/etc", "a//b", "a/../b"):
        hub.files["modules.json"] = json.dumps([{"path": path}]).encode()
        refused("module " + path, 3, "does not stay in the repository", pull("org/name"))


def hostile():
    def tree(**change):
        fresh()
        entries = [hub.entry(p) | (change if p == "config.json" else {}) for p in hub.files]
        hub.tree = json.dumps(entries).encode()
        return pull("org/name")

    for path in ("../../../../evil", "a/../../x", "/etc/passwd", "a//b", ".", "x/.", "a\nb", "a\\b", "x" * 2000, "x" * 300, ""):
        refused("path " + path[:20], 3, "path", tree(path=path))
    for oid in ("../../x", "g" * 40, "a" * 39, "A" * 40, "", 7):
        refused(f"oid {oid}", 3, "", tree(oid=oid))
    for size in (-1, "7", 1.5, 1 << 70, None):
        refused(f"size {size}", 3, "size", tree(size=size))
    refused("twice", 3, "twice", tree(path="vocab.txt"))
    refused("another hash's kind", 3, "hexadecimal", tree(lfs={"oid": "a" * 40, "size": 3}))
    check("nothing was written outside", not os.path.exists(os.path.join(scratch.name, "evil")))
    for body in (b"", b"{}", b"[", b"[1]", b"null", b"[" * 5000, b'[{"path": "a"}]x', b"\xff\xfe"):
        fresh()
        hub.tree = body
        refused(f"tree {body[:20]}", 3, "", pull("org/name"))
    for body in (b"[]", b"{}", b'{"sha": "../x"}', b'{"sha": 7}', b'{"sha": "' + b"z" * 40 + b'"}', b"<html>"):
        fresh()
        hub.info = body
        refused(f"commit {body[:20]}", 3, "", pull("org/name"))
    fresh()
    hub.tree = b"[" + b" " * (17 << 20) + b"]"
    refused("a huge answer", 3, "is larger than", pull("org/name"))
    fresh()
    hub.redirect["config.json"] = f"{ENDPOINT}/org/name/resolve/{COMMIT}/config.json"
    refused("in a circle", 3, "from place to place", pull("org/name"))
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"):
        fresh()
        hub.redirect["config.json"] = target
        refused("to " + target, 3, "", pull("org/name"))
    fresh()
    os.makedirs(repository() + "/blobs")
    target = os.path.join(scratch.name, "victim")
    open(target, "w").close()
    os.symlink(target, repository() + "/blobs/" + hub.hash("model.safetensors") + ".incomplete")
    refused("a link where the unfinished file should be", 5, "cannot be written", pull("org/name"))
    check("it was not followed", os.path.getsize(target) == 0)


def offline():
    fresh()
    refused("not here", 3, "HF_HUB_OFFLINE", pull("org/name", env={"HF_HUB_OFFLINE": "1"}))
    pull("org/name")
    hub.seen.clear()
    r = pull("org/name", env={"HF_HUB_OFFLINE": "yes"})
    check("here", r.returncode == 0 and r.stdout == snapshot().rstrip("/") + "\n" and not hub.seen, r.stderr)


def start(*argv, **more):
    return subprocess.Popen([PROGRAM, "pull", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **more)


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def interrupted():
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
        fresh()
        hub.files["model.safetensors"] = os.urandom(2000000)
        hub.slow.add("model.safetensors")
        partial = repository() + "/blobs/" + hub.hash("model.safetensors") + ".incomplete"
        child = start("org/name")
        check("begins", wait_for(lambda: os.path.exists(partial) and os.path.getsize(partial) > 0))
        child.send_signal(number)
        _, words = child.communicate(timeout=20)
        check(f"signal {number}", child.returncode == code and ("goes on" in words or number == signal.SIGKILL), (child.returncode, words))
        kept = os.path.getsize(partial)
        hub.slow.clear()
        hub.seen.clear()
        r = pull("org/name")
        check("goes on after it", r.returncode == 0 and f"bytes={kept}-" in [h.get("Range") for _, h in hub.seen] and read(snapshot("model.safetensors")) == hub.files["model.safetensors"], r.stderr)


def together():
    fresh()
    hub.files["model.safetensors"] = os.urandom(1500000)
    hub.slow.add("model.safetensors")
    both = [start("org/name") for _ in range(2)]
    ends = [child.communicate(timeout=60) + (child.returncode,) for child in both]
    check("both succeed", all(end[2] == 0 for end in ends), ends)
    check("each file is downloaded once", all(sum(u.endswith("/" + p) for u, _ in hub.seen) == 1 for p in ("config.json", "model.safetensors", "vocab.txt")), [u for u, _ in hub.seen])
    check("the one that waits says so", any("waiting" in end[1] for end in ends), ends)
    fresh()
    locks = os.path.join(repository(), "..", ".locks", "models--org--name")
    os.makedirs(locks)
    held = os.open(os.path.join(locks, hub.hash("config.json") + ".lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)  # as huggingface_hub does
    child = start("org/name", "-q")
    time.sleep(1.5)
    check("waits for Python's lock", child.poll() is None)
    os.close(held)
    out, words = child.communicate(timeout=20)
    check("then goes on", child.returncode == 0 and not words, words)


def full():
    fresh()
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    r = pull("org/name", preexec_fn=small)
    refused("no room", 5, "cannot be written", r)
    r = pull("org/name")
    check("goes on when there is", r.returncode == 0 and any("bytes=100000-" == h.get("Range") for _, h in hub.seen), r.stderr)
    fresh()
    os.makedirs(repository())
    hub.tree = json.dumps([hub.entry(p) | ({"lfs": {"oid": "a" * 64, "size": 1 << 49}} if p == "model.safetensors" else {}) for p in hub.files]).encode()
    refused("more than any disk", 5, "still to be downloaded", pull("org/name"))
    with open("/dev/full", "w") as out:
        fresh()
        r = subprocess.run([PROGRAM, "pull", "org/name"], stdout=out, stderr=subprocess.PIPE, text=True, timeout=60, env=environment())
        check("a full stdout", r.returncode == 5 and "standard output" in r.stderr, r.stderr)


def progress():
    fresh()
    hub.files["model.safetensors"] = os.urandom(1000000)
    hub.slow.add("model.safetensors")
    r = pull("org/name", "--progress", "always")
    check("progress", r.returncode == 0 and " files, " in r.stderr and "\r" in r.stderr or "\x1b[K" in r.stderr, r.stderr)
    fresh()
    check("none by itself", not pull("org/name").stderr)


try:
    for part in (whole, names, places, tokens, refusals, transfers, sentences, hostile, offline, interrupted, together, full, progress):
        part()
finally:
    server.shutdown()
    other.shutdown()
    scratch.cleanup()
sys.exit(1 if wrong else 0)
