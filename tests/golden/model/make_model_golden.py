"""Writes the reference numbers of tests/model: log-probs, gradients and losses by PyTorch, in double.

    pip install -r tests/golden/requirements.txt
    python tests/golden/model/make_model_golden.py

Each case is NAME.json (configuration, batch, losses) beside NAME.safetensors (log-probs of the response
tokens, the gradient of each parameter). Weights are not stored: both sides make them by `weight`. The
GPT-2 cases are computed by transformers; the others by `Decoder` below, which is itself checked against
transformers' Llama and GPT-NeoX. `gpt2_folder` is a whole Hugging Face folder with its logits.
"""

import json
import pathlib

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
RATE, DECAY, CLIP, STEPS = 1e-3, 0.1, 1.0, 3
CONTEXT = 72
# (prompt, response) lengths: prompts and responses of one token, sequences within and beyond attention's blocks of 32.
LENGTHS = [(1, 5), (7, 1), (3, 9), (12, 21), (31, 39), (2, 2)]


def mixed(x):
    """splitmix64 of an array of uint64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def hash_of(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return np.uint64(value)


def weight(name, shape):
    """Numbers in [-1/4, 1/4), exact in f32, a function of name and index; norms' weights around 1."""
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        bits = mixed(hash_of(name) + np.arange(count, dtype=np.uint64)) >> np.uint64(40)
    values = (bits.astype(np.float64) / 2**23 - 1) / 4
    if len(shape) == 1 and name.endswith("weight"):
        values += 1
    return torch.tensor(values.reshape(shape), dtype=torch.float64)


def batch_of(vocabulary, lengths=LENGTHS):
    """Sequences of token ids, a function of their number."""
    sequences = []
    for i, (prompt, response) in enumerate(lengths):
        bits = mixed(hash_of(f"sequence {i}") + np.arange(prompt + response, dtype=np.uint64))
        ids = [int(b % np.uint64(vocabulary)) for b in bits]
        sequences.append({"prompt": ids[:prompt], "response": ids[prompt:]})
    return sequences


