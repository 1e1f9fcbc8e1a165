"""Between bytes and messages and the edge's own words."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import router_pb2
from comptoir.ticket.v1 import ticket_pb2
from comptoir.usage.v1 import usage_pb2

from services.contract.events import EVENT_SCHEMA_VERSION
from services.edge.domain.body_faults import (
    UTF8_MARK,
    BodyError,
    BodyFault,
    encoding_fault,
    half_pair_at,
    path_to,
    with_mark,
)
from services.edge.domain.generation import (
    Counts,
    Delta,
    FinishReason,
    GenerationRequest,
    Message,
    Role,
    TokenChoice,
    TokenLogprob,
)
from services.edge.domain.openai.public_names import is_public
from services.edge.domain.ports import Admission, CountAdmission, Model, Offer, Retirement
from services.edge.domain.structure import check_count, check_shape, outside_strings
from services.edge.domain.timeline import EdgeRequest
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState

_ROLES: Final = {
    Role.SYSTEM: generator_pb2.ROLE_SYSTEM,
    Role.USER: generator_pb2.ROLE_USER,
    Role.ASSISTANT: generator_pb2.ROLE_ASSISTANT,
}
_FINISH_REASONS: Final = {
    generator_pb2.FINISH_REASON_STOP: FinishReason.STOP,
    generator_pb2.FINISH_REASON_LENGTH: FinishReason.LENGTH,
}


def decode_json(document: bytes) -> Any:  # a JSON value of any type
    """Returns the value of a JSON document within the edge's bounds; raises REQUEST_INVALID, with no value.

    orjson refuses NaN, infinite numbers, lone surrogates and broken UTF-8. A byte order mark is skipped.
    """
    text = document.removeprefix(UTF8_MARK)
    outside = outside_strings(text)
    check_count(outside)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        fault = _fault_of(text, error)
        fault.position += len(document) - len(text)
        # The decoder's error holds the whole document, so it must not travel as the cause.
        raise fault from None
    check_shape(value, outside)
    return value


def _fault_of(text: bytes, error: orjson.JSONDecodeError) -> BodyError:
    fault = encoding_fault(text)
    if fault is not None:
        return fault
    position = half_pair_at(text)
    if position is None:
        # The decoder counts characters.
        return BodyError(BodyFault.NOT_JSON, position=len(text.decode()[: error.pos].encode()))
    mark = secrets.token_hex(16)
    try:
        value = orjson.loads(with_mark(text, position, mark.encode()))
    except orjson.JSONDecodeError:
        return BodyError(BodyFault.HALF_PAIR, position=position)
    return BodyError(BodyFault.HALF_PAIR, position=position, field=path_to(mark, value, is_public))


def admit_request(key: str, request: GenerationRequest, request_id: Identity) -> router_pb2.AdmitRequest:
    """Returns the router's question for a request; nothing of its text is in it."""
    return router_pb2.AdmitRequest(
        api_key=key,
        model=request.model,
        prompt_tokens_upper_bound=request.prompt_tokens_upper_bound,
        max_output_tokens=request.max_output_tokens,
        choices=request.choices,
        request_id_high=request_id.high,
        request_id_low=request_id.low,
    )


def next_offer_request(key: str, lease: Identity) -> router_pb2.NextOfferRequest:
    """Returns the router's question for another ticket of a lease."""
    return router_pb2.NextOfferRequest(api_key=key, lease_id_high=lease.high, lease_id_low=lease.low)


def count_admission_from(response: router_pb2.AdmitCountResponse) -> CountAdmission:
    """Returns the router's permission to count."""
    return CountAdmission(offer=offer_from(response.offer), **_alike(response))


def lease_of(response: router_pb2.AdmitResponse) -> Identity:
    """Returns the lease of an admission."""
    return Identity(response.lease_id_high, response.lease_id_low)


def offer_from(offer: router_pb2.TicketOffer) -> Offer:
    """Returns one ticket and its address."""
    return Offer(
        generator_address=offer.generator_address,
        claims=offer.ticket.claims,
        signature=offer.ticket.signature,
        signing_key_number=offer.ticket.signing_key_number,
    )


def admission_from(
    response: router_pb2.AdmitResponse,
    recorded: Callable[[], Awaitable[None]],
    next_offer: Callable[[], Awaitable[Offer]],
) -> Admission:
    """Returns the router's permission; `recorded` and `next_offer` as Admission has them."""
    return Admission(
        offer=offer_from(response.offer),
        lease=lease_of(response),
        recorded=recorded,
        next_offer=next_offer,
        **_alike(response),
    )


def _alike(
    response: router_pb2.AdmitResponse | router_pb2.AdmitCountResponse,
) -> dict[str, Any]:  # fields by their names
    return {
        "quota": _quota_from(response.quota),
        "model_number": response.model_number,
        "tenant_number": response.tenant_number,
        "key_number": response.key_number,
        "model_name": response.model_name,
        "retirement": _retirement_from(response),
    }


def models_from(response: router_pb2.ListModelsResponse) -> tuple[Model, ...]:
    """Returns the models of a key, under each of their names."""
    return tuple(
        Model(
            name=model.name,
            # A router that is older than other names knows each model by one.
            model_name=model.model_name or model.name,
            created_at_seconds=model.created_at_seconds,
            context_tokens=model.context_tokens,
            max_output_tokens=model.max_output_tokens,
            retirement=_retirement_from(model),
        )
        for model in response.models
    )


