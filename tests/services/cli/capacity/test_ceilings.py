"""What breaks first is found where one more stream is one too many."""

from services.cli.capacity.assumptions import Assumptions
from services.cli.capacity.ceilings import ceilings
from services.cli.capacity.sizing import edge_cores, emitter_cores, lease_store_cores


def streams_of(part: str, assumed: Assumptions) -> Assumptions:
    found = next(one for one in ceilings(assumed) if one.part.startswith(part))
    return assumed.model_copy(update={"streams": found.streams})


def test_one_more_stream_is_too_many() -> None:
    assumed = Assumptions()
    for part, cores in (("one emitter", emitter_cores), ("one Redis", lease_store_cores)):
        full = streams_of(part, assumed)
        assert cores(full) <= full.utilization
        assert cores(full.model_copy(update={"streams": full.streams + 1})) > full.utilization


def test_they_are_told_from_what_is_full_first() -> None:
    found = [one.streams for one in ceilings(Assumptions())]
    assert found == sorted(found)


def test_an_edge_is_full_by_its_core_or_by_its_connections() -> None:
    by_core = streams_of("one edge", Assumptions())
    assert 0.95 < edge_cores(by_core, 1) / by_core.utilization <= 1
    by_connections = streams_of("one edge", Assumptions(idle_connections_per_stream=99))
    assert by_connections.streams == 4_096 // 100
