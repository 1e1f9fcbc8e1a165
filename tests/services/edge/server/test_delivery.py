import asyncio
import weakref

import pytest

from services.edge.domain.generation import Delta, FinishReason, GenerationRequest, Message, Role
from services.edge.domain.timeline import EdgeRequest
from services.edge.server.delivery import Deliveries, Delivery
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.edge.conftest import LIMITS
from tests.services.edge.memory import MemoryGenerators, MemoryRouter
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript, RouterScript, record_of
from tests.virtual_time import run

REQUEST = GenerationRequest("m", (Message(Role.USER, "x"),))


class Scene:
    """Deliveries between a router and replicas in memory, and the event of one request."""

    def __init__(self, *scripts: GeneratorScript, **limits: float) -> None:
        replicas = {f"replica-{number}": script for number, script in enumerate(scripts, start=1)}
        self.router = RouterScript(list(replicas))
        clock = SystemClock()
        self.event = EdgeRequest(Identity(1, 2), clock.wall_microseconds(), clock.monotonic_seconds())
        self.deliveries = Deliveries(
            MemoryRouter(self.router), MemoryGenerators(replicas), LIMITS.model_copy(update=limits), clock
        )

    async def deltas(self) -> list[Delta]:
        """Delivers all; the leases that are released then are."""
        try:
            async with self.deliveries.open(key=GOOD_KEY, request=REQUEST, event=self.event) as delivery:
                return await _all_of(delivery)
        finally:
            await self.deliveries.close(within_seconds=2)


async def _all_of(delivery: Delivery) -> list[Delta]:
    await delivery.start()
    deltas = []
    while (delta := await delivery.next_delta()) is not None:
        deltas.append(delta)
    assert delivery.counts.output_tokens == 3
    return deltas


async def test_a_delivery_ends_with_its_reason_and_its_counts_are_in_the_event() -> None:
    scene = Scene(GeneratorScript())
    assert await scene.deltas() == [*map(Delta, ("Bon", "jour", " !")), Delta(finish=FinishReason.STOP)]
    event = scene.event
    assert (event.model_number, event.tenant_number, event.key_number) == (1, 2, 3)
    assert event.home_region == 4
    assert (event.input_tokens, event.output_tokens, event.attempts) == (11, 3, 1)
    assert event.transfer_record == record_of(1)
    assert event.admitted_seconds > event.received_seconds
    assert scene.router.released == []


class Text(str):
    """A text that can be looked for."""

    __slots__ = ("__weakref__",)


async def test_the_text_of_a_request_is_not_held_while_its_answer_runs() -> None:
    script = GeneratorScript()
    scene = Scene(script)
    text = Text("x")
    request = GenerationRequest("m", (Message(Role.USER, text),))
    held = weakref.ref(text)
    async with scene.deliveries.open(key=GOOD_KEY, request=request, event=scene.event) as delivery:
        del text, request
        await delivery.start()
        script.texts.clear()
        assert held() is not None, "another replica may still be asked"
        assert await delivery.next_delta() == Delta("Bon")
        assert held() is None


async def test_the_next_replica_delivers_what_the_first_one_cannot() -> None:
    scene = Scene(GeneratorScript(steps=[ComptoirError(Reason.UNAVAILABLE)]), GeneratorScript())
    assert len(await scene.deltas()) == 4
    assert scene.event.attempts == 2
    # Of the ticket that served it: the record was renewed meanwhile.
    assert scene.event.transfer_record == record_of(2)
    assert scene.router.released == []


@pytest.mark.parametrize("place", ["before_started", "steps"])
def test_a_replica_that_says_nothing_is_left_and_counted_once(place: str) -> None:
    async def delivered() -> Scene:
        hung = GeneratorScript(**{place: [asyncio.Event()]})  # type: ignore[arg-type] # one of two lists
        scene = Scene(hung, GeneratorScript(), first_token_hedge_seconds=1.0)
        assert len(await scene.deltas()) == 4
        assert hung.cancelled.is_set()
        return scene

    scene = run(delivered())
    assert (scene.event.attempts, scene.event.output_tokens, scene.router.hedges) == (2, 3, 1)
    assert scene.event.transfer_record == record_of(2)
    assert scene.router.released == []


def test_a_request_that_leaves_a_silent_replica_for_one_that_is_full_is_admitted_anew() -> None:
    async def delivered() -> Scene:
        full = GeneratorScript(before_started=[ComptoirError(Reason.REPLICA_OVERLOADED)])
        hung = GeneratorScript(before_started=[asyncio.Event()])
        scene = Scene(hung, full, GeneratorScript(), first_token_hedge_seconds=1.0)
        scene.router.addresses_in_turn = [["replica-1", "replica-2"], ["replica-3"]]
        assert len(await scene.deltas()) == 4
        return scene

    scene = run(delivered())
    assert (scene.event.attempts, scene.router.released) == (3, [LEASE])


def test_a_router_that_cannot_tell_a_hung_replica_is_not_asked() -> None:
    async def delivered() -> Scene:
        scene = Scene(
            GeneratorScript(steps=[asyncio.Event()]), GeneratorScript(), first_token_hedge_seconds=1
        )
        scene.router.may_hedge = False
        with pytest.raises(ComptoirError) as raised:
            await scene.deltas()
        assert raised.value.reason is Reason.DEADLINE_EXCEEDED
        return scene

    assert run(delivered()).router.asked_on == []


