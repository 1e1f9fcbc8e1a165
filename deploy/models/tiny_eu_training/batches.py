"""Packs encoded conversations into rows of one length and draws batches of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

Encoded = tuple[list[int], list[int]]
SHORT, LONG = 256, 2048
TOKENS_PER_BATCH = 2048
LONG_EVERY = 10


@dataclass
class Rows:
    """Rows of equal length; each of them starts with a whole conversation."""

    length: int
    ids: list[list[int]] = field(default_factory=list)
    labels: list[list[int]] = field(default_factory=list)
    _open_ids: list[int] = field(default_factory=list)
    _open_labels: list[int] = field(default_factory=list)

    def add(self, encoded: Encoded) -> None:
        """Append a conversation to the open row; a full row cuts it off."""
        self._open_ids += encoded[0]
        self._open_labels += encoded[1]
        if len(self._open_ids) >= self.length:
            self.ids.append(self._open_ids[: self.length])
            self.labels.append(self._open_labels[: self.length])
            self._open_ids, self._open_labels = [], []

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return all full rows as two tensors."""
        return torch.tensor(self.ids), torch.tensor(self.labels)


class Batches:
    """An endless, seeded supply of batches: most of short rows, some of long ones."""

    def __init__(self, samples: Iterable[Encoded], seed: int) -> None:
        short, long = Rows(SHORT), Rows(LONG)
        for number, sample in enumerate(samples):
            rows = long if len(sample[0]) > SHORT or number % LONG_EVERY == 0 else short
            rows.add(sample)
        self.short, self.long = short.tensors(), long.tensors()
        self.random = torch.Generator().manual_seed(seed)
        self.orders: dict[int, list[int]] = {}

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Return ids and labels of the batch for this step."""
        rows = self.long if step % LONG_EVERY == LONG_EVERY - 1 else self.short
        ids, labels = rows
        count = TOKENS_PER_BATCH // ids.shape[1]
        picked = [self._next(ids.shape[1], len(ids)) for _ in range(count)]
        return ids[picked], labels[picked]

    def _next(self, length: int, total: int) -> int:
        order = self.orders.get(length)
        if not order:
            order = torch.randperm(total, generator=self.random).tolist()
            self.orders[length] = order
        return order.pop()
