"""The largest request that is served is recorded: the emitter counts all of its choices together."""

from pathlib import Path

import httpx
import pytest

from services.kernel.catalog import MAX_CHOICES_PER_PROMPT
from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

# The context of the model, less than the prompt: each choice is cut where the context ends.
MOST_TOKENS = 1000


async def test_the_longest_answer_of_the_most_choices_is_recorded_and_told(tmp_path: Path) -> None:
    simulated = {"answer_tokens": 5000, "itl_seconds": 0.001}
    processes = ServingProcesses(tmp_path, generator={"simulated": simulated})
    try:
        await processes.start()
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "Bonjour"}],
            "n": MAX_CHOICES_PER_PROMPT,
            "max_completion_tokens": MOST_TOKENS,
        }
        headers = {"authorization": f"Bearer {await processes.key('longest')}"}
        async with httpx.AsyncClient(base_url=processes.base_url, headers=headers, timeout=120) as client:
            answer = await client.post("/v1/chat/completions", json=body)
    finally:
        await processes.stop()
    # An answer comes once its event is durable.
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] == MAX_CHOICES_PER_PROMPT * MOST_TOKENS