async def test_an_admission_whose_router_is_lost_before_its_record_is_made_again_and_answered_once() -> None:
    script = GeneratorScript()
    scene = Scene(script, unreachable_seconds=5)
    scene.router.record_refusals = [ComptoirError(Reason.UNAVAILABLE)]
    assert len(await scene.deltas()) == 4
    assert (len(scene.router.request_ids), script.cancelled.is_set()) == (2, True)
    assert (scene.event.output_tokens, scene.event.attempts) == (3, 2)


async def test_an_admission_that_its_router_could_not_record_is_not_made_again() -> None:
    scene = Scene(GeneratorScript(), unreachable_seconds=5)
    scene.router.record_refusals = [ComptoirError(Reason.USAGE_NOT_RECORDED)]
    with pytest.raises(ComptoirError) as raised:
        await scene.deltas()
    assert raised.value.reason is Reason.USAGE_NOT_RECORDED
    assert len(scene.router.request_ids) == 1


async def test_what_no_replica_delivers_gives_its_lease_back() -> None:
    scene = Scene(GeneratorScript(before_started=[ComptoirError(Reason.REPLICA_OVERLOADED)]))
    with pytest.raises(ComptoirError) as raised:
        await scene.deltas()
    assert raised.value.reason is Reason.REPLICA_OVERLOADED
    assert scene.router.released == [LEASE]


@pytest.mark.parametrize("place", ["before_started", "steps"])
async def test_a_first_text_that_does_not_come_in_time_ends_the_delivery(place: str) -> None:
    script = GeneratorScript(**{place: [asyncio.Event()]})  # type: ignore[arg-type] # one of two lists
    scene = Scene(script, first_text_seconds=0.05)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(scene.deltas(), 3)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED
    assert script.cancelled.is_set()


async def test_vectors_that_take_longer_than_a_first_text_have_the_time_of_their_request() -> None:
    made = asyncio.Event()
    scene = Scene(GeneratorScript(steps=[made, "a"]), first_text_seconds=0.02)
    request = GenerationRequest("m", (), inputs=("x",))
    async with scene.deliveries.open(key=GOOD_KEY, request=request, event=scene.event) as delivery:
        asyncio.get_running_loop().call_later(0.1, made.set)
        await _all_of(delivery)


async def test_a_text_that_stops_ends_at_the_deadline_of_the_request() -> None:
    script = GeneratorScript(steps=["a", asyncio.Event()])
    scene = Scene(script, first_text_seconds=0.05, request_seconds=0.2)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(scene.deltas(), 3)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED
    assert script.cancelled.is_set()
    assert scene.router.released == []


async def test_the_router_s_refusal_is_that_of_the_delivery() -> None:
    scene = Scene()
    scene.router.refusal = ComptoirError(Reason.TOKENS_EXHAUSTED)
    with pytest.raises(ComptoirError) as raised:
        await scene.deltas()
    assert raised.value.reason is Reason.TOKENS_EXHAUSTED
    assert scene.event.admitted_seconds == 0


async def test_counts_are_asked_for_too_early() -> None:
    scene = Scene(GeneratorScript())
    async with scene.deliveries.open(key=GOOD_KEY, request=REQUEST, event=scene.event) as delivery:
        await delivery.start()
        with pytest.raises(ComptoirError) as raised:
            _ = delivery.counts
    assert raised.value.reason is Reason.INTERNAL


def lost_then(*later: GeneratorScript) -> Scene:
    """One replica at a time: the router names the next one each time it is asked."""
    scene = Scene(*later, unreachable_seconds=10)
    scene.router.addresses_in_turn = [[address] for address in scene.router.addresses]
    return scene


@pytest.mark.parametrize("place", ["before_started", "steps"])
async def test_a_replica_that_is_lost_before_any_text_costs_a_wait_and_no_error(place: str) -> None:
    lost = GeneratorScript(**{place: [ComptoirError(Reason.UNAVAILABLE)]})  # type: ignore[arg-type]
    scene = lost_then(lost, GeneratorScript())
    assert len(await scene.deltas()) == 4
    assert scene.event.attempts == 2
    assert scene.router.request_ids == [scene.event.request_id] * 2
    assert scene.router.released == [LEASE], "that of the lost replica"


async def test_a_replica_that_is_lost_after_text_is_an_error() -> None:
    scene = lost_then(GeneratorScript(steps=["Bon", ComptoirError(Reason.UNAVAILABLE)]), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await scene.deltas()
    assert raised.value.reason is Reason.UNAVAILABLE
    assert len(scene.router.request_ids) == 1


async def test_a_request_that_breaks_every_replica_breaks_three() -> None:
    scripts = [GeneratorScript(steps=[ComptoirError(Reason.UNAVAILABLE)]) for _ in range(4)]
    with pytest.raises(ComptoirError) as raised:
        await lost_then(*scripts).deltas()
    assert raised.value.reason is Reason.UNAVAILABLE
    assert [len(script.attempts) for script in scripts] == [1, 1, 1, 0]


async def test_an_engine_that_failed_is_not_asked_of_another_replica() -> None:
    scene = lost_then(GeneratorScript(steps=[ComptoirError(Reason.ENGINE_FAILED)]), GeneratorScript())
    with pytest.raises(ComptoirError) as raised:
        await scene.deltas()
    assert raised.value.reason is Reason.ENGINE_FAILED


async def test_the_router_has_the_time_of_the_request_to_admit_it() -> None:
    scene = Scene(GeneratorScript(), request_seconds=7.0)
    await scene.deltas()
    assert 6.0 < scene.router.within_seconds[0] <= 7.0
