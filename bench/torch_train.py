"""The training peer, in the peers' venv: torch and transformers as Trainer sets them by default. Started by train.py and quality.py.

torch_train.py MODEL DATA.csv THREADS MAX_LENGTH PRECISION BATCH
Commands on standard input, each answered by a line of JSON:
  run STEPS               so many optimizer steps over the file in its order, from where the last run ended
  learn SEED LR EPOCHS TEST.csv   trains anew with a shuffle of that seed, answers with the accuracy on TEST.csv

AdamW (fused), clipping at 1, linear schedule, dropout as config.json has it, batches padded to their longest text; bf16
is autocast over f32 weights. Tokenising is not in the seconds."""
import csv
import json
import math
import os
import resource
import sys
import time

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification


def read(path):
    with open(path, newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    return [r["text"] for r in rows], [r["label"] for r in rows]


class Training:
    def __init__(self, folder, data, threads, max_length, precision, batch):
        torch.set_num_threads(threads)
        self.folder, self.batch, self.precision = folder, batch, precision
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)
        texts, labels = read(data)
        self.names = sorted(set(labels))
        self.ids, self.labels = self.encode(texts), [self.names.index(v) for v in labels]
        self.at = 0
        self.start(42, 5e-5, 1 << 30)

    def encode(self, texts):
        return [e.ids for e in self.tokenizer.encode_batch(texts)]

    def start(self, seed, lr, steps):
        torch.manual_seed(seed)
        config = AutoConfig.from_pretrained(self.folder, num_labels=len(self.names))
        self.model = AutoModelForSequenceClassification.from_pretrained(self.folder, config=config, dtype=torch.float32).train()
        self.pad = config.pad_token_id or 0
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=0.0, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda k: max(0.0, (steps - k) / steps))

    def tensors(self, ids):
        longest = max(map(len, ids))
        a, m = torch.full((len(ids), longest), self.pad), torch.zeros((len(ids), longest), dtype=torch.int64)
        for i, r in enumerate(ids):
            a[i, :len(r)] = torch.tensor(r)
            m[i, :len(r)] = 1
        return a, m

    def step(self, part):
        a, m = self.tensors([self.ids[i] for i in part])
        y = torch.tensor([self.labels[i] for i in part])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            loss = self.model(input_ids=a, attention_mask=m, labels=y).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach()), int(m.sum()), m.numel()

    def run(self, steps):
        begin, tokens, padded, losses = time.perf_counter(), 0, 0, []
        for _ in range(steps):
            if self.at + self.batch > len(self.ids):
                self.at = 0
            loss, n, p = self.step(range(self.at, self.at + self.batch))
            self.at += self.batch
            tokens, padded = tokens + n, padded + p
            losses.append(loss)
        return {"seconds": time.perf_counter() - begin, "tokens": tokens, "padded": padded, "losses": losses}

    def accuracy(self, path):
        texts, labels = read(path)
        ids, right = self.encode(texts), 0
        self.model.eval()
        with torch.inference_mode():
            for at in range(0, len(ids), 64):
                a, m = self.tensors(ids[at:at + 64])
                guess = self.model(input_ids=a, attention_mask=m).logits.argmax(1).tolist()
                right += sum(self.names[g] == v for g, v in zip(guess, labels[at:at + 64]))
        return right / len(ids)

    def learn(self, seed, lr, epochs, test):
        count = len(self.ids)
        per_epoch = math.ceil(count / self.batch)
        self.start(seed, lr, math.ceil(epochs * per_epoch))
        left = math.ceil(epochs * per_epoch)
        while left:
            order = torch.randperm(count).tolist()
            for at in range(0, count, self.batch):
                if not left:
                    break
                self.step(order[at:at + self.batch])
                left -= 1
        return {"accuracy": self.accuracy(test)}


def answer(d):
    d["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(d), flush=True)


def main():
    model, data, threads, max_length, precision, batch = sys.argv[1:]
    t = Training(model, data, int(threads), int(max_length), precision, int(batch))
    answer({"about": "torch %s, %s" % (torch.__version__, precision)})
    for line in sys.stdin:
        words = line.split()
        if words[0] == "run":
            answer(t.run(int(words[1])))
        elif words[0] == "learn":
            answer(t.learn(int(words[1]), float(words[2]), float(words[3]), words[4]))


main()
