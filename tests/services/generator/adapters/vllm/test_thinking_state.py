"""The bound of a request's reasoning is its own, wherever in vLLM's batch it stands."""

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.adapters.vllm.environment import quiet_import, set_environment

pytestmark = pytest.mark.vllm

PLACES = 6


class Batch:
    """vLLM's batch and its bounds, beside what is true: which request is in which place."""

    def __init__(self) -> None:
        set_environment(is_download_allowed=False, cpu_threads=1)
        with quiet_import():
            from vllm.v1.sample.logits_processor.interface import MoveDirectionality  # noqa: PLC0415
            from vllm.v1.sample.logits_processor.state import BatchUpdateBuilder  # noqa: PLC0415
            from vllm.v1.sample.thinking_budget_state import ThinkingBudgetStateHolder  # noqa: PLC0415

            # vLLM's worker loads it so.
            importlib.import_module("services.generator.adapters.vllm.thinking_state")

        self.directions = MoveDirectionality
        marks = SimpleNamespace(reasoning_start_token_ids=[1], reasoning_end_token_ids=[2])
        self.holder: Any = ThinkingBudgetStateHolder(marks, PLACES, 0, None, False)
        self.updates: Any = BatchUpdateBuilder()
        self.bounds: list[int | None] = []

    def step(self, leaving: set[int], coming: list[int | None], swap: tuple[int, int]) -> None:
        """Requests leave, others come, the last ones fill what is empty, and two change places."""
        gone = sorted(place for place in leaving if place < len(self.bounds))
        for place in gone:
            self.updates.removed_append(place)
        empty = dict.fromkeys(gone)
        for bound in coming[: PLACES - len(self.bounds) + len(gone)]:
            place = self.updates.pop_removed()
            if place is None:
                place = len(self.bounds)
                self.bounds.append(None)
            empty.pop(place, None)
            self.bounds[place] = bound
            self.updates.added.append((place, SimpleNamespace(thinking_token_budget=bound), [1], []))
        self._condense(set(empty))
        first, second = swap
        if max(swap) < len(self.bounds) and first != second:
            self.bounds[first], self.bounds[second] = self.bounds[second], self.bounds[first]
            self.updates.moved.append((first, second, self.directions.SWAP))
        self.holder.sync_batch(self.updates.get_and_reset(len(self.bounds)))

    def _condense(self, empty: set[int]) -> None:
        while empty:
            last = len(self.bounds) - 1
            if last not in empty:
                place = self.updates.pop_removed()
                empty.remove(place)
                self.bounds[place] = self.bounds[last]
                self.updates.moved.append((last, place, self.directions.UNIDIRECTIONAL))
            empty.discard(last)
            self.bounds.pop()


STEPS = st.lists(
    st.tuples(
        st.sets(st.integers(0, PLACES - 1)),
        st.lists(st.none() | st.integers(1, 9), max_size=3),
        st.tuples(st.integers(0, PLACES - 1), st.integers(0, PLACES - 1)),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(STEPS)
def test_whoever_leaves_comes_and_moves_has_its_own_bound_and_no_other(steps: list[Any]) -> None:
    batch = Batch()
    for step in steps:
        batch.step(*step)
        found = {place: state["thinking_token_budget"] for place, state in batch.holder._state.items()}
        assert found == {place: bound for place, bound in enumerate(batch.bounds) if bound is not None}
