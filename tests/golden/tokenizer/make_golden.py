#!/usr/bin/env python3
"""Writes golden.json: texts with their ids by Hugging Face's `tokenizers`, for the GPT-2 and GPT-NeoX files.

Usage: make_golden.py DATA_FOLDER > golden.json   (DATA_FOLDER holds tokenizers/gpt2 and tokenizers/gpt_neox)
"""
import json
import random
import sys
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

data = Path(sys.argv[1])


def gpt2():
    folder = data / "tokenizers/gpt2"
    vocabulary = json.loads((folder / "encoder.json").read_text())
    lines = (folder / "vocab.bpe").read_text().split("\n")[1:]
    tokenizer = Tokenizer(BPE(vocabulary, [tuple(line.split(" ")) for line in lines if line]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def texts():
    yield from [
        "", " ", "  ", "   a", "a   ", "\n\n\n", "a\n\n b\r\n\tc", "I'll we've it's I'M 'S ' s", "don''t ''s",
        "caf\u00e9 cafe\u0301 \u212b \u1100\u1161\u11a8 \u0958", "a\u00a0\u00a0b\u2003c\u3000d\u1680e\u180ef\u200bg",
        "x\u0085y\u2028z\u2029\u202f\u205f", "\x1c\x1d\x1e\x1f a \x0b\x0c b", "12\u00bd \u2167 \u0664\u0665 \u4e00\u4e8c",
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u0928\u092e\u0938\u094d\u0924\u0947", "\U0001f44b\U0001f3fd \U0001f469\u200d\U0001f4bb",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "-" * 100, "=" * 33, "0" * 50,
        " " * 7 + "x" + " " * 30 + "y" + " " * 24 + "\n" + " " * 25, "SUBREDDIT: r/x\n\nTITLE: y\n\nPOST: z\n\nTL;DR:",
        "<|endoftext", "_snake_case __init__ $%^&*()", "\u200d\u0301a", "\ufeffb", "e\u0301\u0327", "\uac00\u11a8",
    ]
    draw = random.Random(3)
    alphabet = "abcde  \n\t''stmdlrev019.,!?\u00e9\u0301\u0327\u00a0\u2003\u4e00\u0436\u05d0\U0001f44b"
    for _ in range(60):
        yield "".join(draw.choice(alphabet) for _ in range(draw.randrange(1, 60)))


def cases(tokenizer):
    return [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts()]


neox = Tokenizer.from_file(str(data / "tokenizers/gpt_neox/tokenizer.json"))
golden = [{"tokenizer": "tokenizers/gpt2", "cases": cases(gpt2())},
          {"tokenizer": "tokenizers/gpt_neox", "cases": cases(neox)}]
rows = [f'{{"tokenizer": {json.dumps(g["tokenizer"])}, "cases": [\n' + ",\n".join(map(json.dumps, g["cases"])) + "\n]}"
        for g in golden]
print("[" + ",\n".join(rows) + "]")
