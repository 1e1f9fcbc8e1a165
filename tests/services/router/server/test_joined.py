"""Many admissions on one stream: tickets at once, and word of each when it is durable."""

import asyncio
from typing import Any

from comptoir.router.v1 import router_pb2

from services.kernel.errors import ComptoirError, Reason
from tests.fakes.joined import heard
from tests.fakes.running_router import RunningRouter, admit


class Joined:
    """A caller of AdmitMany: what it heard of each call."""

    def __init__(self, running: RunningRouter) -> None:
        self._stream: Any = running.router.AdmitMany()
        self.admitted: dict[int, router_pb2.AdmitResponse] = {}
        self.refused: dict[int, Reason] = {}
        self.recorded: set[int] = set()
        self.unrecorded: dict[int, Reason] = {}

    async def ask(self, *calls: tuple[int, router_pb2.AdmitRequest]) -> None:
        await self._stream.write(
            router_pb2.AdmitManyRequest(
                calls=[router_pb2.AdmitCall(call_number=number, request=request) for number, request in calls]
            )
        )

    async def hear(self) -> None:
        message = await asyncio.wait_for(self._stream.read(), 5)
        for answer in message.answers:
            if answer.HasField("admitted"):
                self.admitted[answer.call_number] = answer.admitted
            else:
                self.refused[answer.call_number] = heard(answer.refused).reason
        self.recorded |= set(message.recorded)
        for unrecorded in message.unrecorded:
            self.unrecorded[unrecorded.call_number] = heard(unrecorded.error).reason

    def close(self) -> None:
        self._stream.cancel()


async def test_tickets_come_before_their_admission_is_durable(running: RunningRouter) -> None:
    api_key = await running.key()
    running.log.gate = asyncio.Event()
    async with running.replica():
        joined = Joined(running)
        await joined.ask((1, admit(api_key)))
        while 1 not in joined.admitted:
            await joined.hear()
        assert joined.admitted[1].offers
        assert joined.recorded == set()
        running.log.gate.set()
        while joined.recorded != {1}:
            await joined.hear()
        joined.close()


async def test_a_refused_call_stops_no_other(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica():
        joined = Joined(running)
        await joined.ask(
            (1, admit("cptr_nobody")),
            (2, admit(api_key, model="absent")),
            (3, router_pb2.AdmitRequest(api_key=api_key, model="tiny-eu")),
            (4, admit(api_key)),
        )
        while joined.recorded != {4} or len(joined.refused) < 3:
            await joined.hear()
        assert joined.refused == {
            1: Reason.KEY_INVALID,
            2: Reason.MODEL_NOT_FOUND,
            3: Reason.REQUEST_INVALID,
        }
        assert sorted(running.log.reasons) == sorted(
            [Reason.KEY_INVALID, Reason.MODEL_NOT_FOUND, Reason.UNSPECIFIED]
        )
        joined.close()


async def test_an_admission_that_is_not_durable_is_told_and_its_place_comes_back(
    running: RunningRouter,
) -> None:
    api_key = await running.key()
    running.log.failure = ComptoirError(Reason.USAGE_NOT_RECORDED)
    async with running.replica():
        joined = Joined(running)
        await joined.ask((1, admit(api_key)))
        while 1 not in joined.unrecorded:
            await joined.hear()
        assert joined.unrecorded == {1: Reason.USAGE_NOT_RECORDED}
        lease = joined.admitted[1]
        request = router_pb2.ReleaseRequest(
            lease_id_high=lease.lease_id_high, lease_id_low=lease.lease_id_low
        )
        # It was released already.
        assert not (await running.router.Release(request)).is_released
        joined.close()
