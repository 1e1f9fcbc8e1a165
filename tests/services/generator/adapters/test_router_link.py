import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.generator.adapters.router_link import RouterLink
from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from tests.contracts.engine_requests import until
from tests.services.generator.adapters.reported import Load, Router
from tests.services.generator.domain.test_ticket import CLAIMS


class Linked:
    """A link that runs, its router and its load."""

    def __init__(self, folder: Path, *, interval_seconds: float) -> None:
        address = f"unix:{folder}/router.sock"
        self.router, self.load, self.has_load = Router(address), Load(), True
        target = GrpcTarget(address=address)
        self.link = RouterLink(
            target, SystemClock(), interval_seconds=interval_seconds, lifetime_seconds=600.0
        )
        self.link.register(
            Replica(7, 1, 3),
            "127.0.0.1:1",
            Capabilities(1024, 16, 500, Feature.TOKEN_IDS),
            32,
            incarnation=77,
        )
        self.called_back: list[Identity] = []
        self.running = asyncio.create_task(
            self.link.run(lambda: self.load() if self.has_load else None, call_back=self.call_back)
        )

    def call_back(self, lease_id: Identity) -> bool:
        self.called_back.append(lease_id)
        return True

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait({self.running})
        await self.link.close()
        await self.router.stop()

    def settle(self, number: int) -> None:
        self.link.settle(claims(number), Counts(number, 0, 2), is_unserved=False)


def claims(number: int) -> Claims:
    return replace(CLAIMS, lease_id=Identity(9, number))


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[Linked]:
    linked = Linked(tmp_path, interval_seconds=0.02)
    await linked.router.start()
    yield linked
    await linked.stop()


@pytest.fixture
async def slowly_linked(tmp_path: Path) -> AsyncIterator[Linked]:
    linked = Linked(tmp_path, interval_seconds=60.0)
    await linked.router.start()
    yield linked
    await linked.stop()


async def test_a_replica_without_a_load_is_registered_and_reports_none(tmp_path: Path) -> None:
    linked = Linked(tmp_path, interval_seconds=60.0)
    linked.has_load = False
    await linked.router.start()
    await until(lambda: linked.link.is_registered, 5)
    linked.link.load_changed()
    linked.settle(1)
    await until(lambda: len(linked.router.reports) >= 2, 5)
    assert [report.HasField("registration") for report in linked.router.reports] == [True, False]
    assert not any(report.HasField("load") for report in linked.router.reports)
    await linked.stop()


async def test_the_first_report_registers_and_all_report_load(linked: Linked) -> None:
    linked.load.requests = 2
    await until(lambda: len(linked.router.reports) >= 3, 5)
    first, second, *_ = linked.router.reports
    registration = first.registration
    assert (registration.replica, registration.region, registration.model) == (7, 1, 3)
    assert (registration.context_tokens, registration.kv_block_tokens, registration.kv_blocks) == (
        1024,
        16,
        500,
    )
    assert (registration.address, registration.max_requests) == ("127.0.0.1:1", 32)
    assert registration.incarnation > 0
    assert abs(first.sent_at_microseconds - SystemClock().wall_microseconds()) < 60_000_000
    assert second.sent_at_microseconds > first.sent_at_microseconds
    assert not second.HasField("registration")
    assert (second.load.running_requests, second.load.kv_usage_permille) == (2, 250)
    assert second.load.age_milliseconds == 500


async def test_a_settlement_goes_at_once_and_only_once_where_it_is_confirmed(slowly_linked: Linked) -> None:
    await until(lambda: bool(slowly_linked.router.reports), 5)
    slowly_linked.settle(1)
    slowly_linked.settle(2)
    assert await slowly_linked.link.settled(5.0) == 0
    slowly_linked.settle(3)
    assert await slowly_linked.link.settled(5.0) == 0
    assert slowly_linked.router.settled == [1, 2, 3]


async def test_an_accepted_ticket_is_told_at_once_and_only_once_where_it_is_confirmed(
    slowly_linked: Linked,
) -> None:
    await until(lambda: bool(slowly_linked.router.reports), 5)
    slowly_linked.link.accept(claims(1))
    await until(lambda: slowly_linked.router.accepted == [1], 5)
    slowly_linked.settle(2)
    assert await slowly_linked.link.settled(5.0) == 0
    assert slowly_linked.router.accepted == [1]


async def test_an_answer_that_ends_before_its_ticket_is_told_is_only_settled(slowly_linked: Linked) -> None:
    await until(lambda: slowly_linked.link.is_registered, 5)
    slowly_linked.link.accept(claims(1))
    slowly_linked.settle(1)
    await until(lambda: slowly_linked.router.settled == [1], 5)
    assert slowly_linked.router.accepted == []


