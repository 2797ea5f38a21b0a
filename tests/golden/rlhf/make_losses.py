"""Writes losses.json: PPO's losses, their gradients and whitened advantages as PyTorch computes
them, for tests/rlhf/losses_golden_test.cpp. Run: python make_losses.py (PyTorch 2)."""

import json
import pathlib

import torch

torch.manual_seed(20)


def floats(tensor):
    return [float(x) for x in tensor.detach().flatten()]


def policy_case(clip, tokens):
    old = torch.randn(tokens) - 2
    new = (old + 0.3 * torch.randn(tokens)).requires_grad_()
    advantages = torch.randn(tokens)
    ratio = torch.exp(new.double() - old.double())
    term = -advantages.double() * ratio
    clipped = -advantages.double() * torch.clamp(ratio, 1 - clip, 1 + clip) if clip > 0 else term
    loss = torch.max(term, clipped).mean()
    loss.backward()
    return {
        "clip": clip, "new": floats(new), "old": floats(old), "advantages": floats(advantages),
        "loss": loss.item(), "gradient": floats(new.grad),
        "clip_fraction": (clipped > term).double().mean().item(), "ratio_mean": ratio.mean().item(),
        "ratio_max": ratio.max().item(),
        "update_kl": (0.5 * (new.double() - old.double()) ** 2).mean().item(),
    }


def value_case(clip, coefficient, tokens):
    old = torch.randn(tokens)
    new = (old + 0.3 * torch.randn(tokens)).requires_grad_()
    returns = torch.randn(tokens)
    square = (new.double() - returns.double()) ** 2
    bounded = old.double() + torch.clamp(new.double() - old.double(), -clip, clip)
    clipped = (bounded - returns.double()) ** 2 if clip > 0 else square
    loss = 0.5 * torch.max(square, clipped).mean()
    (coefficient * loss).backward()
    return {
        "clip": clip, "coefficient": coefficient, "new": floats(new), "old": floats(old),
        "returns": floats(returns), "loss": loss.item(), "gradient": floats(new.grad),
        "clip_fraction": (clipped > square).double().mean().item(),
    }


def whiten_case(lengths):
    episodes = [3 * torch.randn(n) + 1 for n in lengths]
    everything = torch.cat(episodes).double()
    scale = torch.rsqrt(everything.var(unbiased=False) + 1e-8)
    return {
        "advantages": [floats(e) for e in episodes],
        "whitened": [floats((e.double() - everything.mean()) * scale) for e in episodes],
    }


cases = {
    "policy": [policy_case(0.2, 40), policy_case(0.0, 11), policy_case(0.05, 33)],
    "value": [value_case(0.2, 0.1, 40), value_case(0.0, 1.0, 11), value_case(0.05, 0.5, 33)],
    "whiten": [whiten_case([5, 1, 17, 9])],
}
path = pathlib.Path(__file__).parent / "losses.json"
path.write_text(json.dumps(cases) + "\n")
