"""What the real router says to a service, with its numbers."""

import asyncio
from pathlib import Path

import pytest
from comptoir.client import ComptoirError, ErrorReason

from tests.client.stage import CALLERS, Caller, chat
from tests.fakes.running_router import running_router, settings_in

pytestmark = pytest.mark.parametrize("kind", sorted(CALLERS))


async def refusal_of(caller: Caller, **fields: int) -> ComptoirError:
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat(**fields))
    await caller.close()
    return raised.value


async def test_a_request_that_its_key_can_never_pay_for_is_told_what_fits(kind: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with running_router(settings) as running, running.replica():
        key = await running.key(quota={"tokens_per_minute": 200})
        caller = CALLERS[kind](settings.listen.address, api_key=key)
        error = await refusal_of(caller, max_output_tokens=500)
    assert error.reason == ErrorReason.ERROR_REASON_QUOTA_TOO_SMALL
    assert (error.limit, error.is_retryable) == (200, False)
    assert 0 < error.available < 200


async def test_a_request_over_the_minutes_requests_is_told_when_to_come_back(
    kind: str, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    async with running_router(settings) as running, running.replica(address=f"unix:{tmp_path}/nobody"):
        key = await running.key(quota={"requests_per_minute": 1})
        caller = CALLERS[kind](settings.listen.address, api_key=key, unreachable_seconds=0)
        with pytest.raises(ComptoirError) as raised:
            await caller.answer(**chat())
        assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
        error = await refusal_of(caller)
    assert error.reason == ErrorReason.ERROR_REASON_REQUESTS_EXHAUSTED
    assert error.retry_after_seconds > 0
    assert error.quota is not None
    assert (error.quota.limit_requests, error.quota.remaining_requests) == (1, 0)


async def test_a_wrong_key_and_an_unknown_model_are_told_apart(kind: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with running_router(settings) as running:
        good = await running.key()
        errors = await asyncio.gather(
            refusal_of(CALLERS[kind](settings.listen.address)),
            refusal_of(CALLERS[kind](settings.listen.address, api_key=good), model="nobody"),  # type: ignore[arg-type]
        )
    assert [str(error) for error in errors] == ["KEY_INVALID", "MODEL_NOT_FOUND"]
