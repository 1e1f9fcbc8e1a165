import asyncio
from dataclasses import replace

from services.contract.first_tokens import WINDOW_SECONDS, FirstTokens
from services.generator.domain.generation import Message
from services.generator.domain.generations import Generations
from services.generator.domain.load import LoadReport
from services.generator.domain.terminal_event import Outcome
from services.generator.domain.ticket import MAX_LIFETIME_MICROSECONDS, Replica, TicketGate
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.contracts.engine_requests import until
from tests.services.generator.domain.scripted_engine import ScriptedEngine, World
from tests.services.generator.domain.test_ticket import CLAIMS, NOW, START


def generations(world: World, *, max_requests: int = 1) -> Generations:
    gate = TicketGate(Replica(number=7, region=1, model=3), started_at_microseconds=START)
    world.clock.advance((NOW - world.clock.wall_microseconds()) / 1e6)
    return Generations(world.parts, gate, max_requests=max_requests)


def refusal(replica: Generations) -> Reason | None:
    try:
        replica.admit(CLAIMS)
    except ComptoirError as error:
        return error.reason
    return None


def test_a_ticket_is_used_up_by_being_admitted_and_the_router_is_told() -> None:
    world = World(ScriptedEngine())
    replica = generations(world)
    assert refusal(replica) is None
    assert refusal(replica) is Reason.TICKET_ALREADY_USED
    assert world.link.accepted_tickets == [CLAIMS.ticket_id]


def test_a_ticket_that_a_draining_process_refuses_is_dead_and_the_router_is_told() -> None:
    world = World(ScriptedEngine())
    replica = generations(world)
    replica.close_gate()
    assert refusal(replica) is Reason.REPLICA_DRAINING
    assert refusal(replica) is Reason.TICKET_ALREADY_USED
    assert world.link.accepted_tickets == []
    assert world.link.unserved_leases == [CLAIMS.lease_id]


def test_a_lease_that_is_called_back_before_it_is_used_is_never_served() -> None:
    world = World(ScriptedEngine())
    replica = generations(world)
    assert replica.call_back(CLAIMS.lease_id)
    assert replica.call_back(CLAIMS.lease_id)
    assert refusal(replica) is Reason.TICKET_ALREADY_USED
    assert world.link.accepted_tickets == []


async def test_a_lease_that_runs_is_not_called_back_however_long_ago_its_ticket_was_used() -> None:
    world = World(ScriptedEngine(stands_at=3))
    replica = generations(world)
    assert refusal(replica) is None
    assert not replica.call_back(CLAIMS.lease_id)
    serving = asyncio.ensure_future(replica.deliver(world.order, world.send))
    await until(lambda: replica.load().open_streams == 1, 5)
    world.clock.advance(MAX_LIFETIME_MICROSECONDS / 1e6 * 10)
    # What comes later has the gate forget what is older than any ticket.
    assert replica.call_back(Identity(8, 8))
    assert not replica.call_back(CLAIMS.lease_id)
    serving.cancel()
    await asyncio.wait([serving])


def test_a_replica_that_an_operator_drains_says_so_and_takes_the_tickets_that_come() -> None:
    world = World(ScriptedEngine())
    replica = generations(world)
    replica.hold_back(is_wanted=True)
    assert replica.load().is_draining
    assert refusal(replica) is None
    replica.hold_back(is_wanted=False)
    assert not replica.load().is_draining
    replica.close_gate()
    replica.hold_back(is_wanted=False)
    assert replica.load().is_draining


async def test_a_process_that_lost_its_engine_takes_nothing() -> None:
    replica = generations(World(ScriptedEngine()))
    await replica.lose_engine()
    assert refusal(replica) is Reason.ENGINE_FAILED


async def test_a_process_whose_events_pile_up_takes_nothing() -> None:
    world = World(ScriptedEngine())
    world.sink.gate.clear()
    replica = generations(world)
    while not world.recorder.is_full:
        world.recorder.record(None)  # type: ignore[arg-type]
    assert refusal(replica) is Reason.USAGE_NOT_RECORDED
    world.recorder.give_up()
    await world.recorder.settled(1.0)


