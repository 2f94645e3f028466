"""Embedding throughput beside the peers: the same texts, mean pooling, unit length; interleaved rounds, the
order turning by one each round. plimsoll is a whole process each round and the seconds are those of its
--stats (tokenising and computing); a peer is loaded once and warm, and tokenises within its seconds."""
import array
import math
import os
import struct
import tempfile

import common as c


def load_npy(path):
    with open(path, "rb") as f:
        data = f.read()
    values = array.array("f")
    values.frombytes(data[10 + struct.unpack("<H", data[8:10])[0]:])
    return values


def main():
    parser = c.arguments(__doc__, n=2000, precision="f32", peers="loop,torch,ort,openvino", memory="", python="python3")
    parser.add_argument("-v", action="store_true")
    o = parser.parse_args()
    print(c.machine())
    peers, seconds, peaks, others, tokens = {}, {}, {}, [], 0
    with tempfile.TemporaryDirectory() as work:
        texts = c.write_texts(os.path.join(work, "texts.jsonl"), c.corpus(o.n))
        for kind in filter(None, o.peers.split(",")):
            try:
                peers[kind] = c.Peer(o.python, kind, o.model, texts, o.threads, o.max_length, o.precision, work, o.v)
                print("%s: %s" % (kind, peers[kind].about), flush=True)
            except (RuntimeError, OSError) as e:
                print("%s left out: %s" % (kind, str(e).strip().split("\n")[-1]))
        out = os.path.join(work, "plimsoll.npy")
        argv = ["embed", o.model, "-i", texts, "--format", "npy", "-o", out, "--pooling", "mean", "--normalize", "--max-length", o.max_length,
                "--precision", o.precision, "--threads", o.threads] + (["--memory", o.memory] if o.memory else [])
        names = ["plimsoll", *peers]
        wall = []
        for number in range(o.rounds + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                r = c.plimsoll(work, *argv) if name == "plimsoll" else peers[name].ask("run")
                peaks[name] = max(peaks.get(name, 0), r["peak"])
                if number == 0:  # warms caches, is not counted
                    continue
                seconds.setdefault(name, []).append(r["seconds"])
                others.append(r["others"])
                tokens = r["tokens"]
                if name == "plimsoll":
                    wall.append(r["wall"])
        ours, widest = load_npy(out), {}
        for name, peer in peers.items():
            path = os.path.join(work, name + ".npy")
            peer.ask("save " + path)
            widest[name] = max(map(abs, map(float.__sub__, ours, load_npy(path)))) if len(ours) else math.nan
            peer.close()
    mine = seconds["plimsoll"]
    rows = [[n, "%.0f" % (tokens / c.median(s)), "%.3f" % c.median(s), "" if n == "plimsoll" else "%.2f" % c.ratio(s, mine), c.mib(peaks[n]),
             "" if n == "plimsoll" else "%.1e" % widest[n]] for n, s in seconds.items()]
    print("%d texts, %d tokens, %s, %d threads, %d rounds; plimsoll's whole process %.3f s" % (o.n, tokens, o.precision, o.threads, o.rounds, c.median(wall)))
    c.table(["system", "tokens/s", "seconds", "plimsoll is x faster", "peak MiB", "largest difference"], rows)
    print("others used %.2f CPUs" % (sum(others) / len(others)))


main()
