"""One short text. In process: seconds of --stats against a loaded, warm peer. Whole process: from start to
end, files in the page cache; for Python what a user writes."""
import os
import subprocess
import tempfile
import time

import common as c

USER = """
import sys, torch
from transformers import AutoModel, AutoTokenizer
torch.set_num_threads(int(sys.argv[3]))
t, m = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModel.from_pretrained(sys.argv[1]).eval()
with torch.no_grad():
    x = t(sys.argv[2], return_tensors="pt")
    print(torch.nn.functional.normalize(m(**x).last_hidden_state.mean(1)).tolist())
"""


def main():
    o = c.arguments(__doc__, text="Hello world!", precision="f32", peers="torch,ort,openvino", python="python3").parse_args()
    print(c.machine())
    seconds, peaks, others = {}, {}, []
    with tempfile.TemporaryDirectory() as work:
        texts = c.write_texts(os.path.join(work, "texts.jsonl"), [o.text])
        peers = {k: c.Peer(o.python, k, o.model, texts, o.threads, o.max_length, o.precision, work) for k in filter(None, o.peers.split(","))}
        for peer in peers.values():
            peer.ask("latency 30")
        argv = ["embed", o.model, "-i", texts, "--precision", o.precision, "--threads", o.threads]
        for number in range(o.rounds + 1):
            runs = [c.plimsoll(work, *argv) for _ in range(10)]
            row = {"plimsoll, in process": (c.median([r["seconds"] for r in runs]), runs[0]["peak"]), "plimsoll, whole process": (c.median([r["wall"] for r in runs]), runs[0]["peak"])}
            others += [r["others"] for r in runs if number]
            for name, peer in peers.items():
                r = peer.ask("latency 100")
                row[name + ", in process"] = (r["seconds"], r["peak"])
            if peers and number in (1, 2):
                begin = time.monotonic()
                subprocess.run([o.python, "-c", USER, o.model, o.text, str(o.threads)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
                row["transformers, whole process"] = (time.monotonic() - begin, 0)
            for name, (s, peak) in row.items():
                if number:
                    seconds.setdefault(name, []).append(s)
                    peaks[name] = max(peaks.get(name, 0), peak)
        for peer in peers.values():
            peer.close()
    inside, whole = seconds["plimsoll, in process"], seconds["plimsoll, whole process"]
    rows = [[n, "%.2f" % (1e3 * c.median(s)), "" if n.startswith("plimsoll") else "%.2f" % c.ratio(s, whole if "whole" in n else inside), c.mib(peaks[n]) if peaks[n] else ""] for n, s in seconds.items()]
    c.table(["system", "ms", "plimsoll is x faster", "peak MiB"], rows)
    print("others used %.2f CPUs" % (sum(others) / len(others)))


main()
