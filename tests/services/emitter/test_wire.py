from collections.abc import Sequence

import pytest
from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1.usage_pb2 import DECISION_ADMITTED, DECISION_REFUSED, Generation
from hypothesis import given
from hypothesis import strategies as st

from services.contract.events import EVENT_MAX_SKEW_MICROSECONDS, Kind
from services.contract.pseudonym import Pseudonyms
from services.emitter import wire
from services.emitter.domain.event_rules import PAST_MICROSECONDS, EventRules, ModelLimits
from services.kernel.errors import ComptoirError, Reason
from tests.services.emitter.requests import STARTED, admission, generation, one_of_each, replica_load

PSEUDONYMS = Pseudonyms(bytes(32), 7)


def events_from(request: RecordRequest) -> Sequence[wire.WireEvent]:
    return wire.events_from(request, PSEUDONYMS, EventRules(region=1), now_microseconds=STARTED)


def refused_field(request: RecordRequest, reason: Reason = Reason.REQUEST_INVALID) -> str:
    with pytest.raises(ComptoirError) as refusal:
        events_from(request)
    assert refusal.value.reason is reason
    return refusal.value.field


def kept_field(request: RecordRequest) -> str:
    """The field for which producers keep the request and try again."""
    return refused_field(request, Reason.USAGE_NOT_RECORDED)


def with_unknown_field(message: bytes, text: bytes) -> bytes:
    """`message` with field 999 of type string behind it."""
    return message + b"\xba\x3e" + bytes([len(text)]) + text


def test_each_event_becomes_one_of_its_kind() -> None:
    events = events_from(one_of_each())
    assert [event.kind for event in events] == list(Kind)
    assert len({event.event_id for event in events}) == len(Kind)
    assert {len(event.event_id) for event in events} == {16}


def test_the_event_id_is_both_halves() -> None:
    request = RecordRequest(admissions=[admission(event_id_high=1, event_id_low=2)])
    (event,) = events_from(request)
    assert event.event_id == (1).to_bytes(8, "big") + (2).to_bytes(8, "big")


def test_an_answer_waits_for_its_admission_and_its_end_and_for_nothing_else() -> None:
    refusal, load = admission(decision=DECISION_REFUSED), replica_load()
    request = RecordRequest(
        admissions=[admission(decision=DECISION_ADMITTED), refusal],
        generations=[generation()],
        replica_loads=[load],
    )
    assert [event.is_awaited for event in events_from(request)] == [True, False, True, False]


def test_an_event_gets_its_producer_and_sequence_and_keeps_its_counts() -> None:
    sent = generation()
    (event,) = events_from(RecordRequest(generations=[sent]))
    stored = Generation.FromString(event.numbered(2**64 - 1, 2**63))
    assert (stored.producer_id, stored.producer_sequence) == (2**64 - 1, 2**63)
    assert (stored.input_tokens, stored.output_tokens) == (300, 200)
    assert (stored.request_id_high, stored.request_id_low) == (sent.request_id_high, sent.request_id_low)


def test_an_event_can_be_numbered_again() -> None:
    (event,) = events_from(RecordRequest(generations=[generation()]))
    event.numbered(1, 1)
    assert Generation.FromString(event.numbered(1, 2)).producer_sequence == 2


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_its_size_is_an_upper_bound(producer_id: int, sequence: int) -> None:
    (event,) = events_from(RecordRequest(generations=[generation()]))
    assert len(event.numbered(producer_id, sequence)) + 3 <= event.size_bytes


def test_numbers_of_tenant_and_key_are_replaced_by_pseudonyms() -> None:
    (event,) = events_from(RecordRequest(generations=[generation(tenant_low=5, key_low=9)]))
    stored = Generation.FromString(event.numbered(1, 1))
    assert (stored.tenant_high, stored.tenant_low) == PSEUDONYMS.tenant(5)
    assert (stored.key_high, stored.key_low) == PSEUDONYMS.key(9)
    assert stored.key_epoch == 7


def test_nobody_stays_nobody() -> None:
    (event,) = events_from(RecordRequest(generations=[generation(tenant_low=0, key_low=0)]))
    stored = Generation.FromString(event.numbered(1, 1))
    assert (stored.tenant_high, stored.tenant_low, stored.key_high, stored.key_low) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", ["producer_id", "producer_sequence", "tenant_high", "key_high", "key_epoch"])
