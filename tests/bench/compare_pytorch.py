"""Speed of precis and PyTorch beside each other, in turns, on one device.

    python compare_pytorch.py BUILD/bin/precis [ROUNDS] [--device cuda] [--json FILE] ...

Compared: kernels (matrix products, attention forward and backward against SDPA, the vocabulary's loss, fused AdamW),
training steps (forward, backward, clipping, AdamW; PyTorch eagerly and with torch.compile), and generation (prompts and
sampled tokens; transformers' `generate`, and a loop over its model without generate's own work). Random weights in the
shapes of --models. On the CPU both compute in f32; on a GPU in bf16 with f32 parameters and moments (PyTorch: autocast)
for training, and with bf16 weights for generation. In each round both programs measure; a row has the medians over all
rounds, `ratio` is PyTorch's time over precis's, and `spread` is the fastest over the slowest of each.

The defaults are sized for the device: on a GPU 512 + 48 tokens for 1, 16, 64 and 256 sequences, on the CPU what takes
minutes. Needs torch and transformers.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

MODELS = {  # layers, width, heads
    "124m": (12, 768, 12),
    "1b": (18, 2048, 16),
    "tiny": (2, 64, 2),
}
VOCABULARY = 50257


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the precis to measure")
    parser.add_argument("rounds", nargs="?", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", help="the rows, as one JSON object, into this file")
    parser.add_argument("--models", help="of " + ", ".join(MODELS) + "; default 124m, on a GPU also 1b")
    parser.add_argument("--parts", default="kernels,train,decode")
    parser.add_argument("--sequences", help="that are generated together; default 1,8,64, on a GPU 1,16,64,256")
    parser.add_argument("--prompt", type=int, help="tokens of a prompt; default 64, on a GPU 512")
    parser.add_argument("--new", type=int, help="tokens of a response; default 33, on a GPU 48")
    parser.add_argument("--batch", type=int, help="sequences of a training batch; default 4, on a GPU 16")
    parser.add_argument("--length", type=int, help="tokens of each; default 256, on a GPU 1024")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    options = parser.parse_args()
    gpu = options.device == "cuda"
    for name, of_cpu, of_gpu in (
        ("models", "124m", "124m,1b"),
        ("sequences", "1,8,64", "1,16,64,256"),
        ("prompt", 64, 512),
        ("new", 33, 48),
        ("batch", 4, 16),
        ("length", 256, 1024),
    ):
        if getattr(options, name) is None:
            setattr(options, name, of_gpu if gpu else of_cpu)
    for name in ("models", "parts", "sequences"):
        setattr(options, name, getattr(options, name).split(","))
    return options


OPTIONS = arguments()
os.environ["OMP_NUM_THREADS"] = str(OPTIONS.threads)

import torch  # noqa: E402  (after the number of threads is set)
from torch.nn import functional  # noqa: E402
from transformers import GPT2Config, GPT2LMHeadModel  # noqa: E402

torch.set_num_threads(OPTIONS.threads)
torch.manual_seed(1)
GPU = OPTIONS.device == "cuda"
ACTIVATION = torch.bfloat16 if GPU else torch.float32
ROWS = []


def synchronize():
    if GPU:
        torch.cuda.synchronize()


def seconds_of(work, shortest):
    """Seconds of one call, over as many calls as take `shortest` seconds together."""

    def measure(calls):
        synchronize()
        begin = time.perf_counter()
        for _ in range(calls):
            work()
        synchronize()
        return (time.perf_counter() - begin) / calls

    measure(1)
    return measure(max(1, min(1000, int(shortest / measure(1)) + 1)))


def precis(words, keys):
    """The results of one run of `precis bench`: name -> the seconds of its repeats."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.json")
        fixed = ["--device", OPTIONS.device, "--threads", str(OPTIONS.threads), "--bench.repeats", "2", "--json", path]
        subprocess.run([OPTIONS.program, "bench", words, *keys, *fixed], check=True, stdout=subprocess.DEVNULL)
        with open(path, encoding="utf-8") as file:
            return {row["name"]: row["repeats"] for row in json.load(file)["results"]}


def compare(model, rounds, ours, theirs, tokens=None, shortest=0.0):
    """Measures in turns. ours() gives name -> seconds; theirs: name -> {contender: work}. Prints and keeps the rows."""
    times = {}
    for _ in range(rounds):
        for name, repeats in ours().items():
            if name in theirs:
                times.setdefault((name, "precis"), []).extend(repeats)
        for name, contenders in theirs.items():
            for contender, work in contenders.items():
                times.setdefault((name, contender), []).append(seconds_of(work, shortest))
    for name, contenders in theirs.items():
        if (name, "precis") not in times:
            raise SystemExit(f"precis bench has no result named '{name}'.")
        median = statistics.median(times[name, "precis"])
        for contender in contenders:
            other = statistics.median(times[name, contender])
            spreads = [min(t) / max(t) for t in (times[name, "precis"], times[name, contender])]
            row = {"model": model, "name": name, "against": contender, "precis_seconds": median}
            row |= {"pytorch_seconds": other, "ratio": other / median, "spread": spreads}
            if tokens:
                row |= {"precis_tokens_per_second": tokens / median, "pytorch_tokens_per_second": tokens / other}
            ROWS.append(row)
            print(text_of(row), flush=True)


