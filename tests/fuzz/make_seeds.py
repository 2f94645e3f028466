#!/usr/bin/env python3
"""Writes the seeds of fuzz_hub_folder and fuzz_json_value into seeds/: small, one idea each."""
import json
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds")
# the order of `files` in fuzz_hub_folder.c
FILES = ["config", "modules", "pooling", "dense_config", "dense", "normalize", "sentence", "tokenizer", "index", "s1", "s2"]
T = "sentence_transformers.models."


def put(target, name, data):
    os.makedirs(os.path.join(HERE, target), exist_ok=True)
    with open(os.path.join(HERE, target, name), "wb") as f:
        f.write(data)


def folder(file, name, value):
    data = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    put("hub_folder", file + "_" + name, bytes([FILES.index(file)]) + data)


def safetensors(header, data):
    text = (header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


folder("config", "labels", {"model_type": "bert", "id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0}, "num_labels": 2, "problem_type": "regression"})
folder("config", "none", {})
folder("modules", "one", [{"path": "", "type": T + "Transformer"}])
folder("modules", "new", [{"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}, {"path": "n", "type": T + "Normalize"}])
folder("pooling", "flags", {"word_embedding_dimension": 3, "pooling_mode_cls_token": False, "pooling_mode_max_tokens": True, "pooling_mode_lasttoken": True})
folder("pooling", "names", {"embedding_dimension": 3, "pooling_mode": ["mean", "cls", "weightedmean"]})
folder("dense_config", "identity", {"in_features": 6, "out_features": 2, "bias": False, "activation_function": "torch.nn.modules.linear.Identity", "module_input_name": "sentence_embedding"})
folder("dense", "right", safetensors({"linear.weight": {"dtype": "F32", "shape": [2, 6], "data_offsets": [0, 48]}, "linear.bias": {"dtype": "F32", "shape": [2], "data_offsets": [48, 56]}}, 56))
folder("normalize", "names", {"module_input_name": "sentence_embedding", "module_output_name": None})
folder("sentence", "length", {"max_seq_length": 256})
folder("tokenizer", "length", '{"added":{"0":{"content":"[PAD]","lstrip":false}},"model_max_length":1000000000000000019884624838656}')
folder("index", "right", {"metadata": {"total_size": 20}, "weight_map": {"a": "s1", "b": "s2"}})
folder("s1", "scalar", safetensors({"a": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}, 8))
folder("s2", "two", safetensors({"__metadata__": {"k": "v"}, "b": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}, "c": {"dtype": "U8", "shape": [0, 7], "data_offsets": [8, 8]}}, 8))

for name, text in {
    "object": '{"a":1,"b":[true,false,null,-0.5e-3],"c":{"d":"\\u00e9\\ud83d\\udea2\\n"},"":{}}',
    "numbers": "[0,-0,1e5,123456789012345678901234567890,0.1,9007199254740993,2.2250738585072014e-308,5e-324]",
    "number": "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880e-5",
    "string": '"\\"\\\\\\/\\b\\f\\n\\r\\t \u65e5\u672c \U0001f6a2"',
    "deep": "[" * 40 + "]" * 40,
    "blanks": ' \t\r\n{ "a" : [ 1 , 2 ] } \n',
}.items():
    put("json_value", name, text.encode())
