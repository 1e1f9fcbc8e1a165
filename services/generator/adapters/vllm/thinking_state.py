"""vLLM's bound of a request's reasoning follows it from place to place in the batch, and nobody else has it.

vLLM keeps the bounds by the places of a batch. Where one that has none moves into the place of a request that
ended, vLLM 0.32 leaves it the other's: the end of a section is written into an answer that never had one, and
one that is held to a schema fails.
"""

from dataclasses import replace
from typing import Any

from vllm.v1.sample.logits_processor.interface import BatchUpdate, MoveDirectionality
from vllm.v1.sample.thinking_budget_state import ThinkingBudgetStateHolder

_take_and_leave = ThinkingBudgetStateHolder.sync_batch


class MendedWorker:
    """Adds nothing to vLLM's worker, which loads it in whatever process it runs, and with it this module."""


def _sync_batch(holder: Any, update: BatchUpdate | None) -> None:  # one of vLLM's, whose fields have no types
    """Takes in who left, who came and who moved, in this order."""
    if not update:
        return
    _take_and_leave(holder, replace(update, moved=()))
    states = holder._state  # noqa: SLF001 - vLLM has no other way in
    for source, target, direction in update.moved:
        moved, replaced = states.pop(source, None), states.pop(target, None)
        if moved is not None:
            states[target] = moved
        if replaced is not None and direction is MoveDirectionality.SWAP:
            states[source] = replaced


ThinkingBudgetStateHolder.sync_batch = _sync_batch
