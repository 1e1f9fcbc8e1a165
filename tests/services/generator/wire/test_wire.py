from dataclasses import asdict, fields, replace

import protovalidate
import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2
from comptoir.usage.v1 import usage_pb2
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from services.contract.first_tokens import BUCKETS, FirstTokens
from services.generator.domain.generation import Finished
from services.generator.domain.load import LoadReport, LoadSample, LoadTotals
from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.prompt import Chat, Text, TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Counts, Ending, Outcome
from services.generator.domain.ticket import Replica
from services.generator.domain.timeline import Timings
from services.generator.wire import answers, events, orders, reports
from services.kernel.engine_features import EngineFeature
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.steps import finished
from tests.services.generator.domain.test_recording import EVENT

NUMERIC = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
        FieldDescriptor.CPPTYPE_BOOL,
        FieldDescriptor.CPPTYPE_ENUM,
    }
)
UINT32 = st.integers(0, 2**32 - 1)
# The most tokens that an event may claim.
TOKENS = st.integers(0, 2**24)


@given(st.binary(max_size=80))
def test_claims_of_any_bytes_are_claims_or_a_refusal(content: bytes) -> None:
    try:
        claims = orders.claims_from(content)
    except ComptoirError as error:
        assert error.reason is Reason.TICKET_INVALID  # noqa: PT017 - either way is right
        return
    assert claims.priority <= 255


def test_claims_carry_every_field() -> None:
    numbers = {
        field.name: index for index, field in enumerate(ticket_pb2.TicketClaims.DESCRIPTOR.fields, start=1)
    }
    claims = orders.claims_from(ticket_pb2.TicketClaims(**numbers).SerializeToString())
    identities = (*claims.ticket_id, *claims.request_id, *claims.lease_id)
    others = [claims.tenant, claims.key, claims.model, claims.region, claims.home_region]
    others += [claims.transfer_record, claims.replica, claims.max_input_tokens, claims.max_output_tokens]
    others += [claims.priority, claims.attempt, claims.issued_at_microseconds]
    others += [claims.expires_at_microseconds, claims.predicted_kv_blocks, claims.choices, claims.router]
    assert sorted([*identities, *others]) == sorted(numbers.values())


def test_what_the_router_is_told_of_a_ticket_carries_its_identities_and_limits() -> None:
    claims = replace(EVENT.claims, max_input_tokens=100, max_output_tokens=2**32 - 1)
    acceptance = reports.acceptance_from(claims)
    settlement = reports.settlement_from(claims, Counts(30, 10, 5), is_unserved=True)
    for message in (acceptance, settlement):
        protovalidate.validate(message)
        assert Identity(message.ticket_id_high, message.ticket_id_low) == claims.ticket_id
        assert Identity(message.lease_id_high, message.lease_id_low) == claims.lease_id
        assert (message.key, message.tenant) == (claims.key, claims.tenant)
    assert acceptance.max_tokens == 2**32 - 1
    several = reports.acceptance_from(replace(claims, max_output_tokens=50, choices=3))
    assert several.max_tokens == 100 + 3 * 50
    assert (settlement.input_tokens, settlement.output_tokens, settlement.is_unserved) == (30, 5, True)
    assert settlement.cached_input_tokens == 10


def test_a_turn_is_its_text_or_its_parts() -> None:
    messages = [
        generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="Hello world"),
        generator_pb2.ChatMessage(
            role=generator_pb2.ROLE_USER, text="Hello\nworld", parts=["Hello", "world"]
        ),
        generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, parts=["alone"]),
    ]
    prompt = finished(orders.prompt_steps(generator_pb2.GenerateRequest(messages=messages), most_ids=3))
    assert isinstance(prompt, Chat)
    assert [turn.texts for turn in prompt.turns] == [("Hello world",), ("Hello", "world"), ("alone",)]


def test_a_prompt_is_a_text_or_token_ids() -> None:
    for prompt in (Text(""), Text("Il était"), TokenIds((3, 0, 5))):
        sent = generator_pb2.Prompt()
        if isinstance(prompt, Text):
            sent.text = prompt.text
        else:
            sent.token_ids.ids.extend(prompt.ids)
        request = generator_pb2.GenerateRequest(prompt=sent)
        assert finished(orders.prompt_steps(request, most_ids=3)) == prompt


@given(ending=st.sampled_from(Outcome), reason=st.sampled_from(Reason), tokens=TOKENS, priority=UINT32)
def test_every_event_satisfies_the_schema(
    ending: Outcome, reason: Reason, tokens: int, priority: int
) -> None:
    event = replace(
        EVENT,
        ending=Ending(ending, reason),
        counts=Counts(tokens, 0, tokens),
        claims=replace(EVENT.claims, priority=min(priority, 255)),
    )
    message = events.generation_from(event, config_digest=5)
    protovalidate.validate(message)
    assert message.outcome == int(ending)
    assert message.reason == int(reason)
    assert message.tenant_low == 11
    assert message.tenant_high == 0


