"""Added tokens and post-processors as Hugging Face's tokenizers reads them: writes added_tokens.json.

    pip install -r ../requirements.txt
    python make_added_tokens.py

Every case is a byte-level BPE without merges: the 256 bytes in the order of GPT-2's alphabet, `vocabulary` beyond them,
and the parts of its tokenizer.json that are named. `ids` are those of the text without, `all` with the post-processor.
"""
import json
import os

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

HERE = os.path.dirname(os.path.abspath(__file__))
ALPHABET = sorted(ByteLevel.alphabet())


def token(content, id, special=False, normalized=None):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": not special if normalized is None else normalized, "special": special}


def template(*begin):
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": name, "type_id": 0}} for name, _ in begin] + text,
            "pair": text + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]} for name, id in begin}}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
END = token("<|endoftext|>", 256, special=True)
BEGIN = token("<|begin|>", 256, special=True)

CASES = {
    "an id that leaves a gap": dict(added_tokens=[END, token("NEW", 300)]),
    "ids in another order": dict(added_tokens=[token("NEW", 300), END]),
    "a gap that the vocabulary has": dict(vocabulary={"NEW": 300}, added_tokens=[END, token("NEW", 300), token("AB", 400)]),
    "another id than the vocabulary's": dict(vocabulary={"NEW": 256}, added_tokens=[token("NEW", 258)]),
    "the leftmost longest": dict(added_tokens=[token("AB", 256), token("ABC", 257), token("BC", 258), token(" D", 259)]),
    "before and after normalization": dict(normalizer={"type": "NFC"},
                                           added_tokens=[token("e\u0301x", 256), token("e\u0301y", 257, normalized=False)]),
    "a begin token": dict(added_tokens=[BEGIN], post_processor=template(("<|begin|>", 256))),
    "a begin token after ByteLevel": dict(added_tokens=[BEGIN], post_processor={
        "type": "Sequence", "processors": [BYTE_LEVEL, template(("<|begin|>", 256))]}),
    "two begin tokens": dict(added_tokens=[BEGIN, token("<|two|>", 257, special=True)],
                             post_processor=template(("<|begin|>", 256), ("<|two|>", 257))),
    "a template that adds nothing": dict(added_tokens=[END], post_processor=template()),
}
TEXTS = ["aNEWb", "NEW <|endoftext|>NEW", "ABABC BC ABBC D", "e\u0301x \u00e9x e\u0301y \u00e9y", "", "caf\u00e9 <|begin|>"]


def main():
    cases = []
    for name, parts in CASES.items():
        parts = dict(parts)
        vocabulary = parts.pop("vocabulary", {})
        file = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
                "pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": False}, "decoder": BYTE_LEVEL, **parts,
                "model": {"type": "BPE", "merges": [],
                          "vocab": {**{c: i for i, c in enumerate(ALPHABET)}, **vocabulary}}}
        tokenizer = Tokenizer.from_str(json.dumps(file))
        cases.append({"name": name, "vocabulary": vocabulary, "parts": parts, "texts": [
            {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids, "all": tokenizer.encode(text).ids}
            for text in TEXTS]})
    with open(os.path.join(HERE, "added_tokens.json"), "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
