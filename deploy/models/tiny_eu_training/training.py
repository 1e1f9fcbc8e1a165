"""Trains the Llama-architecture model and writes it in the usual file layout."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from deploy.models.tiny_eu_training.vocabulary import BOS, END, IGNORED, PAD, token_id

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

    from deploy.models.tiny_eu_training.batches import Batches

CONTEXT = 2048
_WARM_UP = 0.03
_FINAL_RATE = 0.03


@dataclass(frozen=True)
class Budget:
    """How long to train: a number of steps, or else a number of minutes."""

    steps: int
    minutes: float

    def progress(self, step: int, started: float) -> float:
        """Return the share of the budget that is used, 1.0 being all of it."""
        if self.steps:
            return step / self.steps
        return (time.monotonic() - started) / (60 * self.minutes)


def new_model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    """Return an untrained model of about one million parameters."""
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=token_id(tokenizer, BOS),
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
        dtype="float32",
    )
    return LlamaForCausalLM(config)


def _optimizers(model: LlamaForCausalLM, rate: float) -> list[torch.optim.Optimizer]:
    """Give the matrices of the layers to Muon, and all the rest to AdamW."""
    layers = list(model.model.layers.parameters())
    inner = [weights for weights in layers if weights.ndim > 1]
    vectors = [weights for weights in layers if weights.ndim == 1]
    rest = [model.model.embed_tokens.weight, model.model.norm.weight, *vectors]
    return [
        torch.optim.Muon(inner, lr=4 * rate, weight_decay=0.01, adjust_lr_fn="original"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.01),
    ]


def _factor(progress: float) -> float:
    """Return the learning-rate factor: a short warm-up, then half a cosine."""
    if progress < _WARM_UP:
        return max(progress, 0.001) / _WARM_UP
    half_cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return _FINAL_RATE + (1 - _FINAL_RATE) * half_cosine


def _loss(model: LlamaForCausalLM, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean loss of the tokens of answers, computing logits for them only."""
    ids, labels = batch
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[wanted])
    return torch.nn.functional.cross_entropy(logits, labels[:, 1:][wanted])


def train(model: LlamaForCausalLM, batches: Batches, budget: Budget, rate: float) -> int:
    """Train until the budget is used; return the number of steps."""
    optimizers = _optimizers(model, rate)
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    started, step, recent = time.monotonic(), 0, 0.0
    model.train()
    while (progress := budget.progress(step, started)) < 1.0:
        for optimizer, full_rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = full_rate * _factor(progress)
            optimizer.zero_grad()
        loss = _loss(model, batches.draw(step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        recent = loss.item() if step == 1 else 0.98 * recent + 0.02 * loss.item()
        if step % 100 == 0:
            elapsed = time.monotonic() - started
            print(f"step {step:5d}  {elapsed:6.0f} s  loss {recent:.3f}", flush=True)
    return step


def evaluate(model: LlamaForCausalLM, batches: Batches, count: int = 20) -> float:
    """Return the mean loss over batches that were kept out of the training."""
    model.eval()
    with torch.no_grad():
        losses = [float(_loss(model, batches.draw(step))) for step in range(count)]
    return sum(losses) / count


def write_model(model: LlamaForCausalLM, folder: Path) -> None:
    """Write the weights and both configuration files."""
    config = model.config
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        do_sample=True,
        temperature=0.7,
        top_p=0.95,
    )
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
