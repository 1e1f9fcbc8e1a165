"""`comptoir replicas`: a list as people and programs read it, a drain, and its end."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from comptoir.router.v1 import replica_pb2

from tests.fakes.running_router import RunningRouter, running_router, settings_in
from tests.services.cli.running import Said, Terminal


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    async with running_router(settings_in(tmp_path)) as running:
        yield running


async def said(terminal: Terminal, router: RunningRouter, *arguments: str) -> Said:
    admin = router.settings.admin_listen.address
    where = () if "--admin" in arguments else ("--admin", admin)
    whole = await asyncio.to_thread(terminal.comptoir, "replicas", *arguments, *where)
    # The router runs in this process, and so do its logs.
    lines = [line for line in whole.out.splitlines(keepends=True) if "module=services." not in line]
    return replace(whole, out="".join(lines))


async def test_a_list_has_each_with_its_number_state_and_requests(
    terminal: Terminal, router: RunningRouter
) -> None:
    assert (await said(terminal, router, "list")).out == "No replica is registered.\n"
    assert json.loads((await said(terminal, router, "list", "--json")).out) == {
        "replicas": [],
        "batch": [],
        "routers_with_own_quotas": 0,
    }
    async with router.replica() as first, router.replica(replica=12, model=2, address="127.0.0.1:9"):
        await first.say(load=replica_pb2.Load(running_requests=3, is_draining=True))
        shown = (await said(terminal, router, "list")).out
        assert [line.split()[:4] for line in shown.splitlines()[1:]] == [
            ["7", "tiny-eu", "draining", "3"],
            # It has not said what runs.
            ["12", "other-eu", "ready", "-"],
        ]
        listed = json.loads((await said(terminal, router, "list", "--json")).out)["replicas"]
        assert [(each["number"], each["running_requests"]) for each in listed] == [(7, 3), (12, None)]


async def test_a_drain_says_what_is_left_and_its_end_brings_requests_back(
    terminal: Terminal, router: RunningRouter
) -> None:
    async with router.replica() as replica:
        await replica.say(load=replica_pb2.Load(running_requests=1))
        assert (await said(terminal, router, "drain", "7")).out == "Replica 7 is draining; 1 request open.\n"
        await replica.say(load=replica_pb2.Load(running_requests=0, is_draining=True))
        drained = json.loads((await said(terminal, router, "drain", "7", "--json")).out)
        assert (drained["state"], drained["running_requests"]) == ("draining", 0)
        await said(terminal, router, "undrain", "7")
        await replica.say(load=replica_pb2.Load())
        assert (
            await said(terminal, router, "undrain", "7")
        ).out == "Replica 7 is ready; nothing runs on it.\n"


async def test_a_wait_ends_with_the_last_request_or_says_with_its_status_that_it_did_not(
    terminal: Terminal, router: RunningRouter
) -> None:
    async with router.replica() as replica:
        await replica.say(load=replica_pb2.Load(running_requests=2))
        late = await said(terminal, router, "drain", "7", "--wait", "0.1")
        assert (late.status, late.out) == (4, "Replica 7 is draining; 2 requests open.\n")
        waiting = asyncio.create_task(said(terminal, router, "drain", "7", "--wait", "30"))
        await replica.say(load=replica_pb2.Load(is_draining=True))
        assert (await waiting).out == "Replica 7 is draining; nothing runs on it.\n"


async def test_what_is_not_there_is_one_sentence(
    terminal: Terminal, router: RunningRouter, tmp_path: Path
) -> None:
    refused = await said(terminal, router, "drain", "7")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "`comptoir replicas list` lists them" in refused.err
    nobody = await said(terminal, router, "list", "--admin", f"unix:{tmp_path}/none")
    assert "cannot be reached" in nobody.err
