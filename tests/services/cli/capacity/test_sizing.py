"""A plan has the cores, the memory and the connections for what it is asked to serve, and not many more."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.capacity.assumptions import SIZES, Assumptions
from services.cli.capacity.costs import EDGE_MESSAGE, EDGE_TOKEN
from services.cli.capacity.sizing import (
    edge_bytes,
    edge_cores,
    edge_token_seconds,
    edges_of_a_cell,
    emitter_cores,
    frames_per_second,
    most_replicas_of_a_router,
    plan,
    router_cores,
)

LOADS = st.builds(
    Assumptions,
    streams=st.integers(1, 2_000_000),
    tokens_per_second=st.floats(1, 500),
    output_tokens=st.floats(8, 8_000),
    streams_per_replica=st.integers(1, 1_000),
    utilization=st.floats(0.2, 1),
    core_speed=st.floats(0.3, 10),
    edge_memory_mebibytes=st.just(100_000),
)


def cell(assumed: Assumptions) -> Assumptions:
    return assumed.model_copy(update={"streams": -(-assumed.streams // plan(assumed).cells)})


@given(LOADS)
def test_the_router_of_a_cell_has_the_core_for_it_unless_one_replica_is_too_much(
    assumed: Assumptions,
) -> None:
    most = most_replicas_of_a_router(assumed)
    assert most == 1 or router_cores(assumed, most) <= assumed.utilization
    assert router_cores(assumed, most + 1) > assumed.utilization
    planned = plan(assumed)
    assert planned.replicas_of_a_cell <= most
    assert planned.cells * planned.replicas_of_a_cell >= planned.replicas


@given(LOADS)
def test_the_edges_of_a_cell_have_cores_memory_and_connections(assumed: Assumptions) -> None:
    own = cell(assumed)
    edges = edges_of_a_cell(own)
    assert edge_cores(own, edges) <= edges * own.utilization
    assert edge_bytes(own, edges) <= own.edge_memory_mebibytes * 2**20
    assert own.streams * (1 + own.idle_connections_per_stream) <= edges * own.edge_connections
    assert edges >= 2


@given(LOADS)
def test_emitters_have_the_cores_and_a_partition_each(assumed: Assumptions) -> None:
    planned = plan(assumed)
    assert emitter_cores(assumed) <= planned.emitters * assumed.utilization
    assert planned.partitions >= planned.emitters >= 2


@given(LOADS, st.integers(1, 5_000))
def test_a_token_costs_a_share_of_a_message_at_least_and_a_whole_one_at_most(
    assumed: Assumptions, edges: int
) -> None:
    cost = edge_token_seconds(assumed, edges) * assumed.core_speed
    assert EDGE_TOKEN.value < cost <= (EDGE_TOKEN.value + EDGE_MESSAGE.value) * (1 + 1e-9)
    assert edge_token_seconds(assumed, edges + 1) >= edge_token_seconds(assumed, edges) * (1 - 1e-9)


@given(LOADS)
def test_a_quicker_core_never_needs_more(assumed: Assumptions) -> None:
    quicker = assumed.model_copy(update={"core_speed": 2 * assumed.core_speed})
    assert plan(quicker).cells <= plan(assumed).cells
    assert plan(quicker).emitters <= plan(assumed).emitters
    assert plan(quicker).lease_stores <= plan(assumed).lease_stores


@given(LOADS, st.integers(2, 50))
def test_frames_hold_all_events_and_each_emitter_seals_some(assumed: Assumptions, emitters: int) -> None:
    frames = frames_per_second(assumed, emitters)
    assert frames >= 2.4 * emitters * (1 - 1e-9)
    assert frames * assumed.frame_events >= 3 * assumed.requests_per_second * (1 - 1e-9)


def test_where_no_edge_has_memory_for_its_connections_it_is_said() -> None:
    assumed = Assumptions(streams=1_000_000, edge_memory_mebibytes=1, core_speed=50)
    with pytest.raises(ValueError, match="does not hold an edge's connections"):
        plan(assumed)


@pytest.mark.parametrize(("streams", "cells"), [*zip(SIZES, (1, 23, 228), strict=True)])
def test_the_sizes_of_the_page_have_the_cells_that_its_text_speaks_of(streams: int, cells: int) -> None:
    planned = plan(Assumptions(streams=streams))
    assert planned.cells == cells
    assert planned.requests_per_second == pytest.approx(streams / 10)
    assert planned.lease_stores == math.ceil(streams / 10 * 110e-6 / 0.6)
