"""What every source of the console does, told to it by a test or asked of what really runs."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from services.console.domain.errors import SourceAwayError
from services.console.domain.health import State
from services.console.domain.ports import Edge, Processes, Router, Store
from services.console.domain.spans import Span
from services.console.domain.trial import Trial
from tests.services.edge.scripts import GOOD_KEY

SECONDS = 60.0
MODEL = "tiny-eu"
TENANTS = ("acme", "other")
CURRENCY = "EUR"
PLACES = 8
# Of the model, within the last hour.
REQUESTS, TOKENS_OF_ONE, TTFT_SECONDS = 3, 30, 0.12
RUNNING, WAITING, KV_USAGE = 3, 2, 0.5
RETENTION_DAYS = 14
TRIAL = Trial(model=MODEL, prompt="Bonjour", max_output_tokens=8)


async def away(*questions: Callable[[], Awaitable[object]]) -> None:
    """Each question fails with one sentence."""
    for ask in questions:
        with pytest.raises(SourceAwayError, match=r"^[A-Z][^\n]+\.$"):
            await asyncio.wait_for(ask(), SECONDS)


class ProcessesContract:
    """Needs `processes`: an edge and a router that are ready, and an emitter that says nothing."""

    async def test_each_says_what_it_is_and_one_that_is_silent_is_said_so(self, processes: Processes) -> None:
        asked = [processes.health() for _ in range(3)]
        for health in await asyncio.wait_for(asyncio.gather(*asked), SECONDS):
            said = [(each.name, each.state) for each in health.processes]
            assert said == [("edge", State.READY), ("router", State.READY), ("emitter", State.SILENT)]
            assert health.sentence == "1 of 3 processes is not ready. emitter: no answer."
            assert all(each.since_seconds >= 0 for each in health.processes)


class RouterContract:
    """Needs `router`: with one idle replica of MODEL, and TENANTS; and `away_router`, which is gone."""

    async def test_a_replica_is_told_with_its_model_its_region_and_its_room(self, router: Router) -> None:
        fleet = await asyncio.wait_for(router.fleet(), SECONDS)
        (replica,) = fleet.replicas
        assert (replica.model, replica.region, replica.is_ready) == (MODEL, "eu-fr", True)
        assert replica.max_requests == PLACES
        assert 0 <= replica.kv_usage <= 1
        assert replica.report_age_seconds >= 0
        (capacity,) = fleet.models
        assert (capacity.places, capacity.free_places, capacity.held_back) == (PLACES, PLACES, "")

    async def test_tenants_are_told_with_what_they_used_in_one_currency(self, router: Router) -> None:
        tenants = await asyncio.wait_for(router.tenants(), SECONDS)
        assert tuple(tenant.name for tenant in tenants.tenants) == TENANTS
        assert (tenants.is_known, tenants.is_whole, tenants.currency) == (True, True, CURRENCY)
        assert tenants.sum.tokens_of_month == tenants.sum.money_of_month_nanos == 0
        assert [tenant.used for tenant in tenants.tenants] == [None, None]

    async def test_questions_at_once_are_all_answered(self, router: Router) -> None:
        asked = (*(router.fleet() for _ in range(4)), *(router.tenants() for _ in range(4)))
        assert len(await asyncio.wait_for(asyncio.gather(*asked), SECONDS)) == len(asked)

    async def test_a_router_that_is_gone_is_away_in_one_sentence(self, away_router: Router) -> None:
        await away(away_router.fleet, away_router.tenants)


class StoreContract:
    """Needs `store`, which has what MODEL did a moment before `now_seconds`; `empty_store`; `away_store`."""

    @pytest.mark.parametrize("span", Span)
    async def test_a_model_has_one_row_of_the_whole_span_to_which_its_steps_add_up(
        self, store: Store, now_seconds: float, span: Span
    ) -> None:
        found = await asyncio.wait_for(store.latencies(span), SECONDS)
        (whole,) = found.models
        assert (whole.model, whole.at_seconds) == (MODEL, 0)
        assert (whole.requests, whole.output_tokens) == (REQUESTS, REQUESTS * TOKENS_OF_ONE)
        assert sum(step.requests for step in found.steps) == whole.requests
        assert sum(step.output_tokens for step in found.steps) == whole.output_tokens
        assert {step.at_seconds for step in found.steps} <= set(span.steps(now_seconds))
        for row in (whole, *found.steps):
            assert row.ttft_p50_seconds == pytest.approx(TTFT_SECONDS)
            assert row.ttft_p95_seconds == pytest.approx(TTFT_SECONDS)
            assert row.tps_p50 is not None
            assert row.tps_p95 is not None
            assert 0 < row.tps_p50 <= row.tps_p95

    @pytest.mark.parametrize("span", Span)
    async def test_engines_are_told_once_for_each_step(
        self, store: Store, now_seconds: float, span: Span
    ) -> None:
        (step,) = (await asyncio.wait_for(store.loads(span), SECONDS)).steps
        assert step.at_seconds in span.steps(now_seconds)
        assert (step.model, step.running_requests, step.waiting_requests) == (MODEL, RUNNING, WAITING)
        assert step.kv_usage == KV_USAGE

    async def test_what_is_stored_is_told_by_kind_with_what_is_wrong_with_it(
        self, store: Store, now_seconds: float
    ) -> None:
        stored = await asyncio.wait_for(store.stored(), SECONDS)
        kinds = {kind.name: kind for kind in stored.kinds}
        assert len(kinds) == len(stored.kinds)
        assert (kinds["generation"].stored_rows, kinds["generation"].faults) == (REQUESTS, ())
        assert 0 < kinds["generation"].oldest_at_seconds <= now_seconds
        assert (stored.retention_days, stored.is_complete) == (RETENTION_DAYS, True)

    async def test_a_store_without_a_table_yet_has_nothing_and_is_not_away(self, empty_store: Store) -> None:
        latencies = await asyncio.wait_for(empty_store.latencies(Span.DAY), SECONDS)
        loads = await asyncio.wait_for(empty_store.loads(Span.DAY), SECONDS)
        stored = await asyncio.wait_for(empty_store.stored(), SECONDS)
        assert (latencies.models, latencies.steps, loads.steps, stored.kinds) == ((), (), (), ())

    async def test_a_store_that_is_gone_is_away_in_one_sentence(self, away_store: Store) -> None:
        await away(
            lambda: away_store.latencies(Span.HOUR), lambda: away_store.loads(Span.HOUR), away_store.stored
        )


class EdgeContract:
    """Needs `edge`; `asked`, the prompts that came there; `refuse` and `is_left`, of it; and `away_edge`."""

    async def test_an_answer_comes_as_events_to_its_end(
        self, edge: Edge, asked: Callable[[], list[str]]
    ) -> None:
        async with asyncio.timeout(SECONDS), edge.answer(TRIAL, GOOD_KEY) as answering:
            assert answering.status == 200
            assert answering.content_type.startswith("text/event-stream")
            answer = b"".join([part async for part in answering.parts])
        *events, end = answer.decode().strip().split("\n\n")
        assert end == "data: [DONE]"
        assert all(json.loads(event.removeprefix("data: "))["choices"] is not None for event in events)
        assert asked() == [TRIAL.prompt]

    async def test_a_refusal_is_an_answer_with_its_status(
        self, edge: Edge, refuse: Callable[[], None]
    ) -> None:
        refuse()
        async with asyncio.timeout(SECONDS), edge.answer(TRIAL, GOOD_KEY) as answering:
            assert answering.status == 401
            assert answering.content_type.startswith("application/json")
            refused = json.loads(b"".join([part async for part in answering.parts]))
        assert refused["error"]["message"]

    async def test_an_answer_that_is_left_ends_at_the_edge(
        self, edge: Edge, is_left: Callable[[], Awaitable[None]]
    ) -> None:
        async with asyncio.timeout(SECONDS):
            async with edge.answer(TRIAL, GOOD_KEY) as answering:
                async for part in answering.parts:
                    assert part
                    break
            await is_left()

    async def test_an_edge_that_is_gone_is_away_in_one_sentence(self, away_edge: Edge) -> None:
        async def ask() -> None:
            async with away_edge.answer(TRIAL, GOOD_KEY):
                raise AssertionError

        await away(ask)