def _retirement_from(
    message: router_pb2.AdmitResponse | router_pb2.AdmitCountResponse | router_pb2.Model,
) -> Retirement | None:
    if not message.HasField("retirement"):
        return None
    said = message.retirement
    return Retirement(said.deprecated_at_seconds, said.sunset_at_seconds)


def count_request(
    offer: Offer, request: GenerationRequest, *, returns_ids: bool
) -> generator_pb2.CountTokensRequest:
    """Returns what a replica is to count."""
    return generator_pb2.CountTokensRequest(
        ticket=_ticket(offer),
        messages=map(_chat_message, request.messages),
        text=request.prompt if isinstance(request.prompt, str) else None,
        returns_token_ids=returns_ids,
    )


def generate_request(offer: Offer, request: GenerationRequest) -> generator_pb2.GenerateRequest:
    """Returns the replica's task.

    It asks for as many output tokens as the ticket permits: the router put the smaller of
    the client's wish and the model's cap there.
    """
    return generator_pb2.GenerateRequest(
        ticket=_ticket(offer),
        messages=map(_chat_message, request.messages),
        # The names are the schema's.
        sampling=generator_pb2.Sampling(**request.sampling),  # type: ignore[arg-type] # of several types
        is_streamed=request.is_streamed,
        structure=(generator_pb2.Structure(json_schema=request.json_schema) if request.json_schema else None),
        prompt=_prompt(request),
    )


def _ticket(offer: Offer) -> ticket_pb2.SignedTicket:
    return ticket_pb2.SignedTicket(
        claims=offer.claims, signature=offer.signature, signing_key_number=offer.signing_key_number
    )


def _chat_message(message: Message) -> generator_pb2.ChatMessage:
    # The text beside the parts is for replicas that are older than parts.
    return generator_pb2.ChatMessage(role=_ROLES[message.role], text=message.text, parts=message.parts)


def _prompt(request: GenerationRequest) -> generator_pb2.Prompt | None:
    prompt, is_echoed = request.prompt, request.is_prompt_echoed
    if prompt is None:
        return None
    if isinstance(prompt, str):
        return generator_pb2.Prompt(text=prompt, is_echoed=is_echoed)
    return generator_pb2.Prompt(token_ids=generator_pb2.TokenIds(ids=prompt), is_echoed=is_echoed)


def delta_from(delta: generator_pb2.Delta) -> Delta:
    """Returns what is new of a choice."""
    tokens = tuple(
        TokenChoice(_logprob_from(token.chosen), tuple(map(_logprob_from, token.likeliest)))
        for token in delta.tokens
    )
    return Delta(delta.text, index=delta.index, tokens=tokens)


def _logprob_from(token: generator_pb2.TokenLogprob) -> TokenLogprob:
    return TokenLogprob(token.token, token.logprob)


def finishes_from(finished: generator_pb2.Finished) -> list[Delta]:
    """Returns why each choice ended, by index; a reason that is not known here reads as `stop`."""
    reasons = finished.finish_reasons or (finished.finish_reason,)
    return [
        Delta(finish=_FINISH_REASONS.get(reason, FinishReason.STOP), index=index)
        for index, reason in enumerate(reasons)
    ]


def counts_from(finished: generator_pb2.Finished) -> Counts:
    """Returns the counts of a whole answer."""
    return Counts(
        input_tokens=finished.input_tokens,
        cached_input_tokens=finished.cached_input_tokens,
        output_tokens=finished.output_tokens,
    )


def usage_event(
    event: EdgeRequest, *, event_id: Identity, region_number: int, config_digest: int
) -> usage_pb2.EdgeRequest:
    """Returns the event as it is stored: counts, timings and catalog numbers."""
    return usage_pb2.EdgeRequest(
        event_id_high=event_id.high,
        event_id_low=event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=event.request_id.high,
        request_id_low=event.request_id.low,
        region=region_number,
        config_digest=config_digest,
        tenant_low=event.tenant_number,
        key_low=event.key_number,
        started_at_microseconds=event.started_at_microseconds,
        endpoint=int(event.endpoint),  # type: ignore[arg-type] # the enum's stub type is nominal
        reason=int(event.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
        model=event.model_number,
        http_status=event.http_status,
        is_streamed=event.is_streamed,
        is_client_cancelled=event.is_client_cancelled,
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
        client_retry_count=event.client_retry_count,
        admitted_microseconds=event.microseconds_to(event.admitted_seconds),
        first_byte_microseconds=event.microseconds_to(event.first_text_seconds),
        duration_microseconds=event.microseconds_to(event.ended_seconds),
    )


def _quota_from(quota: router_pb2.QuotaState) -> QuotaState:
    return QuotaState(
        limit_requests=quota.limit_requests,
        remaining_requests=quota.remaining_requests,
        limit_tokens=quota.limit_tokens,
        remaining_tokens=quota.remaining_tokens,
        reset_requests_seconds=quota.reset_requests_milliseconds / 1000,
        reset_tokens_seconds=quota.reset_tokens_milliseconds / 1000,
    )
