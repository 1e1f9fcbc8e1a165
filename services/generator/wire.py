"""Between messages and the domain: pure functions, both ways."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from comptoir.error.v1 import error_reason_pb2
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import replica_pb2
from comptoir.ticket.v1 import ticket_pb2
from comptoir.usage.v1 import usage_pb2
from google.protobuf.message import DecodeError

from services.contract.events import EVENT_SCHEMA_VERSION
from services.generator.domain.delta import Delta, TokenLogprob
from services.generator.domain.generation import Finished, Message, Started
from services.generator.domain.load import LoadReport, LoadSample
from services.generator.domain.ports import Capabilities
from services.generator.domain.prompt import Chat, ChatTurn, Prompt, Role, Text, TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.generator.domain.terminal_event import Counts, Outcome, TerminalEvent
from services.generator.domain.ticket import Claims, Replica
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity, digest64

_MAX_PRIORITY: Final = 255
# OpenAI's number for a probability of 0, whose logarithm JSON cannot say.
_NO_CHANCE: Final = -9999.0
_MAX_UINT32: Final = 2**32 - 1

_ROLES: Final = {
    generator_pb2.ROLE_SYSTEM: Role.SYSTEM,
    generator_pb2.ROLE_USER: Role.USER,
    generator_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
}
_OUTCOMES: Final = {outcome: usage_pb2.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in Outcome}
_REASONS: Final = {
    reason: error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{reason.name}") for reason in Reason
}
_FINISH_REASONS: Final = {
    Outcome.STOP: generator_pb2.FINISH_REASON_STOP,
    Outcome.LENGTH: generator_pb2.FINISH_REASON_LENGTH,
}


def claims_from(signed: bytes) -> Claims:
    """Returns the claims that a ticket's signed bytes hold; raises TICKET_INVALID if they hold none."""
    try:
        claims = ticket_pb2.TicketClaims.FromString(signed)
    except DecodeError:
        raise ComptoirError(Reason.TICKET_INVALID) from None
    return Claims(
        ticket_id=Identity(claims.ticket_id_high, claims.ticket_id_low),
        request_id=Identity(claims.request_id_high, claims.request_id_low),
        lease_id=Identity(claims.lease_id_high, claims.lease_id_low),
        tenant=claims.tenant,
        key=claims.key,
        model=claims.model,
        region=claims.region,
        home_region=claims.home_region,
        transfer_record=claims.transfer_record,
        replica=claims.replica,
        max_input_tokens=claims.max_input_tokens,
        max_output_tokens=claims.max_output_tokens,
        choices=max(1, claims.choices),
        priority=min(claims.priority, _MAX_PRIORITY),
        attempt=claims.attempt,
        issued_at_microseconds=claims.issued_at_microseconds,
        expires_at_microseconds=claims.expires_at_microseconds,
        predicted_kv_blocks=claims.predicted_kv_blocks,
        digest=digest64(signed),
    )


def prompt_from(request: generator_pb2.GenerateRequest) -> Prompt:
    """Returns what a validated request is to continue."""
    form = request.prompt.WhichOneof("form")
    if form is None:
        return Chat(tuple(_turn_from(message) for message in request.messages))
    return Text(request.prompt.text) if form == "text" else TokenIds(tuple(request.prompt.token_ids.ids))


def countable_from(request: generator_pb2.CountTokensRequest) -> Chat | Text:
    """Returns what a validated request wants counted."""
    if request.HasField("text"):
        return Text(request.text)
    return Chat(tuple(_turn_from(message) for message in request.messages))


def _turn_from(message: generator_pb2.ChatMessage) -> ChatTurn:
    # Beside parts the text is for replicas that know no parts.
    text = "" if message.parts else message.text
    return ChatTurn(_ROLES[message.role], text, tuple(message.parts))


def sampling_from(request: generator_pb2.GenerateRequest) -> Sampling:
    """Returns the sampling parameters of a validated request: each by its name, if it is set."""
    told = {field.name: _plain(value) for field, value in request.sampling.ListFields()}
    return Sampling(**told)


def _plain(value: Any) -> Any:
    # Of any field: a scalar, a list or a map.
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def structure_from(request: generator_pb2.GenerateRequest) -> Structure | None:
    """Returns what the answer of a validated request must be; None leaves it to the model."""
    if not request.HasField("structure"):
        return None
    return Structure(request.structure.json_schema)


def response_from(message: Message) -> generator_pb2.GenerateResponse:
    """Returns one message of the stream."""
    if isinstance(message, Delta):
        return generator_pb2.GenerateResponse(delta=delta_from(message))
    if isinstance(message, Started):
        return generator_pb2.GenerateResponse(started=started_from(message))
    return generator_pb2.GenerateResponse(finished=finished_from(message))


def delta_from(delta: Delta) -> generator_pb2.Delta:
    """Returns what is new of a choice."""
    return generator_pb2.Delta(
        text=delta.text,
        output_tokens=delta.output_tokens,
        index=delta.index,
        tokens=[
            generator_pb2.TokenChoice(
                chosen=_logprob_from(token.chosen), likeliest=map(_logprob_from, token.likeliest)
            )
            for token in delta.tokens
        ],
    )


def _logprob_from(token: TokenLogprob) -> generator_pb2.TokenLogprob:
    logprob = max(_NO_CHANCE, token.logprob)
    return generator_pb2.TokenLogprob(token=token.token, token_id=token.token_id, logprob=logprob)


def started_from(message: Started) -> generator_pb2.Started:
    """Returns what is said when a ticket was accepted."""
    return generator_pb2.Started(
        request_id_high=message.request_id.high,
        request_id_low=message.request_id.low,
        input_tokens=message.input_tokens,
    )