def test_no_field_of_an_event_can_hold_text() -> None:
    for message in (usage_pb2.Generation, usage_pb2.ReplicaLoad):
        assert {field.cpp_type for field in message.DESCRIPTOR.fields} <= NUMERIC


@given(age=st.floats(min_value=0, max_value=1e12), permille=st.integers(0, 1000))
def test_every_load_satisfies_its_schemas(age: float, permille: int) -> None:
    report = LoadReport(1, 2, 3, 4, permille, age, is_draining=True)
    sample = LoadSample(Identity(1, 2), 1_790_000_000_000_000, report, LoadTotals(5, 6))
    protovalidate.validate(events.replica_load_from(sample, Replica(1, 1, 1), config_digest=0))
    told = reports.router_load_from(report)
    protovalidate.validate(told)
    assert told.open_requests == 1
    assert told.unfinished_requests == 2
    assert not told.HasField("waiting_input_tokens")
    assert not told.HasField("kv_growth_blocks")
    assert reports.router_load_from(replace(report, kv_growth_blocks=0)).HasField("kv_growth_blocks")
    known = replace(report, kv_free_blocks=5, waiting_input_tokens=0, input_tokens_per_second=7)
    assert not told.HasField("first_tokens")
    known = replace(known, output_tokens_per_second=8, first_tokens=FirstTokens((0, 2), (), (3,) * BUCKETS))
    told = reports.router_load_from(known)
    assert told.HasField("waiting_input_tokens")
    assert (told.kv_free_blocks, told.input_tokens_per_second, told.output_tokens_per_second) == (5, 7, 8)
    protovalidate.validate(told)
    assert (list(told.first_tokens.interactive), list(told.first_tokens.default)) == ([0, 2], [])
    assert reports.router_load_from(replace(report, first_tokens=FirstTokens())).HasField("first_tokens")
    assert answers.load_response_from(report).is_draining


def test_every_sampling_parameter_of_the_schema_is_one_of_the_domain() -> None:
    schema = {field.name for field in generator_pb2.Sampling.DESCRIPTOR.fields}
    assert schema == {field.name for field in fields(Sampling)}


def _something(field: FieldDescriptor) -> object:
    if field.message_type is not None:
        return {5: 0.5}
    one: object = 0.5 if field.type == FieldDescriptor.TYPE_FLOAT else 3
    if field.type == FieldDescriptor.TYPE_STRING:
        one = "a"
    if field.type == FieldDescriptor.TYPE_BOOL:
        one = True
    return [one, one] if field.is_repeated else one


def test_every_sampling_parameter_that_is_set_comes_through() -> None:
    descriptor = generator_pb2.Sampling.DESCRIPTOR
    told = {field.name: _something(field) for field in descriptor.fields}
    sampling = asdict(orders.sampling_from(generator_pb2.GenerateRequest(sampling=told)))  # type: ignore[arg-type]
    assert {
        name: list(value) if isinstance(value, tuple) else value for name, value in sampling.items()
    } == told


def test_sampling_that_is_not_set_has_the_defaults_of_the_schema() -> None:
    sampling = orders.sampling_from(generator_pb2.GenerateRequest())
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (1.0, 1.0, None)
    greedy = generator_pb2.Sampling(temperature=0, seed=0, stop=["x"])
    asked = orders.sampling_from(generator_pb2.GenerateRequest(sampling=greedy))
    assert (asked.temperature, asked.seed, asked.stop) == (0.0, 0, ("x",))


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.STOP, generator_pb2.FINISH_REASON_STOP),
        (Outcome.LENGTH, generator_pb2.FINISH_REASON_LENGTH),
    ],
)
def test_an_answer_ends_for_its_reason(
    outcome: Outcome, reason: generator_pb2.FinishReason.ValueType
) -> None:
    response = answers.response_from(Finished((outcome,), Counts(1, 0, 2), Timings(1, 2, 3, 4, 5)))
    assert response.finished.finish_reason == reason
    assert not response.finished.finish_reasons
    assert response.finished.ttft_microseconds == 3


def test_routers_are_told_of_efforts_that_the_engine_cannot_keep_to() -> None:
    replica = Replica(1, 2, 3, bounded_efforts=frozenset({"low"}))
    lacking = Capabilities(64, 0, 0, Feature.TOKEN_IDS)
    told = reports.registration_from(replica, "a:1", lacking, 1, incarnation=1, routers=1)
    assert not told.features & EngineFeature.EFFORT_LOW
    assert told.features & EngineFeature.EFFORT_NONE
