"""Training and decoding speed of precis and PyTorch on the same threads, interleaved in one run.

    python compare_pytorch.py BUILD/bin/precis [ROUNDS]

GPT-2 124M shape, random weights, f32. Training: forward, backward, clipping and AdamW of 4 x 256 tokens. Decoding: 32
tokens after prompts of 64, sampling included, for 1, 8 and 64 sequences. Prints medians of tokens/s and ratios.
PyTorch runs eagerly and, for training, also with torch.compile; the faster of the two counts.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
os.environ["OMP_NUM_THREADS"] = str(THREADS)

import torch  # noqa: E402  (after the number of threads is set)
from transformers import GPT2Config, GPT2LMHeadModel  # noqa: E402

torch.set_num_threads(THREADS)
torch.manual_seed(1)
MODEL = GPT2LMHeadModel(
    GPT2Config(attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0, attn_implementation="sdpa")
)
TOKENS = torch.randint(0, 50257, (4, 257))


def make_training(forward):
    optimizer = torch.optim.AdamW(MODEL.parameters(), lr=1e-5, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        logits = forward(TOKENS[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), TOKENS[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(MODEL.parameters(), 1.0)
        optimizer.step()

    return step


@torch.inference_mode()
def decode(batch):
    out = MODEL(TOKENS[:1, :64].expand(batch, 64), use_cache=True)
    cache, token = out.past_key_values, torch.full((batch, 1), 11)
    begin = time.perf_counter()
    for _ in range(32):
        out = MODEL(token, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        logprobs = torch.log_softmax(out.logits[:, -1], -1)
        token = torch.multinomial(logprobs.exp(), 1)
        logprobs.gather(1, token)
    return time.perf_counter() - begin


def timed(step):
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def precis(program, *words):
    """The seconds of each repeat of `precis bench`, of what it measured last."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.json")
        keys = ["--device", "cpu", "--threads", str(THREADS), "--bench.repeats", "2", "--json", path]
        subprocess.run([program, "bench", *words, *keys], check=True, stdout=subprocess.DEVNULL)
        with open(path, encoding="utf-8") as file:
            return json.load(file)["results"][-1]["repeats"]


def report(name, tokens, ours, theirs):
    rates = [tokens / statistics.median(x) for x in (ours, theirs)]
    print(
        f"{name:12} precis {rates[0]:8.1f} tokens/s   PyTorch {rates[1]:8.1f} tokens/s   "
        f"ratio {rates[0] / rates[1]:.2f}   (spread {min(ours) / max(ours):.2f}, {min(theirs) / max(theirs):.2f})",
        flush=True,
    )


def main():
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {rounds} rounds")
    steps = {"eager": make_training(lambda x: MODEL(x).logits)}
    compiled = torch.compile(lambda x: MODEL(x).logits)
    steps["compiled"] = make_training(compiled)
    for step in steps.values():
        step()
        step()
    ours, theirs = [], {name: [] for name in steps}
    for _ in range(rounds):
        ours += precis(program, "train")
        for name, step in steps.items():
            theirs[name] += [timed(step), timed(step)]
    for name, times in theirs.items():
        report(f"train {name[:5]}", 1024, ours, times)
    for batch in (1, 8, 64):
        decode(batch)
        ours, mine = [], []
        for _ in range(rounds):
            ours += precis(program, "decode", "--bench.sequences", str(batch))
            mine += [decode(batch), decode(batch)]
        report(f"decode {batch}", 32 * batch, ours, mine)


main()