def finished_from(message: Finished) -> generator_pb2.Finished:
    """Returns what is said at the end of a whole answer."""
    counts, timings = message.counts, message.timings
    reasons = [_FINISH_REASONS[outcome] for outcome in message.outcomes]
    return generator_pb2.Finished(
        finish_reason=reasons[0],
        finish_reasons=reasons if len(reasons) > 1 else (),
        input_tokens=counts.input_tokens,
        cached_input_tokens=counts.cached_input_tokens,
        output_tokens=counts.output_tokens,
        queue_microseconds=timings.queue_microseconds,
        ttft_microseconds=timings.ttft_microseconds,
        duration_microseconds=timings.duration_microseconds,
    )


def generation_from(event: TerminalEvent, *, config_digest: int) -> usage_pb2.Generation:
    """Returns the stored form of a terminal event; the emitter replaces tenant and key by pseudonyms."""
    claims, counts, timings = event.claims, event.counts, event.timings
    return usage_pb2.Generation(
        event_id_high=event.event_id.high,
        event_id_low=event.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=claims.request_id.high,
        request_id_low=claims.request_id.low,
        region=claims.region,
        home_region=claims.home_region,
        transfer_record=claims.transfer_record,
        config_digest=config_digest,
        tenant_low=claims.tenant,
        key_low=claims.key,
        started_at_microseconds=event.started_at_microseconds,
        outcome=_OUTCOMES[event.ending.outcome],
        reason=_REASONS[event.ending.reason],
        model=claims.model,
        replica=claims.replica,
        priority=claims.priority,
        ticket_digest=claims.digest,
        attempt=claims.attempt,
        is_streamed=event.is_streamed,
        input_tokens=counts.input_tokens,
        cached_input_tokens=counts.cached_input_tokens,
        output_tokens=counts.output_tokens,
        predicted_kv_blocks=claims.predicted_kv_blocks,
        actual_kv_blocks=event.actual_kv_blocks,
        queue_microseconds=timings.queue_microseconds,
        prefill_microseconds=timings.prefill_microseconds,
        ttft_microseconds=timings.ttft_microseconds,
        max_itl_microseconds=timings.max_itl_microseconds,
        duration_microseconds=timings.duration_microseconds,
    )


def replica_load_from(sample: LoadSample, replica: Replica, *, config_digest: int) -> usage_pb2.ReplicaLoad:
    """Returns the stored form of a load sample."""
    report = sample.report
    return usage_pb2.ReplicaLoad(
        event_id_high=sample.event_id.high,
        event_id_low=sample.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        region=replica.region,
        config_digest=config_digest,
        started_at_microseconds=sample.started_at_microseconds,
        model=replica.model,
        replica=replica.number,
        running_requests=report.running_requests,
        waiting_requests=report.waiting_requests,
        kv_usage_permille=report.kv_usage_permille,
        output_tokens=sample.since_last.output_tokens,
        preempted_requests=sample.since_last.preempted_requests,
        open_streams=report.open_streams,
        unfinished_requests=report.unfinished_requests,
        age_milliseconds=_milliseconds(report.age_seconds),
    )


def registration_from(
    replica: Replica, address: str, capabilities: Capabilities, max_requests: int, *, incarnation: int
) -> replica_pb2.Registration:
    """Returns what a replica tells the router of itself."""
    return replica_pb2.Registration(
        replica=replica.number,
        region=replica.region,
        model=replica.model,
        address=address,
        context_tokens=capabilities.context_tokens,
        kv_block_tokens=capabilities.kv_block_tokens,
        kv_blocks=capabilities.kv_blocks,
        max_requests=max_requests,
        incarnation=incarnation,
    )


def acceptance_from(claims: Claims) -> replica_pb2.Acceptance:
    """Returns what the router is told of a ticket that was accepted."""
    return replica_pb2.Acceptance(
        ticket_id_high=claims.ticket_id.high,
        ticket_id_low=claims.ticket_id.low,
        lease_id_high=claims.lease_id.high,
        lease_id_low=claims.lease_id.low,
        key=claims.key,
        max_tokens=min(claims.max_input_tokens + claims.max_output_tokens, _MAX_UINT32),
    )


def settlement_from(claims: Claims, used: Counts, *, is_unserved: bool) -> replica_pb2.Settlement:
    """Returns what the router is told when an accepted ticket's request has ended."""
    return replica_pb2.Settlement(
        lease_id_high=claims.lease_id.high,
        lease_id_low=claims.lease_id.low,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        ticket_id_high=claims.ticket_id.high,
        ticket_id_low=claims.ticket_id.low,
        key=claims.key,
        is_unserved=is_unserved,
    )


def router_load_from(report: LoadReport) -> replica_pb2.Load:
    """Returns what the router is told of the load."""
    return replica_pb2.Load(
        running_requests=report.running_requests,
        waiting_requests=report.waiting_requests,
        kv_usage_permille=report.kv_usage_permille,
        age_milliseconds=_milliseconds(report.age_seconds),
        is_draining=report.is_draining,
    )


def load_response_from(report: LoadReport) -> generator_pb2.GetLoadResponse:
    """Returns the load as `GetLoad` tells it."""
    return generator_pb2.GetLoadResponse(
        open_streams=report.open_streams,
        unfinished_requests=report.unfinished_requests,
        running_requests=report.running_requests,
        waiting_requests=report.waiting_requests,
        kv_usage_permille=report.kv_usage_permille,
        age_milliseconds=_milliseconds(report.age_seconds),
        is_draining=report.is_draining,
    )


def _milliseconds(seconds: float) -> int:
    return min(_MAX_UINT32, max(0, round(seconds * 1000)))
