"""Recomputes a run of `precis ppo` in PyTorch from its episodes.jsonl and compares every number.

    python recompute_ppo.py RUN [--tolerance 1e-4] [--expected FILE]

RUN must be a complete run that logged all its episodes (ppo.log_episodes at least ppo.batch), of
models with learned positions, LayerNorm, GELU (tanh) and tied embeddings. The responses are taken
from the file; log-probs, values, scores, rewards, advantages, losses, gradients, Adam's updates and
the final models are computed anew, by code that shares nothing with precis. --expected writes what
PyTorch found: metrics of each step, and outputs of the final models, for ppo_golden_test.
Needs torch and h5py (../requirements.txt).
"""

import argparse
import json
import math
import pathlib
import sys

import h5py
import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def read_deck(path):
    keys, section = {}, ""
    for line in path.read_text().splitlines():
        line = line.split(" #")[0].strip()
        if line.startswith("#") or not line:
            continue
        if line.startswith("["):
            section = line[1:-1] + "."
        else:
            key, value = line.split("=", 1)
            keys[section + key.strip()] = value.strip()
    return keys


class Model:
    """A GPT-2-like transformer of a model file, in double."""

    def __init__(self, path):
        with h5py.File(path) as file:
            self.config = json.loads(file["config"][()])
            self.weights = {}
            file["weights"].visititems(self._take)
        for key, value in {"position": "learned", "norm": "layer_norm", "activation": "gelu_tanh",
                           "residual": "sequential", "tied": True}.items():
            assert self.config[key] == value, f"{path}: {key} is {self.config[key]}"

    def _take(self, name, item):
        if isinstance(item, h5py.Dataset):
            self.weights[name] = torch.from_numpy(item[()]).double().requires_grad_()

    def linear(self, x, name):
        return F.linear(x, self.weights[name + "/weight"], self.weights.get(name + "/bias"))

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.weights[name + "/weight"],
                            self.weights[name + "/bias"], self.config["norm_epsilon"])

    def hidden(self, tokens):
        w, heads = self.weights, self.config["heads"]
        n = len(tokens)
        x = w["embedding/token"][torch.tensor(tokens)] + w["embedding/position"][:n]
        mask = torch.full((n, n), float("-inf"), dtype=torch.double).triu(1)
        for layer in range(self.config["layers"]):
            block = f"blocks/{layer:03}/"
            y = self.norm(x, block + "attention_norm")
            q, k, v = (self.linear(y, block + "attention/" + part).view(n, heads, -1).transpose(0, 1)
                       for part in ("query", "key", "value"))
            scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + mask
            y = (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, -1)
            x = x + self.linear(y, block + "attention/output")
            y = F.gelu(self.linear(self.norm(x, block + "mlp_norm"), block + "mlp/up"),
                       approximate="tanh")
            x = x + self.linear(y, block + "mlp/down")
        return self.norm(x, "final_norm")

    def log_softmax(self, prompt, response, temperature):
        """(tokens of the response, vocabulary)"""
        hidden = self.hidden(prompt + response[:-1])[len(prompt) - 1:]
        return (F.linear(hidden, self.weights["embedding/token"]) / temperature).log_softmax(-1)

    def scalars(self, tokens):
        return self.linear(self.hidden(tokens), "head").squeeze(-1) - self.config["reward_shift"]

    def values(self, prompt, response):
        return self.scalars(prompt + response[:-1])[len(prompt) - 1:]


class Adam:
    def __init__(self, model, deck):
        self.weights = model.weights
        self.first = {k: torch.zeros_like(w) for k, w in self.weights.items()}
        self.second = {k: torch.zeros_like(w) for k, w in self.weights.items()}
        self.updates = 0
        self.beta1, self.beta2 = float(deck["train.beta1"]), float(deck["train.beta2"])
        self.epsilon, self.clip = float(deck["train.epsilon"]), float(deck["train.clip_norm"])
        assert float(deck["train.weight_decay"]) == 0

    def update(self, loss, rate):
        for w in self.weights.values():
            w.grad = None
        loss.backward()
        norm = math.sqrt(sum(float((w.grad ** 2).sum()) for w in self.weights.values()
                             if w.grad is not None))
        scale = min(1.0, self.clip / (norm + 1e-6)) if self.clip > 0 else 1.0
        self.updates += 1
        for key, w in self.weights.items():
            g = (w.grad if w.grad is not None else torch.zeros_like(w)) * scale
            m, v = self.first[key], self.second[key]
            m.mul_(self.beta1).add_(g, alpha=1 - self.beta1)
            v.mul_(self.beta2).add_(g * g, alpha=1 - self.beta2)
            m_hat = m / (1 - self.beta1 ** self.updates)
            v_hat = v / (1 - self.beta2 ** self.updates)
            with torch.no_grad():
                w -= rate * m_hat / (v_hat.sqrt() + self.epsilon)
        return norm


