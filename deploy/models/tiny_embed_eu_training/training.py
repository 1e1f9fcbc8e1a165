"""Trains the Llama-architecture encoder and writes it in the file layout of sentence-transformers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import LlamaConfig, LlamaModel

from deploy.models.tiny_eu_training.vocabulary import BOS, END, PAD, token_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

CONTEXT = 512
# Whole, and what vectors may be cut to.
SIZES = (128, 64, 32)
_LONGEST = 96
_TEMPERATURE = 0.05
_MODULES = "sentence_transformers.models."


def new_model(tokenizer: Tokenizer) -> LlamaModel:
    """Return an untrained model of less than half a million parameters."""
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=SIZES[0],
        intermediate_size=256,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        bos_token_id=token_id(tokenizer, BOS),
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
        dtype="float32",
        architectures=["LlamaModel"],
        matryoshka_dimensions=sorted(SIZES),
    )
    return LlamaModel(config)


def embed(model: LlamaModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Return the mean of each text's last hidden states, not normalized."""
    rows = [tokenizer.encode(text).ids[:_LONGEST] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows])
    # Padding stands behind, where a causal model does not look from the text.
    hidden = model(input_ids=ids, use_cache=False).last_hidden_state
    return (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def _loss(questions: Tensor, answers: Tensor) -> Tensor:
    """Return how badly questions find their own answers in the batch, and back, in vectors of each size."""
    own = torch.arange(len(questions))
    losses = []
    for size in SIZES:
        likeness = normalize(questions[:, :size]) @ normalize(answers[:, :size]).T / _TEMPERATURE
        losses.append(cross_entropy(likeness, own) + cross_entropy(likeness.T, own))
    return torch.stack(losses).mean()


def train(
    model: LlamaModel, tokenizer: Tokenizer, batches: Iterator[list[tuple[str, str]]], steps: int, rate: float
) -> None:
    """Train for so many steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    model.train()
    for step in range(1, steps + 1):
        questions, answers = zip(*next(batches), strict=True)
        optimizer.zero_grad()
        loss = _loss(embed(model, tokenizer, questions), embed(model, tokenizer, answers))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step:5d}  loss {loss.item():.3f}", flush=True)


def hits(model: LlamaModel, tokenizer: Tokenizer, found: Sequence[tuple[str, str]], size: int) -> float:
    """Return the share of questions whose own answer is the nearest of all that are given."""
    questions, answers = zip(*found, strict=True)
    model.eval()
    with torch.no_grad():
        asked = normalize(embed(model, tokenizer, questions)[:, :size])
        known = normalize(embed(model, tokenizer, answers)[:, :size])
        nearest = (asked @ known.T).argmax(1)
    found_own: int = sum(answers[place] == answers[row] for row, place in enumerate(nearest.tolist()))
    return found_own / len(found)


def write_model(model: LlamaModel, folder: Path) -> None:
    """Write the weights, their configuration, and what becomes of the hidden states."""
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    pooling = {"word_embedding_dimension": SIZES[0], "pooling_mode_mean_tokens": True}
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{_MODULES}{kind}"}
        for index, (path, kind) in enumerate(
            [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        )
    ]
    (folder / "1_Pooling").mkdir(exist_ok=True)
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    _write_json(folder / "modules.json", modules)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