def text_of(row):
    if "precis_tokens_per_second" in row:
        values = [f"{row[key]:11.1f} tokens/s" for key in ("precis_tokens_per_second", "pytorch_tokens_per_second")]
    else:
        values = [f"{1e6 * row[key]:11.1f} us      " for key in ("precis_seconds", "pytorch_seconds")]
    spread = ", ".join(f"{x:.2f}" for x in row["spread"])
    return (
        f"{row['model']:5} {row['name']:44} precis {values[0]}   {row['against']:9} {values[1]}   "
        f"ratio {row['ratio']:6.2f}   (spread {spread})"
    )


# Kernels.


def numbers(*shape, dtype=ACTIVATION, grad=False):
    return torch.randn(shape, device=OPTIONS.device, dtype=dtype, requires_grad=grad)


def product_of(name):
    """The product that a result of `precis bench kernels` is the time of, or nothing."""
    sizes = [int(x) for x in re.findall(r"\d+", name)]
    # precis has logits in f32, which PyTorch's bf16 product does not give: the cast is part of it.
    as_logits = (lambda y: y.float()) if VOCABULARY in sizes else (lambda y: y)
    if name.startswith("linear forward"):
        rows, width_in, width_out = sizes
        x, weight, bias = numbers(rows, width_in), numbers(width_out, width_in), numbers(width_out)
        return lambda: as_logits(functional.linear(x, weight, bias))
    if name.startswith("linear input gradient"):
        rows, width_out, width_in = sizes
        dy, weight = numbers(rows, width_out), numbers(width_out, width_in)
        return lambda: dy @ weight
    if name.startswith("linear weight gradient"):
        width_out, width_in, rows = sizes
        dy, x = numbers(rows, width_out), numbers(rows, width_in)
        gradient = numbers(width_out, width_in, dtype=torch.float32)
        bias = numbers(width_out, dtype=torch.float32)

        def add_gradients():
            gradient.add_(dy.t() @ x)
            bias.add_(dy.sum(0))

        return add_gradients
    return None


def attention_of(name):
    batch, length, heads, dim = (int(x) for x in re.findall(r"\d+", name))
    q, k, v = (numbers(batch, heads, length, dim, grad=True) for _ in range(3))
    if name.startswith("attention forward"):
        return lambda: functional.scaled_dot_product_attention(q.detach(), k.detach(), v.detach(), is_causal=True)
    out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    dout = torch.randn_like(out)
    return lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True)


def loss_of(name):
    positions, vocabulary = (int(x) for x in re.findall(r"\d+", name))
    logits = numbers(positions, vocabulary, dtype=torch.float32, grad=True)
    targets = torch.randint(0, vocabulary, (positions,), device=OPTIONS.device)
    weight = numbers(positions, dtype=torch.float32)

    def loss(x):
        return functional.cross_entropy(x, targets, reduction="none")

    def with_gradient(forward):
        def step():
            (gradient,) = torch.autograd.grad(forward(logits), logits, weight)
            return gradient

        return step

    return {"eager": with_gradient(loss), "compile": with_gradient(torch.compile(loss))}


def adamw_of(name):
    parameter = torch.nn.Parameter(numbers(int(re.findall(r"\d+", name)[0]), dtype=torch.float32))
    parameter.grad = torch.randn_like(parameter)
    return torch.optim.AdamW([parameter], lr=1e-5, fused=True).step


def pytorch_of(name):
    """What PyTorch has for a result: contender -> work."""
    if name.startswith("linear"):
        return {"eager": product_of(name)}
    if name.startswith("attention"):
        return {"SDPA": attention_of(name)}
    if name.startswith("vocabulary loss both"):
        return loss_of(name)
    if name.startswith("AdamW"):
        return {"fused": adamw_of(name)}
    return None


def with_both_losses(results):
    """The vocabulary's loss with its gradient, as autograd has it, beside the results."""
    forward = {name: t for name, t in results.items() if name.startswith("vocabulary loss forward")}
    for name, times in forward.items():
        backward = results[name.replace("forward", "backward")]
        results[name.replace("forward", "both")] = [a + b for a, b in zip(times, backward)]
    return results


def compare_kernels(model):
    def ours():
        return with_both_losses(precis("kernels", keys))

    keys = [*model_keys(model), *batch_keys(), *sequence_keys()]
    contenders = {name: pytorch_of(name) for name in ours()}
    compare(model, OPTIONS.rounds, ours, {name: c for name, c in contenders.items() if c}, shortest=0.02)


