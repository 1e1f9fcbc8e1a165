"""Batch waits on a real engine while interactive requests wait too long, and one goes on now and then."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(600)]

MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]
TRICKLE_SECONDS: Final = 15.0
# No engine has a first token in a millisecond, so those of a few requests hold batch back.
SETTINGS: Final = f"""
router:
  hold_seconds: 300
  batch: {{interactive_ttft_p95_seconds: 0.001, least_samples: 4, trickle_seconds: {TRICKLE_SECONDS}}}
"""


def test_batch_is_held_back_on_a_real_engine_while_interactive_requests_pass(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(SETTINGS)
    with running_stack(tmp_path / "data", "--config", str(file)) as stack:
        stack.wait_ready(240)
        created = stack.comptoir("keys", "create", "--priority", "interactive", "--json")
        asyncio.run(_hold_and_go_on(stack, str(json.loads(created.stdout)["api_key"])))
        assert_complete(stack)


async def _hold_and_go_on(stack: Stack, api_key: str) -> None:
    async with openai.AsyncOpenAI(
        base_url=stack.base_url, api_key=api_key, max_retries=0, timeout=300
    ) as client:
        # Nothing has been counted yet; it is the one that begins in `trickle_seconds`.
        first_seconds = time.monotonic()
        assert await _tier(client, stack, "flex") == "flex"
        for _ in range(4):
            assert await _tier(client, stack, "priority") == "priority"
        await asyncio.to_thread(eventually, lambda: _hold(stack), lambda hold: hold == "first tokens", 30)
        batch = asyncio.create_task(_tier(client, stack, "flex"))
        others = [await _tier(client, stack, tier) for tier in ("priority", "default", "priority")]
        assert others == ["priority", "default", "priority"]
        said = (await asyncio.to_thread(stack.comptoir, "replicas", "list")).stdout
        assert f"Batch of {stack.model} is held back: interactive ones wait" in said
        # It goes on by itself, and no sooner than it may, however slow the machine was meanwhile.
        assert await asyncio.wait_for(batch, 200) == "flex"
        assert time.monotonic() - first_seconds >= TRICKLE_SECONDS


async def _tier(client: openai.AsyncOpenAI, stack: Stack, tier: Any) -> str | None:
    """One chat of a class: that which it was served in."""
    answer = await client.chat.completions.create(
        model=stack.model, messages=MESSAGES, max_completion_tokens=4, service_tier=tier
    )
    return answer.service_tier


def _hold(stack: Stack) -> str | None:
    """What holds the model's batch requests back."""
    (state,) = json.loads(stack.comptoir("replicas", "list", "--json").stdout)["batch"]
    hold: str | None = state["held_by"]
    return hold
