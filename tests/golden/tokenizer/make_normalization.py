"""Every character in form C as Hugging Face's tokenizers has it: writes normalization.json.

    pip install -r ../requirements.txt
    python make_normalization.py

Each code point stands by itself, taken apart, and beside marks and Hangul (texts_of). The results of 4,096 code points,
one after another in UTF-8, have one CRC-32. tests/data/normalize_test.cpp makes the same texts.
"""
import json
import os
import unicodedata
import zlib

from tokenizers import normalizers

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK = 4096
nfc = normalizers.NFC()


def texts_of(c):
    return [c, f"a{c}\u0301", f"a\u0315{c}", f"a\u0327{c}\u0301\u0315", f"{c}\u0338", f"{c}\u1161", f"{c}\u11A8",
            f"\u1100{c}"]


def checksum(first):
    characters = [chr(point) for point in range(first, first + BLOCK) if not 0xD800 <= point < 0xE000]
    texts = [nfc.normalize_str(text) for c in characters for text in texts_of(c)]
    return zlib.crc32("".join(texts).encode())


def decomposed():
    """What composes, but for Hangul, which the texts above hold."""
    points = (point for point in range(0x110000) if not 0xD800 <= point < 0xE000 and not 0xAC00 <= point <= 0xD7A3)
    apart = {unicodedata.normalize("NFD", chr(point)) for point in points}
    return sorted(text for text in apart if len(text) > 1)


def main():
    texts = decomposed()
    golden = {"block": BLOCK, "checksums": [checksum(first) for first in range(0, 0x110000, BLOCK)],
              "decomposed": texts, "composed": [nfc.normalize_str(text) for text in texts]}
    with open(os.path.join(HERE, "normalization.json"), "w") as out:
        out.write("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()) + "\n}\n")


if __name__ == "__main__":
    main()
