"""Requests for tickets are read field by field."""

import dataclasses

from comptoir.router.v1 import router_pb2

from services.kernel.identity import Identity
from services.router.domain.tenancy import Priority
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
        )
    )
    assert dataclasses.astuple(request) == ("k", "m", 1, 2, 1, Priority.BATCH, Identity(3, 4))


def test_a_request_says_how_many_choices_it_asks_for() -> None:
    assert wire.admit_request(router_pb2.AdmitRequest(choices=3)).choices == 3


def test_every_priority_of_the_schema_is_known() -> None:
    for priority in router_pb2.Priority.values():
        assert wire.admit_request(router_pb2.AdmitRequest(priority=priority)).priority in Priority
