"""Models of BERT's sizes with random weights, made where they are missing by the tests' generator in a few MiB of memory."""
import json
import os
import shutil
import subprocess
import tempfile

import common as c
import e2e

SIZES = {"bert-base": (768, 12, 3072, 12), "bert-large": (1024, 24, 4096, 16)}  # hidden, layers, inner, heads
VOCABULARY, POSITIONS = 30522, 512


def tensors(hidden, layers, inner):
    made = e2e.bert_tensors(hidden, layers, inner, VOCABULARY, POSITIONS, linear=lambda depth: 0.035, bias=0.02, gain=0.05, shift=0.05, word=0.035, place=0.035)
    return [["F32", offset, scale, "bert." + name, shape] for name, shape, offset, scale in made]


def bert_folder(size, tokenizer):
    """.cache/bench/SIZE with the tokenizer of the folder `tokenizer`: 0.4 or 1.3 GB."""
    folder = os.path.join(c.ROOT, ".cache", "bench", size)
    if os.path.exists(os.path.join(folder, "tokenizer.json")):
        return folder
    hidden, layers, inner, heads = SIZES[size]
    config = {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
              "intermediate_size": inner, "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0}
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as case:
        json.dump({"tokenizer": None, "files": {"config.json": config}, "weights": {"model.safetensors": tensors(hidden, layers, inner)}}, case)
        case.flush()
        subprocess.run([c.GOLDEN, case.name, folder], check=True)
    shutil.copyfile(os.path.join(tokenizer, "tokenizer.json"), os.path.join(folder, "tokenizer.json"))  # last: the folder is complete with it
    return folder
