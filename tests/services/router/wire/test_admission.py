"""Requests for tickets are read field by field."""

import dataclasses

from comptoir.router.v1 import router_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.catalog import Task
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.tenancy import Endpoint, Priority
from services.router.wire import admission as wire


def test_a_request_is_read_whole() -> None:
    request = wire.admit_request(
        router_pb2.AdmitRequest(
            api_key="k",
            model="m",
            prompt_tokens_upper_bound=1,
            max_output_tokens=2,
            priority=router_pb2.PRIORITY_BATCH,
            request_id_high=3,
            request_id_low=4,
            part=5,
            source=6,
            endpoint=router_pb2.ENDPOINT_RESPONSES,
            prefix_digests=[7, 2**64 - 1],
            needs=1 << 31,
        )
    )
    assert dataclasses.astuple(request) == (
        "k",
        "m",
        1,
        2,
        1,
        Priority.BATCH,
        Identity(3, 4),
        Task.GENERATE,
        1,
        5,
        6,
        Endpoint.RESPONSES,
        (7, 2**64 - 1),
        1 << 31,
    )


def test_a_request_that_says_no_endpoint_is_of_an_internal_service() -> None:
    assert wire.admit_request(router_pb2.AdmitRequest()).endpoint is Endpoint.DIRECT


def test_each_endpoint_has_one_number_everywhere() -> None:
    sent = {name.removeprefix("ENDPOINT_"): number for name, number in router_pb2.Endpoint.items() if number}
    assert sent == {endpoint.name: int(endpoint) for endpoint in Endpoint}


def test_a_request_for_vectors_says_its_task_and_how_many_inputs() -> None:
    request = wire.admit_request(
        router_pb2.AdmitRequest(prompt_tokens_upper_bound=9, task=router_pb2.TASK_EMBED, inputs=3)
    )
    assert (request.task, request.inputs) == (Task.EMBED, 3)


def test_a_request_says_how_many_choices_it_asks_for() -> None:
    assert wire.admit_request(router_pb2.AdmitRequest(choices=3)).choices == 3


def test_every_priority_of_the_schema_is_known() -> None:
    for priority in router_pb2.Priority.values():
        assert wire.admit_request(router_pb2.AdmitRequest(priority=priority)).priority in Priority


@given(st.integers(0, 2**32 - 1), st.floats(0, 60))
def test_a_quota_is_told_to_the_millisecond_and_never_too_early(whole: int, seconds: float) -> None:
    told = wire._quota_state(QuotaState(reset_requests_seconds=whole / 1000, reset_tokens_seconds=seconds))
    assert told.reset_requests_milliseconds == whole
    assert -1e-5 <= told.reset_tokens_milliseconds - seconds * 1000 < 1