def rate_at(deck, peak, step, steps):
    warmup = int(deck["train.warmup_steps"])
    if step < warmup:
        return peak * (step + 1) / warmup
    final, p = float(deck["train.final_rate"]), (step - warmup) / (steps - warmup)
    return {"constant": peak, "linear": peak * (1 - (1 - final) * p),
            "cosine": peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * p)))}[
                deck["train.schedule"]]


def gae(rewards, values, gamma, lam):
    advantages, following, value_after = [], 0.0, 0.0
    for reward, value in zip(reversed(rewards), reversed(values)):
        following = reward + gamma * value_after - value + gamma * lam * following
        value_after = value
        advantages.append(following)
    return advantages[::-1]


class Comparison:
    def __init__(self, tolerance):
        self.tolerance, self.worst, self.failures = tolerance, {}, 0

    def check(self, name, where, found, expected):
        """`found` is precis's number, `expected` PyTorch's."""
        error = abs(found - expected) / max(1.0, abs(expected))
        if not error <= self.tolerance:
            self.failures += 1
            print(f"{name} {where}: precis has {found}, PyTorch {expected}")
        self.worst[name] = max(self.worst.get(name, 0.0), error)

    def check_all(self, name, where, found, expected):
        assert len(found) == len(expected), (name, where)
        for t, (a, b) in enumerate(zip(found, expected)):
            self.check(name, f"{where}, token {t}", a, float(b))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def variance(values):
    m = mean(values)
    return mean((v - m) ** 2 for v in values)


