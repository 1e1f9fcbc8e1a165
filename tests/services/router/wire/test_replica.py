"""What replicas say is read field by field, and confirmed."""

from decimal import Decimal

import pytest
from comptoir.router.v1 import replica_pb2

from services.contract.first_tokens import FirstTokens
from services.kernel.catalog import Model, Price
from services.kernel.identity import Identity
from services.router.domain.amount import Amount
from services.router.domain.lease import Process, Settlement
from services.router.domain.placement.replica import Load, Registration
from services.router.domain.quota import Payer
from services.router.wire import replica as wire


def test_a_registration_and_a_load_are_read_whole() -> None:
    registration = replica_pb2.Registration(
        replica=1,
        region=2,
        model=3,
        address="127.0.0.1:4",
        context_tokens=5,
        kv_block_tokens=6,
        kv_blocks=7,
        max_requests=8,
        incarnation=9,
        engine=replica_pb2.ENGINE_VLLM,
        gpu_class=10,
        accelerator_memory_bytes=11,
        routers=12,
        tenant=13,
    )
    assert wire.registration(registration) == Registration(
        1, 2, 3, "127.0.0.1:4", 5, 6, 7, 8, 9, replica_pb2.ENGINE_VLLM, 10, 11, 12, tenant=13
    )
    load = replica_pb2.Load(
        running_requests=1, waiting_requests=2, kv_usage_permille=3, age_milliseconds=1_500, is_draining=True
    )
    assert wire.load(load) == Load(1, 2, 3, 1.5, is_draining=True)
    load.open_requests = 0
    assert wire.load(load).open_requests == 0


@pytest.mark.parametrize(
    "field",
    [
        "open_requests",
        "unfinished_requests",
        "kv_free_blocks",
        "waiting_input_tokens",
        "input_tokens_per_second",
        "output_tokens_per_second",
        "kv_growth_blocks",
    ],
)
def test_what_a_replica_does_not_say_is_unknown_and_not_zero(field: str) -> None:
    assert getattr(wire.load(replica_pb2.Load()), field) is None
    for said in (0, 5):
        load = replica_pb2.Load()
        setattr(load, field, said)
        assert getattr(wire.load(load), field) == said


def test_first_tokens_are_read_by_class_and_are_unknown_of_an_older_replica() -> None:
    assert wire.load(replica_pb2.Load()).first_tokens is None
    message = replica_pb2.Load(first_tokens=replica_pb2.FirstTokens(interactive=[0, 1], batch=[2]))
    assert wire.load(message).first_tokens == FirstTokens((0, 1), (), (2,))
    assert wire.load(replica_pb2.Load(first_tokens=replica_pb2.FirstTokens())).first_tokens == FirstTokens()


DEAR = Model(
    number=1,
    name="dear",
    context_tokens=64,
    max_output_tokens=64,
    price=Price(
        input_per_million_tokens=Decimal("0.1"),
        cached_input_per_million_tokens=Decimal("0.01"),
        output_per_million_tokens=Decimal("0.3"),
    ),
)


def test_what_a_ticket_permits_costs_no_less_than_what_is_used_of_it() -> None:
    assert wire.permitted(replica_pb2.Acceptance(max_tokens=10), DEAR) == Amount(10, 10 * 300)


def test_a_replica_of_an_older_version_says_neither_tenant_nor_cached_tokens() -> None:
    message = replica_pb2.Settlement(input_tokens=3, output_tokens=4, key=7)
    settlement = wire.settlement(message, Process(8, 9), DEAR)
    assert (settlement.payer, settlement.used) == (Payer(0, 7), Amount(7, 3 * 100 + 4 * 300))


def test_a_settlement_is_read_whole_and_a_report_is_confirmed_whole() -> None:
    message = replica_pb2.Settlement(
        lease_id_high=1,
        lease_id_low=2,
        input_tokens=3,
        output_tokens=4,
        ticket_id_high=5,
        ticket_id_low=6,
        key=7,
        is_unserved=True,
        tenant=12,
        cached_input_tokens=1,
    )
    assert wire.settlement(message, Process(8, 9), DEAR) == Settlement(
        Identity(1, 2),
        Identity(5, 6),
        Payer(12, 7),
        Amount(7, 2 * 100 + 1 * 10 + 4 * 300),
        Process(8, 9),
        is_unserved=True,
        has_output=True,
        input_tokens=3,
        output_tokens=4,
    )
    acceptance = replica_pb2.Acceptance(lease_id_high=10, lease_id_low=11)
    response = replica_pb2.ReportResponse()
    wire.confirm(response, replica_pb2.ReportRequest(settlements=[message], acceptances=[acceptance]))
    assert [(lease.high, lease.low) for lease in response.closed] == [(1, 2)]
    assert [(lease.high, lease.low) for lease in response.accepted] == [(10, 11)]


def test_a_replica_that_does_not_say_what_its_engine_has_has_all_and_unknown_bits_stay() -> None:
    older = wire.registration(replica_pb2.Registration(replica=1))
    assert older.features == 2**32 - 1
    assert wire.registration(replica_pb2.Registration(replica=1, features=0)).features == 0
    assert wire.registration(replica_pb2.Registration(replica=1, features=1 << 31)).features == 1 << 31