class Decoder:
    """The decoder of src/model/config.hpp: a dictionary of parameters by their names in a model file."""

    def __init__(self, config):
        self.c = c = config
        H, K, D, C, F = c["heads"], c["kv_heads"], c["head_dim"], c["width"], c["mlp_width"]
        shapes = {"embedding/token": (c["vocabulary"], C)}
        if c["position"] == "learned":
            shapes["embedding/position"] = (c["context"], C)

        def linear(name, out, inputs, bias):
            shapes[name + "/weight"] = (out, inputs)
            if bias:
                shapes[name + "/bias"] = (out,)

        def norm(name):
            shapes[name + "/weight"] = (C,)
            if c["norm"] == "layer_norm":
                shapes[name + "/bias"] = (C,)

        for layer in range(c["layers"]):
            b = f"blocks/{layer:03}/"
            norm(b + "attention_norm")
            for name, width in (("query", H * D), ("key", K * D), ("value", K * D)):
                linear(b + "attention/" + name, width, C, c["attention_bias"] is not False)
            linear(b + "attention/output", C, H * D, c["attention_bias"] is True)
            norm(b + "mlp_norm")
            for name in ("gate", "up") if c["activation"] == "gated_silu" else ("up",):
                linear(b + "mlp/" + name, F, C, c["mlp_bias"])
            linear(b + "mlp/down", C, F, c["mlp_bias"])
        norm("final_norm")
        if c["kind"] != "language":
            linear("head", 1, C, True)
        elif not c["tied"]:
            linear("head", c["vocabulary"], C, False)
        self.p = {n: weight(n, s).requires_grad_() for n, s in shapes.items()}

    def linear(self, name, x):
        return torch.nn.functional.linear(x, self.p[name + "/weight"], self.p.get(name + "/bias"))

    def norm(self, name, x):
        w = self.p[name + "/weight"]
        if self.c["norm"] == "rms_norm":
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c["norm_epsilon"]) * w
        bias = self.p[name + "/bias"]
        return torch.nn.functional.layer_norm(x, w.shape, w, bias, self.c["norm_epsilon"])

    def rotate(self, x):  # (T, heads, D)
        D = x.shape[-1]
        dims = int(D * self.c["rotary_fraction"]) // 2 * 2
        half = dims // 2
        frequency = self.c["rotary_base"] ** (-torch.arange(half, dtype=torch.float64) * 2 / dims)
        angle = torch.arange(len(x), dtype=torch.float64)[:, None, None] * frequency
        a, b, rest = x[..., :half], x[..., half:dims], x[..., dims:]
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def attention(self, name, x):
        c, T = self.c, len(x)
        q = self.linear(name + "/query", x).view(T, c["heads"], -1)
        k = self.linear(name + "/key", x).view(T, c["kv_heads"], -1)
        v = self.linear(name + "/value", x).view(T, c["kv_heads"], -1)
        if c["position"] == "rotary":
            q, k = self.rotate(q), self.rotate(k)
        k = k.repeat_interleave(c["heads"] // c["kv_heads"], 1)
        v = v.repeat_interleave(c["heads"] // c["kv_heads"], 1)
        scores = torch.einsum("thd,shd->hts", q, k) / c["head_dim"] ** 0.5
        scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
        return self.linear(name + "/output", torch.einsum("hts,shd->thd", scores.softmax(-1), v).reshape(T, -1))

    def mlp(self, name, x):
        up = self.linear(name + "/up", x)
        if self.c["activation"] == "gated_silu":
            hidden = torch.nn.functional.silu(self.linear(name + "/gate", x)) * up
        else:
            approximate = "tanh" if self.c["activation"] == "gelu_tanh" else "none"
            hidden = torch.nn.functional.gelu(up, approximate=approximate)
        return self.linear(name + "/down", hidden)

    def __call__(self, ids):
        """Logits (T,V), or the scalar (T,1), of one sequence."""
        x = self.p["embedding/token"][ids]
        if self.c["position"] == "learned":
            x = x + self.p["embedding/position"][: len(ids)]
        for layer in range(self.c["layers"]):
            b = f"blocks/{layer:03}/"
            attended = x + self.attention(b + "attention", self.norm(b + "attention_norm", x))
            mlp_input = x if self.c["residual"] == "parallel" else attended
            x = attended + self.mlp(b + "mlp", self.norm(b + "mlp_norm", mlp_input))
        x = self.norm("final_norm", x)
        if self.c["kind"] == "language" and self.c["tied"]:
            return x @ self.p["embedding/token"].T
        return self.linear("head", x)


def response_logprobs(logits_of, sequences):
    out = []
    for s in sequences:
        logits = logits_of(torch.tensor(s["prompt"] + s["response"]))
        rows = logits[len(s["prompt"]) - 1 : -1].log_softmax(-1)
        out.append(rows.gather(1, torch.tensor(s["response"])[:, None])[:, 0])
    return out


def pair_loss(scalar_of, sequences):
    rewards = [scalar_of(torch.tensor(s["prompt"] + s["response"]))[-1, 0] for s in sequences]
    chosen, rejected = torch.stack(rewards[0::2]), torch.stack(rewards[1::2])
    return -torch.nn.functional.logsigmoid(chosen - rejected).mean(), torch.stack(rewards)


def write_case(name, config, parameters, sequences, forward):
    """`forward` gives the loss and the numbers read in each sequence; the parameters are updated in place."""
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters.values() if p.ndim == 2], "weight_decay": DECAY},
            {"params": [p for p in parameters.values() if p.ndim != 2], "weight_decay": 0.0},
        ],
        lr=RATE,
    )
    tensors, losses = {}, []
    for step in range(STEPS + 1):
        optimizer.zero_grad()
        loss, read = forward()
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            tensors["read"] = read.detach().float().numpy()
            for key, p in parameters.items():
                tensors["gradient/" + key] = p.grad.float().numpy()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), CLIP)
        optimizer.step()
    save_file(tensors, HERE / f"{name}.safetensors")
    case = {
        "config": config,
        "sequences": sequences,
        "learning_rate": RATE,
        "weight_decay": DECAY,
        "clip_norm": CLIP,
        "losses": losses,
    }
    (HERE / f"{name}.json").write_text(json.dumps(case) + "\n")
    print(name, losses)


