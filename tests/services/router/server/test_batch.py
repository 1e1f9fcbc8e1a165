"""A running router holds batch back by what its replicas report, lets it go by itself, and says so."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, replica_pb2, router_pb2

from services.contract.first_tokens import bucket_of
from tests.fakes.running_router import RunningRouter, admit, running_router, settings_in

TARGET = {"interactive_ttft_p95_seconds": 1.0, "trickle_seconds": 600}


def counted(seconds: float, requests: int) -> replica_pb2.Load:
    row = [0] * bucket_of(seconds) + [requests]
    return replica_pb2.Load(first_tokens=replica_pb2.FirstTokens(interactive=row))


def of_class(api_key: str, priority: int) -> router_pb2.AdmitRequest:
    request = admit(api_key)
    request.priority = priority  # type: ignore[assignment] # the enum's stub type is nominal
    return request


async def batch_state(running: RunningRouter) -> admin_pb2.BatchState:
    (state,) = (await running.admin.ListReplicas(admin_pb2.ListReplicasRequest())).batch
    return state


def settings_with(folder: Path, **batch: Any) -> Any:
    return settings_in(folder, batch={**TARGET, **batch}, hold_seconds=60)


async def test_batch_waits_while_interactive_ones_do_and_goes_on_by_itself(tmp_path: Path) -> None:
    async with running_router(settings_with(tmp_path)) as running, running.replica() as replica:
        api_key = await running.key()
        await replica.say(load=counted(0.2, 40))
        assert (await batch_state(running)).held_by == admin_pb2.BATCH_HOLD_UNSPECIFIED
        await _admitted(running, api_key)
        running.clock.advance(1)
        await replica.say(load=counted(3.0, 40))
        state = await batch_state(running)
        assert state.held_by == admin_pb2.BATCH_HOLD_FIRST_TOKENS
        assert state.interactive_requests == 40
        assert 3_000 <= state.interactive_ttft_p95_milliseconds < 3_600
        batch = asyncio.create_task(_admitted(running, api_key))
        await running.router.Admit(of_class(api_key, router_pb2.PRIORITY_DEFAULT))
        assert not batch.done()
        running.clock.advance(1)
        await replica.say(load=counted(0.2, 40))
        assert (await asyncio.wait_for(batch, 30)).key_number


async def test_batch_waits_for_the_end_of_a_peak_window_and_interactive_requests_do_not(
    tmp_path: Path,
) -> None:
    window = {"begins_at": "00:00", "ends_at": "23:00", "time_zone": "UTC"}
    async with running_router(settings_with(tmp_path, peak_windows=[window])) as running:
        day_seconds = running.clock.wall_microseconds() / 1_000_000 % 86_400
        running.clock.advance(86_400 + 23 * 3600 - 30 - day_seconds)
        async with running.replica() as replica:
            api_key = await running.key()
            batch = asyncio.create_task(_admitted(running, api_key))
            await running.router.Admit(of_class(api_key, router_pb2.PRIORITY_INTERACTIVE))
            state = await batch_state(running)
            assert (state.held_by, state.peak_left_seconds) == (admin_pb2.BATCH_HOLD_PEAK_WINDOW, 30)
            assert not batch.done()
            running.clock.advance(31)
            await replica.say(load=counted(0.2, 40))
            assert (await asyncio.wait_for(batch, 30)).key_number
            assert (await batch_state(running)).held_by == admin_pb2.BATCH_HOLD_UNSPECIFIED


async def _admitted(running: RunningRouter, api_key: str) -> router_pb2.AdmitResponse:
    return await running.router.Admit(of_class(api_key, router_pb2.PRIORITY_BATCH))


async def test_batch_that_waited_in_vain_is_told_the_numbers(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, batch={**TARGET, "trickle_seconds": 0.01}, hold_seconds=0)
    async with running_router(settings) as running, running.replica() as replica:
        api_key = await running.key()
        await replica.say(load=counted(3.0, 40))
        await _admitted(running, api_key)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await _admitted(running, api_key)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "BATCH_HELD_BACK" in str(refusal.value.details())
