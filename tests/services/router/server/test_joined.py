"""Many admissions on one stream: tickets at once, and word of each when it is durable."""

import asyncio
import itertools
from collections import Counter
from functools import partial
from typing import Any, cast

import pytest
from comptoir.router.v1 import admin_pb2, router_pb2

from services.kernel import steps
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import PACE_SECONDS, Pace
from services.router.domain.admission import Admitter
from services.router.server.joined import JoinedAdmissions
from services.router.settings import RouterSettings
from tests.contracts.engine_requests import until
from tests.fakes.joined import heard, joined_streams
from tests.fakes.running_router import RunningRouter, admit, next_offer, running_router


class Joined:
    """A caller of AdmitMany: what it heard of each call."""

    def __init__(self, running: RunningRouter) -> None:
        self._stream: Any = running.router.AdmitMany()
        self.admitted: dict[int, router_pb2.AdmitResponse] = {}
        self.refused: dict[int, Reason] = {}
        self.recorded: set[int] = set()
        self.unrecorded: dict[int, Reason] = {}
        self.offered: dict[int, router_pb2.TicketOffer] = {}

    async def ask(self, *calls: tuple[int, router_pb2.AdmitRequest]) -> None:
        await self._stream.write(
            router_pb2.AdmitManyRequest(
                calls=[router_pb2.AdmitCall(call_number=number, request=request) for number, request in calls]
            )
        )

    async def ask_for(self, number: int, request: router_pb2.AdmitRequest, milliseconds: int) -> None:
        call = router_pb2.AdmitCall(call_number=number, request=request, timeout_milliseconds=milliseconds)
        await self._stream.write(router_pb2.AdmitManyRequest(calls=[call]))

    async def ask_on(self, *calls: tuple[int, router_pb2.NextOfferRequest]) -> None:
        asked = [router_pb2.NextOfferCall(call_number=number, request=request) for number, request in calls]
        await self._stream.write(router_pb2.AdmitManyRequest(next_offers=asked))

    async def leave(self, *numbers: int) -> None:
        await self._stream.write(router_pb2.AdmitManyRequest(cancelled=numbers))

    async def hear(self) -> None:
        message = await asyncio.wait_for(self._stream.read(), 5)
        for answer in message.answers:
            if answer.HasField("admitted"):
                self.admitted[answer.call_number] = answer.admitted
            else:
                self.refused[answer.call_number] = heard(answer.refused).reason
        for answer in message.next_offers:
            if answer.HasField("offer"):
                self.offered[answer.call_number] = answer.offer
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
        assert joined.admitted[1].HasField("offer")
        assert joined.recorded == set()
        running.log.gate.set()
        while joined.recorded != {1}:
            await joined.hear()
        joined.close()


async def test_another_ticket_is_asked_for_on_the_same_stream_also_before_the_record(
    running: RunningRouter,
) -> None:
    api_key = await running.key()
    running.log.gate = asyncio.Event()
    async with running.replica(), running.replica(replica=8, address="127.0.0.1:9"):
        joined = Joined(running)
        await joined.ask((1, admit(api_key)))
        while 1 not in joined.admitted:
            await joined.hear()
        admitted = joined.admitted[1]
        question = next_offer(api_key, admitted)
        no_question = router_pb2.NextOfferRequest(api_key="k" * 257)
        await joined.ask_on((2, question), (3, question), (4, next_offer("cptr_nobody", admitted)))
        await joined.ask_on((5, no_question))
        while joined.offered.keys() | joined.refused.keys() != {2, 3, 4, 5}:
            await joined.hear()
        assert {joined.offered[2].generator_address, admitted.offer.generator_address} == {
            "127.0.0.1:8402",
            "127.0.0.1:9",
        }
        assert joined.refused == {3: Reason.NO_REPLICA, 4: Reason.KEY_INVALID, 5: Reason.REQUEST_INVALID}
        joined.close()


async def test_a_request_whose_admission_is_not_durable_gets_no_other_ticket(running: RunningRouter) -> None:
    api_key = await running.key()
    running.log.failure = ComptoirError(Reason.USAGE_NOT_RECORDED)
    async with running.replica(), running.replica(replica=8, address="127.0.0.1:9"):
        joined = Joined(running)
        await joined.ask((1, admit(api_key)))
        while 1 not in joined.unrecorded:
            await joined.hear()
        await joined.ask_on((2, next_offer(api_key, joined.admitted[1])))
        while 2 not in joined.refused:
            await joined.hear()
        assert joined.refused == {2: Reason.LEASE_ENDED}
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


@pytest.mark.parametrize("breaks", [True, False], ids=["broken", "cancelled"])
async def test_an_admission_whose_caller_leaves_with_its_ticket_is_recorded_all_the_same(
    running: RunningRouter, *, breaks: bool
) -> None:
    api_key = await running.key()
    running.log.gate = asyncio.Event()
    async with running.replica():
        joined = Joined(running)
        await joined.ask((1, admit(api_key)))
        await joined.hear()
        assert (set(joined.admitted), running.log.reasons) == ({1}, [])
        if breaks:
            joined.close()
        else:
            await joined.leave(1)
        await until(lambda: running.log.reasons == [Reason.UNSPECIFIED], 10)
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


async def test_a_call_that_is_held_ends_with_its_own_time_and_leaves_nothing_behind(
    router_settings: RouterSettings,
) -> None:
    settings = router_settings.model_copy(update={"hold_seconds": 30.0})
    async with running_router(settings) as running:
        quota = admin_pb2.Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1)
        late, cancelled = await running.key(quota=quota), await running.key(quota=quota)
        joined = Joined(running)
        await joined.ask_for(1, admit(late), 100)
        await joined.ask_for(2, admit(cancelled), 30_000)
        while 1 not in joined.refused:
            await joined.hear()
        assert joined.refused == {1: Reason.DEADLINE_EXCEEDED}
        await joined.leave(2)
        # An answer on the stream comes behind the leave; a replica before it would serve the call.
        await joined.ask((5, admit("no key")))
        while 5 not in joined.refused:
            await joined.hear()
        async with running.replica():
            await joined.ask((3, admit(late)), (4, admit(cancelled)))
            while joined.recorded != {3, 4}:
                await joined.hear()
        # The clock stands: what the first two had reserved has not come back with time.
        assert all(joined.admitted[number].quota.remaining_tokens == 0 for number in (3, 4))
        assert running.log.reasons == [Reason.KEY_INVALID, *[Reason.UNSPECIFIED] * 2]
        joined.close()


class FullRouter:
    """Refuses everybody, and notes in which turn of the loop."""

    def __init__(self) -> None:
        self.turn = 0
        self.refused_in: list[int] = []

    async def decide(self, _request: object) -> None:
        self.refused_in.append(self.turn)
        raise ComptoirError(Reason.REPLICA_OVERLOADED)


async def test_many_that_come_in_one_message_are_decided_in_several_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each takes as long as a turn may.
    ticks = itertools.count()
    pace = partial(Pace, *[lambda: next(ticks) * PACE_SECONDS] * 2)
    monkeypatch.setattr(steps, "Pace", pace)
    router = FullRouter()
    joined = JoinedAdmissions(joined_streams(), cast(Admitter, router))
    asked = [router_pb2.AdmitCall(call_number=number, request=admit("key")) for number in range(32)]
    joined.receive(router_pb2.AdmitManyRequest(calls=asked))
    async with asyncio.timeout(5):
        while len(router.refused_in) < 32:
            router.turn += 1
            await asyncio.sleep(0)
    assert max(Counter(router.refused_in).values()) <= 2