def language_case(name, config, parameters, logits_of):
    sequences = batch_of(config.get("vocab_size") or config["vocabulary"])

    def forward():
        logprobs = torch.cat(response_logprobs(logits_of, sequences))
        return -logprobs.mean(), logprobs

    write_case(name, config, parameters, sequences, forward)


def gpt2_config(width, heads, vocabulary, **more):
    end = min(50256, vocabulary - 1)
    return transformers.GPT2Config(
        n_layer=2, n_embd=width, n_head=heads, n_positions=CONTEXT, vocab_size=vocabulary,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=end, eos_token_id=end,
        architectures=["GPT2LMHeadModel"], **more)


def gpt2_model(config, dtype=torch.float64):
    config._attn_implementation = "eager"
    model = transformers.GPT2LMHeadModel(config).to(dtype).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weight(name, tuple(p.shape)))
    return model


def gpt2_case(name, **settings):
    config = gpt2_config(**settings)
    model = gpt2_model(config)
    stored = {k: v for k, v in config.to_dict().items() if not k.startswith("_")}
    language_case(name, stored, dict(model.named_parameters()), lambda ids: model(ids[None]).logits[0])


BASE = {
    "kind": "language", "family": "precis", "layers": 2, "width": 24, "heads": 4, "kv_heads": 4, "head_dim": 6,
    "mlp_width": 40, "context": CONTEXT, "norm": "layer_norm", "norm_epsilon": 1e-5, "position": "learned",
    "rotary_fraction": 1.0, "rotary_base": 10000.0, "activation": "gelu_tanh", "attention_bias": True,
    "mlp_bias": True, "residual": "sequential", "tied": True, "vocabulary": 53, "end_tokens": [52],
}
LLAMA = BASE | {
    "kv_heads": 2, "norm": "rms_norm", "position": "rotary", "activation": "gated_silu", "attention_bias": False,
    "mlp_bias": False, "tied": False, "norm_epsilon": 1e-6,
}
NEOX = BASE | {
    "head_dim": 8, "heads": 3, "kv_heads": 3, "position": "rotary", "rotary_fraction": 0.5,
    "activation": "gelu_erf", "residual": "parallel", "tied": False,
}
QWEN2 = LLAMA | {"attention_bias": "query_key_value", "tied": True, "head_dim": 10, "rotary_base": 1000.0}


def check_llama():
    c = LLAMA
    decoder = Decoder(c)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=c["vocabulary"], hidden_size=c["width"], intermediate_size=c["mlp_width"],
        num_hidden_layers=c["layers"], num_attention_heads=c["heads"], num_key_value_heads=c["kv_heads"],
        max_position_embeddings=CONTEXT, rms_norm_eps=c["norm_epsilon"], attn_implementation="eager",
        tie_word_embeddings=False)).double().eval()
    names = {"embed_tokens": "embedding/token", "lm_head.weight": "head/weight", "model.norm": "final_norm"}
    parts = {"input_layernorm": "attention_norm", "post_attention_layernorm": "mlp_norm", "self_attn.q_proj":
             "attention/query", "self_attn.k_proj": "attention/key", "self_attn.v_proj": "attention/value",
             "self_attn.o_proj": "attention/output", "mlp.gate_proj": "mlp/gate", "mlp.up_proj": "mlp/up",
             "mlp.down_proj": "mlp/down"}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name == "model.embed_tokens.weight":
                ours = "embedding/token"
            elif name == "lm_head.weight":
                ours = "head/weight"
            elif name == "model.norm.weight":
                ours = "final_norm/weight"
            else:
                _, _, layer, rest = name.split(".", 3)
                ours = f"blocks/{int(layer):03}/{parts[rest.removesuffix('.weight')]}/weight"
            p.copy_(decoder.p[ours])
    compare("Llama", decoder, model)


