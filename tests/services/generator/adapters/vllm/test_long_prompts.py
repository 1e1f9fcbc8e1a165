"""What vLLM writes of a long prompt for each of its choices holds nobody up for longer than one of them."""

import asyncio
from functools import partial
from types import SimpleNamespace

import pytest

from services.generator.adapters.vllm.long_prompts import MANY_IDS, hand_over_in_turns
from services.kernel import steps
from services.kernel.clock import ManualClock
from services.kernel.steps import TURN_SECONDS, Pace


class Core:
    """vLLM's client of the engine's process, which takes a while for each request."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.added = 0

    async def add_request_async(self, request: SimpleNamespace) -> None:
        assert request.prompt_token_ids is not None
        self.added += 1
        self._clock.advance(TURN_SECONDS)


@pytest.mark.parametrize(("tokens", "most_in_a_turn"), [(MANY_IDS, 2), (MANY_IDS - 1, 16)])
async def test_a_long_prompt_of_many_choices_is_written_in_several_turns(
    tokens: int, most_in_a_turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(steps, "Pace", partial(Pace, clock.monotonic_seconds, clock.monotonic_seconds))
    core = Core(clock)
    hand_over_in_turns(core)
    request = SimpleNamespace(prompt_token_ids=[0] * tokens)

    async def add_all() -> None:
        for _ in range(16):
            await core.add_request_async(request)

    adding = asyncio.create_task(add_all())
    found = []
    async with asyncio.timeout(5):
        while not adding.done():
            before = core.added
            await asyncio.sleep(0)
            found.append(core.added - before)
    assert (sum(found), max(found)) == (16, most_in_a_turn)