# Whole models.


def model_keys(model):
    layers, width, heads = MODELS[model]
    context = max(1024, OPTIONS.length, OPTIONS.prompt + OPTIONS.new)
    of = {"layers": layers, "width": width, "heads": heads, "context": context}
    return [word for key, value in of.items() for word in (f"--model.{key}", str(value))]


def batch_keys():
    return ["--bench.batch", str(OPTIONS.batch), "--bench.length", str(OPTIONS.length)]


def sequence_keys(sequences=None):
    counts = ",".join(OPTIONS.sequences) if sequences is None else str(sequences)
    return ["--bench.sequences", counts, "--bench.prompt_tokens", str(OPTIONS.prompt)]


def make_model(model, dtype):
    layers, width, heads = MODELS[model]
    config = GPT2Config(
        n_layer=layers,
        n_embd=width,
        n_head=heads,
        n_positions=max(1024, OPTIONS.length, OPTIONS.prompt + OPTIONS.new),
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_implementation="sdpa",
    )
    return GPT2LMHeadModel(config).to(device=OPTIONS.device, dtype=dtype)


def make_training(model, forward, tokens):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(OPTIONS.device, torch.bfloat16, enabled=GPU):
            logits = forward(tokens[:, :-1])
            loss = functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def compare_training(name):
    model = make_model(name, torch.float32)
    tokens = torch.randint(0, VOCABULARY, (OPTIONS.batch, OPTIONS.length + 1), device=OPTIONS.device)
    count = OPTIONS.batch * OPTIONS.length
    keys = [*model_keys(name), *batch_keys(), "--train.micro_batch_tokens", str(count)]
    steps = {
        "eager": make_training(model, lambda x: model(x).logits, tokens),
        "compile": make_training(model, torch.compile(lambda x: model(x).logits), tokens),
    }
    of = f"training {OPTIONS.batch} x {OPTIONS.length}"
    compare(name, OPTIONS.rounds, lambda: precis("train", keys), {of: steps}, tokens=count)


@torch.inference_mode()
def loop(model, prompts):
    """The prompts, then sampled tokens one after another with their log-probs: generate without its own work."""
    out = model(prompts, use_cache=True, logits_to_keep=1)
    cache = out.past_key_values
    for step in range(OPTIONS.new):
        logprobs = torch.log_softmax(out.logits[:, -1].float(), -1)
        token = torch.multinomial(logprobs.exp(), 1)
        logprobs.gather(1, token)
        if step + 1 < OPTIONS.new:
            out = model(token, past_key_values=cache, use_cache=True)
            cache = out.past_key_values


def generate(model, prompts):
    model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        min_new_tokens=OPTIONS.new,
        max_new_tokens=OPTIONS.new,
        pad_token_id=0,
    )


def compare_generation(name):
    model = make_model(name, ACTIVATION).eval()
    for sequences in (int(x) for x in OPTIONS.sequences):
        prompts = torch.randint(0, VOCABULARY, (sequences, OPTIONS.prompt), device=OPTIONS.device)
        keys = [*model_keys(name), *sequence_keys(sequences), "--bench.new_tokens", str(OPTIONS.new)]
        of = f"generating {sequences} x ({OPTIONS.prompt} + {OPTIONS.new})"

        def ours(of=of, keys=keys):
            # The prompts' pass, and the tokens after it.
            prompt, decoding = precis("decode", keys).values()
            return {of: [a + b for a, b in zip(prompt, decoding)]}

        works = {"generate": lambda p=prompts: generate(model, p), "loop": lambda p=prompts: loop(model, p)}
        compare(name, OPTIONS.rounds, ours, {of: works}, tokens=sequences * OPTIONS.new)


def device_name():
    return torch.cuda.get_device_name() if GPU else f"CPU, {OPTIONS.threads} threads"


def main():
    parts = {"kernels": compare_kernels, "train": compare_training, "decode": compare_generation}
    for name, known in ((OPTIONS.parts, parts), (OPTIONS.models, MODELS)):
        for word in name:
            if word not in known:
                raise SystemExit(f"'{word}' is not one of {', '.join(known)}.")
    print(f"PyTorch {torch.__version__} on {device_name()}, {OPTIONS.rounds} rounds", flush=True)
    for model in OPTIONS.models:
        for part in OPTIONS.parts:
            parts[part](model)
            if GPU:
                torch.cuda.empty_cache()
    if OPTIONS.json:
        head = {"pytorch": torch.__version__, "device": device_name(), "options": vars(OPTIONS)}
        with open(OPTIONS.json, "w", encoding="utf-8") as file:
            json.dump(head | {"rows": ROWS}, file, indent=1)


main()