def check_neox():
    c = NEOX
    decoder = Decoder(c)
    model = transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(
        vocab_size=c["vocabulary"], hidden_size=c["width"], intermediate_size=c["mlp_width"],
        num_hidden_layers=c["layers"], num_attention_heads=c["heads"], max_position_embeddings=CONTEXT,
        layer_norm_eps=c["norm_epsilon"], rotary_pct=c["rotary_fraction"], hidden_act="gelu",
        use_parallel_residual=True, attn_implementation="eager", tie_word_embeddings=False)).double().eval()
    p = decoder.p
    body = model.gpt_neox
    with torch.no_grad():
        body.embed_in.weight.copy_(p["embedding/token"])
        model.get_output_embeddings().weight.copy_(p["head/weight"])
        body.final_layer_norm.weight.copy_(p["final_norm/weight"])
        body.final_layer_norm.bias.copy_(p["final_norm/bias"])
        for layer, block in enumerate(body.layers):
            b = f"blocks/{layer:03}/"
            for kind in ("weight", "bias"):
                # Query, key and value of a head stand together there.
                fused = torch.stack([p[f"{b}attention/{n}/{kind}"].view(c["heads"], c["head_dim"], -1)
                                     for n in ("query", "key", "value")], 1)
                target = getattr(block.attention.query_key_value, kind)
                target.copy_(fused.reshape(target.shape))
                for theirs, ours in ((block.input_layernorm, "attention_norm"),
                                     (block.post_attention_layernorm, "mlp_norm"),
                                     (block.attention.dense, "attention/output"),
                                     (block.mlp.dense_h_to_4h, "mlp/up"), (block.mlp.dense_4h_to_h, "mlp/down")):
                    getattr(theirs, kind).copy_(p[f"{b}{ours}/{kind}"])
    compare("GPT-NeoX", decoder, model)


def compare(name, decoder, model):
    ids = torch.tensor([5, 1, 7, 30, 2, 2, 50, 11, 0, 9])
    gap = (decoder(ids) - model(ids[None]).logits[0]).abs().max().item()
    print(f"Decoder and transformers' {name}: largest difference of logits {gap:.1e}")
    assert gap < 1e-6, name  # rotary angles are f32 in transformers


def reward_case():
    config = BASE | {"kind": "reward"}
    decoder = Decoder(config)
    sequences = batch_of(config["vocabulary"])
    write_case("reward", config, decoder.p, sequences, lambda: pair_loss(decoder, sequences))


def gpt2_folder():
    folder = HERE / "gpt2_folder"
    model = gpt2_model(gpt2_config(12, 2, 37, n_inner=20, activation_function="gelu"), torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="4KB")
    model = model.double()
    ids = [3, 36, 0, 17, 17, 5, 21]
    logits = model(torch.tensor([ids])).logits[0]
    (folder / "expected.json").write_text(json.dumps({"ids": ids, "logits": logits.tolist()}) + "\n")


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    check_llama()
    check_neox()
    gpt2_case("gpt2_tied", width=48, heads=3, vocabulary=101)
    gpt2_case("gpt2_untied", width=48, heads=3, vocabulary=101, tie_word_embeddings=False)
    gpt2_case("gpt2_wide", width=64, heads=4, vocabulary=96)
    for name, config in (("llama", LLAMA), ("neox", NEOX), ("qwen2", QWEN2)):
        decoder = Decoder(config)
        language_case(name, config, decoder.p, decoder)
    reward_case()
    gpt2_folder()


if __name__ == "__main__":
    main()