class Run:
    def __init__(self, folder, comparison):
        self.folder, self.compare = folder, comparison
        self.deck = deck = read_deck(folder / "deck.cfg")
        self.o = {k[4:]: v for k, v in deck.items() if k.startswith("ppo.")}
        self.policy = Model(deck["policy"])
        self.reference = Model(deck["reference"])
        self.reward = Model(deck["reward"])
        self.value = Model(deck["value"])
        self.temperature = float(self.o["temperature"])
        self.kl = float(self.o["kl"])
        self.policy_adam, self.value_adam = Adam(self.policy, deck), Adam(self.value, deck)

    def number(self, key):
        return float(self.o[key])

    def logprobs(self, model, e):
        full = model.log_softmax(e["prompt_ids"], e["response_ids"], self.temperature)
        return full, full[torch.arange(len(full)), torch.tensor(e["response_ids"])]

    def experience(self, rows):
        """Checks the rows of a step against PyTorch's numbers, and returns these."""
        check, batch = self.compare, []
        with torch.no_grad():
            for row in rows:
                e = {k: row[k] for k in ("prompt_ids", "response_ids", "finish", "minibatch",
                                         "rollout_logprobs")}
                full, logprobs = self.logprobs(self.policy, row)
                other, reference = self.logprobs(self.reference, row)
                e["logprobs"], e["reference_logprobs"] = logprobs.tolist(), reference.tolist()
                e["entropy"] = (-(full.exp() * full).sum(-1)).sum().item()
                e["kl_exact"] = (full.exp() * (full - other)).sum().item()
                e["values"] = self.value.values(row["prompt_ids"], row["response_ids"]).tolist()
                tokens = row["prompt_ids"] + row["response_ids"]
                e["score_raw"] = self.reward.scalars(tokens)[-1].item()
                e["score"] = e["score_raw"]
                if row["finish"] != "eos":
                    missing = self.number("missing_end_value")
                    e["score"] = {"replace": missing, "subtract": e["score_raw"] + missing,
                                  "none": e["score_raw"]}[self.o["missing_end"]]
                e["rewards"] = [-self.kl * (a - b)
                                for a, b in zip(e["logprobs"], e["reference_logprobs"])]
                e["rewards"][-1] += e["score"]
                e["advantages"] = gae(e["rewards"], e["values"], self.number("gamma"),
                                      self.number("lambda"))
                e["returns"] = [a + v for a, v in zip(e["advantages"], e["values"])]
                batch.append(e)
        if self.o["whiten"] == "true":
            everything = [a for e in batch for a in e["advantages"]]
            m, scale = mean(everything), 1 / math.sqrt(variance(everything) + 1e-8)
            for e in batch:
                e["advantages"] = [(a - m) * scale for a in e["advantages"]]
        for row, e in zip(rows, batch):
            where = f"of episode {row['episode']}"
            for key in ("logprobs", "reference_logprobs", "values", "rewards", "advantages",
                        "returns"):
                check.check_all(key, where, row[key], e[key])
            for key in ("score_raw", "score"):
                check.check(key, where, row[key], e[key])
            check.check("kl_coefficient", where, row["kl_coefficient"], self.kl)
        return batch

    def report(self, batch):
        k1 = [[a - b for a, b in zip(e["logprobs"], e["reference_logprobs"])] for e in batch]
        tokens = sum(len(k) for k in k1)
        scores = [e["score_raw"] for e in batch]
        returns = [r for e in batch for r in e["returns"]]
        errors = [r - v for e in batch for r, v in zip(e["returns"], e["values"])]
        found = {"score_mean": mean(scores), "score_std": math.sqrt(variance(scores)),
                 "kl_k1": mean(sum(k) for k in k1),
                 "kl_k3": mean(sum(math.exp(-x) - 1 + x for x in k) for k in k1),
                 "kl_exact": mean(e["kl_exact"] for e in batch), "kl_coefficient": self.kl,
                 "entropy": sum(e["entropy"] for e in batch) / tokens,
                 "explained_variance": 1 - variance(errors) / variance(returns),
                 "response_tokens_mean": tokens / len(batch),
                 "ended_fraction": mean(e["finish"] == "eos" for e in batch)}
        found["rlhf_reward"] = mean(e["score"] for e in batch) - self.kl * found["kl_k1"]
        return found

    def update(self, members, rates):
        clip, value_clip = self.number("clip"), self.number("value_clip")
        new = torch.cat([self.logprobs(self.policy, e)[1] for e in members])
        values = torch.cat([self.value.values(e["prompt_ids"], e["response_ids"])
                            for e in members])
        old, old_values, advantages, returns = (
            torch.tensor([x for e in members for x in e[key]], dtype=torch.double)
            for key in ("logprobs", "values", "advantages", "returns"))
        ratio = (new - old).exp()
        plain = -advantages * ratio
        clipped = -advantages * ratio.clamp(1 - clip, 1 + clip) if clip > 0 else plain
        policy_loss = torch.max(plain, clipped).mean()
        square = (values - returns) ** 2
        bounded = old_values + (values - old_values).clamp(-value_clip, value_clip)
        clipped_square = (bounded - returns) ** 2 if value_clip > 0 else square
        value_loss = 0.5 * torch.max(square, clipped_square).mean()
        found = {"policy_loss": policy_loss.item(), "value_loss": value_loss.item(),
                 "update_kl": (0.5 * (new - old) ** 2).mean().item(),
                 "clip_fraction_policy": (clipped > plain).double().mean().item(),
                 "clip_fraction_value": (clipped_square > square).double().mean().item(),
                 "ratio_mean": ratio.mean().item(), "ratio_max": ratio.max().item()}
        found["gradient_norm_policy"] = self.policy_adam.update(policy_loss, rates[0])
        found["gradient_norm_value"] = self.value_adam.update(
            self.number("value_coefficient") * value_loss, rates[1])
        return found

    def step(self, step, rows, metrics):
        batch = self.experience(rows)
        found = self.report(batch)
        steps = int(self.deck["train.steps"])
        rates = [rate_at(self.deck, float(self.deck[key]), step - 1, steps)
                 for key in ("train.learning_rate", "ppo.value_learning_rate")]
        updates = []
        for epoch in range(int(self.o["epochs"])):
            for part in range(int(self.o["mini_batches"])):
                members = [e for e in batch if e["minibatch"][epoch] == part]
                assert len(members) == len(batch) // int(self.o["mini_batches"])
                updates.append(self.update(members, rates))
        for key in updates[0]:
            found[key] = mean(u[key] for u in updates)
        found["ratio_max"] = max(u["ratio_max"] for u in updates)
        found["gradient_norm"] = math.hypot(found["gradient_norm_policy"],
                                            found["gradient_norm_value"])
        found["learning_rate"] = rates[0]
        for key, value in found.items():
            self.compare.check(key, f"of step {step}", metrics[key], value)
        if self.number("kl_target") > 0:
            error = min(0.2, max(-0.2, found["kl_k1"] / self.number("kl_target") - 1))
            self.kl *= 1 + error * len(batch) / self.number("kl_horizon")
        return found

    def outputs(self, policy, value, rows):
        with torch.no_grad():
            return [{"logprobs": self.logprobs(policy, row)[1].tolist(),
                     "values": value.values(row["prompt_ids"], row["response_ids"]).tolist()}
                    for row in rows]


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--expected", type=pathlib.Path)
    arguments = parser.parse_args()
    comparison = Comparison(arguments.tolerance)
    run = Run(arguments.run, comparison)
    episodes = rows_of(arguments.run / "episodes.jsonl")
    steps = [run.step(m["step"], [e for e in episodes if e["step"] == m["step"]], m)
             for m in rows_of(arguments.run / "metrics.jsonl")]

    last = [e for e in episodes if e["step"] == len(steps)]
    expected = run.outputs(run.policy, run.value, last)
    found = run.outputs(Model(arguments.run / "policy.h5"), Model(arguments.run / "value.h5"), last)
    for row, a, b in zip(last, found, expected):
        for key in ("logprobs", "values"):
            comparison.check_all("final " + key, f"of episode {row['episode']}", a[key], b[key])
    if arguments.expected:
        arguments.expected.write_text(json.dumps({"steps": steps, "outputs": expected}) + "\n")
    for name, error in sorted(comparison.worst.items(), key=lambda item: -item[1]):
        print(f"{name:24} {error:.1e}")
    print(f"{len(steps)} steps, {len(episodes)} episodes, {comparison.failures} differences above "
          f"{arguments.tolerance:g}")
    return 1 if comparison.failures else 0


sys.exit(main())