def test_what_the_emitter_sets_a_producer_may_not(name: str) -> None:
    assert refused_field(RecordRequest(generations=[generation(**{name: 1})])) == f"generations.{name}"
    assert refused_field(RecordRequest(replica_loads=[replica_load(**{name: 1})])) == f"replica_loads.{name}"


def test_an_event_without_an_id_is_refused() -> None:
    request = RecordRequest(admissions=[admission(event_id_high=0, event_id_low=0)])
    assert refused_field(request) == "admissions.event_id_low"


@pytest.mark.parametrize(("name", "value"), [("outcome", 0), ("priority", 256), ("attempt", 4)])
def test_what_the_store_would_never_take_is_refused_for_good(name: str, value: int) -> None:
    assert refused_field(RecordRequest(generations=[generation(**{name: value})])) == f"generations.{name}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema_version", 2),
        ("region", 2),
        ("started_at_microseconds", STARTED + EVENT_MAX_SKEW_MICROSECONDS + 1),
        ("started_at_microseconds", STARTED - PAST_MICROSECONDS - 1),
        ("started_at_microseconds", 5_000_000),
        ("reason", 10_000),
    ],
)
def test_what_another_clock_program_or_region_would_take_is_refused_for_now_by_name(
    name: str, value: int
) -> None:
    assert kept_field(RecordRequest(generations=[generation(**{name: value})])) == f"generations.{name}"
    assert kept_field(RecordRequest(admissions=[admission(**{name: value})])) == f"admissions.{name}"


def test_text_in_an_unknown_field_of_an_event_is_refused() -> None:
    event = with_unknown_field(generation().SerializeToString(), b"Dear diary")
    request = RecordRequest.FromString(
        b"\x12" + len(event).to_bytes(2, "little").replace(b"\x00", b"") + event
    )
    assert len(request.generations) == 1
    assert kept_field(request) == "schema_version"


def test_text_in_an_unknown_field_of_the_request_is_refused() -> None:
    request = RecordRequest.FromString(with_unknown_field(one_of_each().SerializeToString(), b"Dear diary"))
    assert kept_field(request) == "schema_version"


def test_an_empty_unknown_field_is_refused_too() -> None:
    request = RecordRequest.FromString(with_unknown_field(b"", b""))
    assert kept_field(request) == "schema_version"


@pytest.mark.parametrize(
    ("kind", "name", "most"),
    [
        ("generations", "output_tokens", 2**24),
        ("generations", "input_tokens", 2**24),
        ("generations", "actual_kv_blocks", 2**24),
        ("generations", "duration_microseconds", 86_400_000_000),
        ("admissions", "reserved_tokens", 2**24),
        ("replica_loads", "output_tokens", 10**9),
        ("replica_loads", "open_streams", 10**6),
    ],
)
def test_a_count_that_nothing_can_reach_is_forged_and_refused_for_good(
    kind: str, name: str, most: int
) -> None:
    request = one_of_each()
    (event,) = getattr(request, kind)
    setattr(event, name, most)
    assert len(events_from(request)) == len(Kind)
    request = one_of_each()
    setattr(getattr(request, kind)[0], name, most + 1)
    assert refused_field(request) == f"{kind}.{name}"


@pytest.mark.parametrize(
    ("counts", "field"),
    [
        ({"output_tokens": 257}, "output_tokens"),
        ({"input_tokens": 1_025}, "input_tokens"),
        ({"actual_kv_blocks": 1_281}, "actual_kv_blocks"),
        ({"model": 9}, "model"),
    ],
)
def test_a_generation_above_its_models_limits_is_not_stored(counts: dict[str, int], field: str) -> None:
    rules = EventRules(region=1, models={1: ModelLimits(input_tokens=1_024, output_tokens=256)})

    def taken(**fields: int) -> Sequence[wire.WireEvent]:
        request = RecordRequest(generations=[generation(**fields)])
        return wire.events_from(request, PSEUDONYMS, rules, now_microseconds=STARTED)

    assert len(taken(output_tokens=256, input_tokens=1_024)) == 1
    with pytest.raises(ComptoirError) as refusal:
        taken(**counts)
    assert (refusal.value.reason, refusal.value.field) == (
        Reason.USAGE_NOT_RECORDED,
        f"generations.{field}",
    )
    # A refused one counts the prompt that did not fit.
    assert len(taken(outcome=9, output_tokens=0, input_tokens=5_000)) == 1
