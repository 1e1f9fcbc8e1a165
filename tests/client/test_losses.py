"""How long a service asks for another replica, and when that is in vain: as the edge, number for number."""

from itertools import takewhile

import grpc
import pytest
from comptoir.client.errors import ComptoirError
from comptoir.client.losses import Losses
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.losses import Losses as LossesOfTheEdge
from services.kernel.errors import Reason

REASONS = st.sampled_from([Reason.UNAVAILABLE, Reason.REPLICA_DRAINING])
LOSS = st.tuples(REASONS, st.integers(0, 1), st.floats(0, 5), st.floats(0, 0.99))


def error_of(reason: Reason) -> ComptoirError:
    return ComptoirError(ErrorDetail(reason=int(reason)), grpc.StatusCode.UNAVAILABLE)  # type: ignore[arg-type]


@given(st.floats(0, 10), st.lists(LOSS, max_size=30))
def test_a_service_asks_as_long_as_the_edge_would(
    unreachable_seconds: float, losses: list[tuple[Reason, int, float, float]]
) -> None:
    ours = Losses(unreachable_seconds=unreachable_seconds)
    edges = LossesOfTheEdge(unreachable_seconds=unreachable_seconds)
    for reason, accepted, tried_seconds, jitter in losses:
        found = ours.pause_seconds(
            error_of(reason), accepted=accepted, tried_seconds=tried_seconds, jitter=jitter
        )
        wanted = edges.pause_seconds(reason, accepted=accepted, tried_seconds=tried_seconds, jitter=jitter)
        assert found == (None if wanted is None else pytest.approx(wanted))
        if found is None:
            return


@pytest.mark.parametrize("reason", list(Reason))
def test_what_is_lost_to_the_edge_is_lost_to_a_service(reason: Reason) -> None:
    ours, edges = Losses(unreachable_seconds=10), LossesOfTheEdge(unreachable_seconds=10)
    found = ours.pause_seconds(error_of(reason), accepted=0, tried_seconds=0, jitter=0)
    assert found == edges.pause_seconds(reason, accepted=0, tried_seconds=0, jitter=0)


def test_nobody_asks_for_ever() -> None:
    losses = Losses(unreachable_seconds=10)
    asked = iter(
        lambda: losses.pause_seconds(error_of(Reason.UNAVAILABLE), accepted=0, tried_seconds=0, jitter=0.5), 0
    )
    assert 10 <= sum(takewhile(bool, asked)) < 11  # type: ignore[arg-type] # up to the first None
