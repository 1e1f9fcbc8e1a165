from dataclasses import dataclass, replace

from buf.validate import validate_pb2
from comptoir.generator.v1.generator_pb2 import Sampling
from comptoir.router.v1.router_pb2 import AdmitRequest
from comptoir.ticket.v1.ticket_pb2 import TicketClaims
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.retention import DAY_MICROSECONDS as DAY
from pipelines.usage.domain.retention import expires_at_microseconds
from services.contract.events import EVENT_MAX_SKEW_MICROSECONDS, RETENTION_MIN_DAYS
from services.emitter.domain.event_rules import (
    PAST_MICROSECONDS,
    EventRules,
    limits_of,
    past_microseconds_for,
)
from services.kernel.catalog import MAX_CHOICES_PER_PROMPT, MAX_INPUTS, Catalog, Model, Region, Task

NOW = 1_790_000_000_000_000


@dataclass
class Event:
    schema_version: int = 1
    region: int = 3
    started_at_microseconds: int = NOW


def broken(event: Event) -> str:
    return EventRules(region=3).broken_by(event, NOW)


@given(st.integers(-EVENT_MAX_SKEW_MICROSECONDS, PAST_MICROSECONDS))
def test_an_event_of_the_region_and_the_schema_that_began_lately_breaks_nothing(age: int) -> None:
    assert broken(Event(started_at_microseconds=NOW - age)) == ""


@given(
    st.one_of(
        st.integers(0, NOW - PAST_MICROSECONDS - 1),
        st.integers(NOW + EVENT_MAX_SKEW_MICROSECONDS + 1, 2**64 - 1),
    )
)
def test_an_event_of_another_time_is_refused(started_at: int) -> None:
    assert broken(Event(started_at_microseconds=started_at)) == "started_at_microseconds"


@given(st.integers(0, 2**32 - 1).filter(lambda number: number != 3))
def test_an_event_of_another_region_is_refused(region: int) -> None:
    assert broken(Event(region=region)) == "region"


@given(st.integers(0, 2**32 - 1).filter(lambda number: number != 1))
def test_an_event_of_another_schema_is_refused(schema_version: int) -> None:
    assert broken(Event(schema_version=schema_version)) == "schema_version"


@given(st.floats(0, 6), st.integers(0, 86_399_999_999))
def test_an_event_that_was_taken_late_and_waited_long_has_not_expired_in_the_store(
    spool_days: float, time_of_day: int
) -> None:
    started = NOW // DAY * DAY + time_of_day
    latest = started + past_microseconds_for(spool_days * 86_400) + round(spool_days * DAY)
    if spool_days <= 4:
        assert latest + DAY <= expires_at_microseconds(started, RETENTION_MIN_DAYS)
    assert past_microseconds_for(spool_days * 86_400) >= PAST_MICROSECONDS


def test_what_producers_kept_over_a_weekend_without_an_emitter_is_taken_on_monday() -> None:
    rules = EventRules(region=3, past_microseconds=past_microseconds_for(2 * 86_400.0))
    assert rules.broken_by(Event(started_at_microseconds=NOW - 3 * DAY), NOW) == ""
    assert rules.broken_by(Event(started_at_microseconds=NOW - 3 * DAY - 1), NOW) != ""


@dataclass
class Counts:
    input_tokens: int
    output_tokens: int
    actual_kv_blocks: int
    model: int = 1
    longest_choice_tokens: int = 0


def counts(input_tokens: int, output_tokens: int = 0, kv_block_tokens: int = 1) -> Counts:
    blocks = -(-(input_tokens + output_tokens) // kv_block_tokens)
    return Counts(input_tokens, output_tokens, blocks)


def exceeded(found: Counts, *, task: Task = Task.GENERATE, max_output_tokens: int = 1_024) -> str:
    model = Model(
        number=1, name="tiny-eu", context_tokens=2_048, max_output_tokens=max_output_tokens, task=task
    )
    catalog = Catalog(regions=(Region(number=3, name="eu-fr"),), models=(model,))
    return EventRules(region=3, models=limits_of(catalog)).exceeded_by(found)


@given(st.integers(1, MAX_CHOICES_PER_PROMPT), st.integers(0, 1_024), st.sampled_from((1, 16)))
def test_the_outputs_of_all_choices_together_may_be_as_many_as_each_may_have(
    choices: int, output_tokens: int, kv_block_tokens: int
) -> None:
    assert exceeded(counts(2_048 - output_tokens, choices * output_tokens, kv_block_tokens)) == ""


def test_more_output_than_the_most_choices_can_have_is_of_no_request() -> None:
    assert exceeded(counts(1, MAX_CHOICES_PER_PROMPT * 1_024 + 1)) == "output_tokens"


def test_no_choice_has_more_tokens_than_all_of_them() -> None:
    assert exceeded(replace(counts(1, 8), longest_choice_tokens=8)) == ""
    assert exceeded(replace(counts(1, 8), longest_choice_tokens=9)) == "longest_choice_tokens"


@given(st.integers(1, MAX_INPUTS), st.integers(1, 2_048), st.sampled_from((1, 16)))
def test_all_inputs_of_a_request_for_vectors_may_fill_the_context(
    inputs: int, tokens: int, kv_block_tokens: int
) -> None:
    found = counts(inputs * tokens, kv_block_tokens=kv_block_tokens)
    assert exceeded(found, task=Task.EMBED, max_output_tokens=0) == ""


def test_as_many_choices_are_counted_as_the_schemas_let_one_ask_for() -> None:
    asked, claimed = (kind.DESCRIPTOR.fields_by_name["choices"] for kind in (AdmitRequest, TicketClaims))
    for field in (asked, claimed, Sampling.DESCRIPTOR.fields_by_name["n"]):
        assert field.GetOptions().Extensions[validate_pb2.field].uint32.lte == MAX_CHOICES_PER_PROMPT