async def test_what_comes_after_a_report_waits_for_the_next_and_travels_together(
    slowly_linked: Linked,
) -> None:
    await until(lambda: slowly_linked.link.is_registered, 5)
    slowly_linked.settle(0)
    await until(lambda: slowly_linked.router.settled == [0], 5)
    for number in range(1, 20):
        slowly_linked.settle(number)
        await asyncio.sleep(0)
    await until(lambda: len(slowly_linked.router.settled) == 20, 5)
    assert len(slowly_linked.router.reports) == 3


async def test_the_router_is_asked_to_confirm_now_and_then_and_at_once_in_a_drain(linked: Linked) -> None:
    await until(lambda: linked.link.is_registered, 5)
    linked.router.reports.clear()
    await until(lambda: len(linked.router.reports) >= 3, 5)
    assert all(report.may_answer_later for report in linked.router.reports)
    linked.router.is_confirming = False
    linked.settle(1)
    await until(lambda: not linked.router.reports[-1].may_answer_later, 5)
    linked.load.is_draining = True
    linked.link.load_changed()
    await until(lambda: linked.router.reports[-1].load.is_draining, 5)
    assert not linked.router.reports[-1].may_answer_later


async def test_what_runs_is_told_to_a_router_that_restarted(linked: Linked) -> None:
    for number in (1, 2):
        linked.link.accept(claims(number))
    await until(lambda: linked.router.accepted == [1, 2], 5)
    linked.settle(1)
    assert await linked.link.settled(5.0) == 0
    await linked.router.stop()
    linked.router.reports.clear()
    await linked.router.start()
    await until(lambda: bool(linked.router.reports), 10)
    assert linked.router.accepted == [2]
    assert [acceptance.lease_id_low for acceptance in linked.router.reports[0].acceptances] == [2]


async def test_what_was_not_confirmed_is_sent_again_to_the_next_router(linked: Linked) -> None:
    linked.router.is_confirming = False
    linked.settle(1)
    await until(lambda: linked.router.settled == [1], 5)
    first = linked.router.reports[0].registration
    await linked.router.stop()
    linked.settle(2)
    linked.router.is_confirming = True
    linked.router.reports.clear()
    await linked.router.start()
    assert await linked.link.settled(10.0) == 0
    assert linked.router.settled == [1, 2]
    assert linked.router.reports[0].registration == first


async def test_a_router_that_never_confirms_leaves_the_rest_to_be_told(linked: Linked) -> None:
    linked.router.is_confirming = False
    linked.settle(1)
    assert await linked.link.settled(0.1) == 1


async def test_a_drain_and_a_rush_are_reported_at_once(slowly_linked: Linked) -> None:
    await until(lambda: len(slowly_linked.router.reports) == 1, 5)
    slowly_linked.load.requests = 1
    slowly_linked.link.load_changed()
    slowly_linked.load.requests = 10
    slowly_linked.link.load_changed()
    await until(lambda: len(slowly_linked.router.reports) == 2, 5)
    assert slowly_linked.router.reports[-1].load.running_requests == 10
    slowly_linked.load.is_draining = True
    slowly_linked.link.load_changed()
    await until(lambda: len(slowly_linked.router.reports) == 3, 5)
    assert slowly_linked.router.reports[-1].load.is_draining


async def test_it_is_registered_while_the_router_answers(linked: Linked) -> None:
    await until(lambda: linked.link.is_registered, 5)
    await linked.router.stop()
    await until(lambda: not linked.link.is_registered, 5)
    await linked.router.start()
    await until(lambda: linked.link.is_registered, 10)


@pytest.mark.parametrize("reason", [Reason.ALREADY_EXISTS, Reason.CALLER_NOT_ALLOWED, Reason.ROUTE_NOT_FOUND])
async def test_a_refused_registration_is_told_loudly_once_and_tried_again(
    tmp_path: Path, reason: Reason, capsys: pytest.CaptureFixture[str]
) -> None:
    linked = Linked(tmp_path, interval_seconds=0.02)
    linked.router.refusal = ComptoirError(reason, field="registration.replica")
    await linked.router.start()
    await until(lambda: len([one for one in linked.router.reports if one.HasField("registration")]) >= 2, 10)
    assert not linked.link.is_registered
    said = [line for line in capsys.readouterr().out.splitlines() if "registration_refused" in line]
    assert len(said) == 1
    for part in ("error", "replica=7", reason.name, "registration.replica"):
        assert part in said[0]
    linked.router.refusal = None
    await until(lambda: linked.link.is_registered, 10)
    await linked.stop()


async def test_a_lease_that_is_called_back_is_handed_back_before_the_next_regular_report(
    slowly_linked: Linked,
) -> None:
    slowly_linked.router.called_back.append(4)
    await until(lambda: slowly_linked.router.settled == [4], 10)
    assert slowly_linked.called_back == [Identity(9, 4)]
