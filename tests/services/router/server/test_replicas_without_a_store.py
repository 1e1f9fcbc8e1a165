import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.leases import Leases
from tests.fakes.running_router import RunningRouter, admitted_soon


async def test_a_replica_is_taken_in_while_nobody_can_be_given_up_in_the_store(
    running: RunningRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_leases: Leases) -> int:
        raise ComptoirError(Reason.QUOTA_UNAVAILABLE)

    monkeypatch.setattr(Leases, "lose_gone", away)
    api_key = await running.key()
    async with running.replica():
        assert await admitted_soon(running, api_key)
