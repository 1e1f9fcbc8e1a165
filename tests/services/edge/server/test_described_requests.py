"""Requests that schemathesis makes up from the description of the API: each is answered as described."""

import asyncio
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.edge.domain.openai.paths import COMPLETIONS_PATH, RESPONSES_PATH
from tests.services.edge.conftest import PATH, STREAM, Stage
from tests.services.edge.scripts import GOOD_KEY

# Of each kind and endpoint; the more are made where there is time, in `make test`.
FEW_REQUESTS: Final = 6
MANY_REQUESTS: Final = 25
WAIT_SECONDS: Final = 120
KEY: Final = {"Authorization": f"Bearer {GOOD_KEY}"}
# A schema does not say everything: `stream_options` only with `stream`, `top_logprobs` only with `logprobs`.
UNTRUE: Final = [positive_data_acceptance]


def try_requests(operation: Any, base_url: str, mode: GenerationMode, most: int) -> int:
    """How many requests were answered as the description says; raises at the first that was not.

    Among others: no status, header or body that is not described, no 5xx, no answer without a key, and a
    refusal of what the schema does not allow.
    """
    count = 0

    @settings(
        max_examples=most,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        nonlocal count
        count += 1
        case.call_and_validate(base_url=base_url, headers=KEY, timeout=10, excluded_checks=UNTRUE)

    attempt()
    return count


def try_all(base_url: str, mode: GenerationMode, most: int) -> dict[str, int]:
    schema: Any = schemathesis.openapi.from_url(f"{base_url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    # Without a body there is nothing that could be wrong.
    tried = [each for each in operations if mode is GenerationMode.POSITIVE or len(each.body)]
    return {each.label: try_requests(each, base_url, mode, most) for each in tried}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, STREAM),
        (COMPLETIONS_PATH, {"model": "tiny-eu", "prompt": ["a", "b"], "stream": True}),
        (RESPONSES_PATH, {"model": "tiny-eu", "input": "a", "stream": True}),
    ],
)
async def test_a_stream_is_answered_as_described(stage: Stage, path: str, body: dict[str, Any]) -> None:
    await stage.start()

    def check() -> None:
        schema: Any = schemathesis.openapi.from_url(f"{stage.url}/openapi.json")
        case = schema[path]["POST"].Case(body=body, media_type="application/json")
        case.call_and_validate(base_url=stage.url, headers=KEY, timeout=10, excluded_checks=UNTRUE)

    await asyncio.wait_for(asyncio.to_thread(check), WAIT_SECONDS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("most", [FEW_REQUESTS, pytest.param(MANY_REQUESTS, marks=pytest.mark.system)])
async def test_whatever_is_asked_is_answered_as_described(
    stage: Stage, mode: GenerationMode, most: int
) -> None:
    await stage.start()
    # The client that makes the requests waits for each; the edge is in this loop.
    counts = await asyncio.wait_for(asyncio.to_thread(try_all, stage.url, mode, most), WAIT_SECONDS)
    assert counts["POST /v1/chat/completions"] == most
    assert all(counts.values())
