"""Several routers with leases in memory lend every quota each by itself: log and operators are told."""

import pytest
from comptoir.router.v1 import admin_pb2

from tests.fakes.running_router import RunningRouter

SAID = "each_router_has_its_own_quotas"


async def test_a_router_of_several_says_that_its_quotas_are_its_own_once_for_each_number(
    running: RunningRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running.replica(routers=2), running.replica(replica=8, address="127.0.0.1:9", routers=2):
        listed = await running.admin.ListReplicas(admin_pb2.ListReplicasRequest())
    assert listed.routers_with_own_quotas == 2
    (line,) = [line for line in capsys.readouterr().out.splitlines() if SAID in line]
    assert "warning" in line
    assert "2" in line


async def test_the_only_router_has_nothing_to_say(
    running: RunningRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    # An older replica does not say how many there are.
    async with running.replica(routers=1), running.replica(replica=8, address="127.0.0.1:9"):
        listed = await running.admin.ListReplicas(admin_pb2.ListReplicasRequest())
    assert listed.routers_with_own_quotas == 0
    assert SAID not in capsys.readouterr().out