async def test_a_full_process_refuses_and_has_room_again_afterwards() -> None:
    world = World(ScriptedEngine())
    replica = generations(world, max_requests=0)
    assert refusal(replica) is Reason.REPLICA_OVERLOADED
    assert world.link.unserved_leases == [CLAIMS.lease_id]
    world.link.unserved_leases.clear()
    await replica.deliver(world.order, world.send)
    assert await world.check_ended() is Outcome.STOP


async def test_a_drain_of_nothing_ends_at_once() -> None:
    sleeps: list[float] = []

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    await generations(World(ScriptedEngine())).drain(60.0, sleep=sleep)
    assert sleeps == []


async def test_load_changes_are_told() -> None:
    world = World(ScriptedEngine())
    told: list[int] = []
    gate = TicketGate(Replica(number=7, region=1, model=3), started_at_microseconds=START)
    replica = Generations(
        world.parts, gate, max_requests=1, load_changed=lambda: told.append(len(replica._open))
    )
    await replica.deliver(world.order, world.send)
    await replica.drain(1.0)
    assert told == [1, 0, 0]


def test_an_idle_engine_has_no_age_however_long_ago_it_made_a_step() -> None:
    replica = generations(World(ScriptedEngine(age_seconds=60.0)))
    assert replica.load().age_seconds == 0


async def test_after_an_idle_spell_an_engine_is_silent_only_since_its_first_request() -> None:
    loads = await loads_while_serving(ScriptedEngine(age_seconds=60.0))
    assert 0 < max(load.age_seconds for load in loads) < 1


async def test_a_request_that_the_engine_has_not_spoken_of_yet_waits() -> None:
    loads = await loads_while_serving(ScriptedEngine(running_requests=0))
    assert {(load.running_requests, load.waiting_requests) for load in loads} == {(0, 1)}


async def test_a_prompt_waits_until_its_first_token_and_its_pace_is_known_then() -> None:
    world = World(ScriptedEngine())
    replica = generations(world)
    waiting: list[int | None] = []

    async def send(message: Message) -> None:
        world.clock.advance(0.5)
        waiting.append(replica.load().waiting_input_tokens)
        await world.send(message)

    assert replica.load().waiting_input_tokens == 0
    await replica.deliver(world.order, send)
    assert waiting[-1] == replica.load().waiting_input_tokens == 0


async def test_what_requests_will_still_grow_is_told_from_acceptance_to_the_end() -> None:
    world = World(ScriptedEngine())
    world.order = replace(world.order, claims=replace(CLAIMS, predicted_kv_blocks=40))
    replica = generations(world)
    told: list[int] = []

    async def send(message: Message) -> None:
        told.append(replica.load().kv_growth_blocks or 0)
        await world.send(message)

    assert replica.load().kv_growth_blocks == 0
    await replica.deliver(world.order, send)
    assert told[0] == 39, "its prompt of three tokens is in a block"
    assert told == sorted(told, reverse=True)
    assert replica.load().kv_growth_blocks == 0


async def test_a_first_token_is_counted_in_the_class_of_its_ticket_by_how_long_it_took() -> None:
    world = World(ScriptedEngine())
    replica = generations(world)
    assert replica.load().first_tokens == FirstTokens()
    await replica.deliver(world.order, world.send)
    counted = replica.load().first_tokens
    assert counted is not None
    assert (sum(counted.interactive), sum(counted.default), sum(counted.batch)) == (0, 1, 0)
    world.clock.advance(WINDOW_SECONDS + 5)
    assert replica.load().first_tokens == FirstTokens()


async def loads_while_serving(engine: ScriptedEngine) -> list[LoadReport]:
    world = World(engine)
    replica = generations(world)
    loads: list[LoadReport] = []

    async def send(message: Message) -> None:
        await world.send(message)
        if engine.open_requests:
            loads.append(replica.load())

    await replica.deliver(world.order, send)
    assert loads
    return loads
