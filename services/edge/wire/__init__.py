"""Between bytes and messages and the edge's own words."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import router_pb2

from services.edge.domain.generation import (
    Counts,
    Delta,
    FinishReason,
    GenerationRequest,
    Priority,
    TokenChoice,
    TokenLogprob,
    ToolCallDelta,
)
from services.edge.domain.needs import needs_of
from services.edge.domain.ports import Admission, CountAdmission, Model, Offer, Retirement
from services.edge.domain.timeline import Endpoint
from services.kernel.catalog import Task
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState

_TASKS: Final = {router_pb2.TASK_EMBED: Task.EMBED}
_PRIORITIES: Final = {
    Priority.INTERACTIVE: router_pb2.PRIORITY_INTERACTIVE,
    Priority.DEFAULT: router_pb2.PRIORITY_DEFAULT,
    Priority.BATCH: router_pb2.PRIORITY_BATCH,
}
_ENDPOINTS: Final = {
    Endpoint.CHAT_COMPLETIONS: router_pb2.ENDPOINT_CHAT_COMPLETIONS,
    Endpoint.COMPLETIONS: router_pb2.ENDPOINT_COMPLETIONS,
    Endpoint.RESPONSES: router_pb2.ENDPOINT_RESPONSES,
    Endpoint.EMBEDDINGS: router_pb2.ENDPOINT_EMBEDDINGS,
}
_CLASSES: Final = {sent: known for known, sent in _PRIORITIES.items()}
_FINISH_REASONS: Final = {
    generator_pb2.FINISH_REASON_STOP: FinishReason.STOP,
    generator_pb2.FINISH_REASON_LENGTH: FinishReason.LENGTH,
    generator_pb2.FINISH_REASON_TOOL_CALLS: FinishReason.TOOL_CALLS,
}


def admit_request(
    key: str,
    request: GenerationRequest,
    request_id: Identity,
    source: int = 0,
    prefix_digests: Sequence[int] = (),
) -> router_pb2.AdmitRequest:
    """Returns the router's question for a request; nothing of its text is in it."""
    return router_pb2.AdmitRequest(
        api_key=key,
        model=request.model,
        prompt_tokens_upper_bound=request.prompt_tokens_upper_bound,
        max_output_tokens=request.max_output_tokens,
        choices=request.choices,
        task=router_pb2.TASK_EMBED if request.inputs else router_pb2.TASK_GENERATE,
        inputs=len(request.inputs),
        priority=_PRIORITIES[request.priority],
        endpoint=_ENDPOINTS[request.endpoint],
        request_id_high=request_id.high,
        request_id_low=request_id.low,
        part=request.part,
        source=source,
        prefix_digests=prefix_digests,
        needs=needs_of(request),
    )


def next_offer_request(
    key: str, lease: Identity, endpoint: Endpoint, needs: int = 0
) -> router_pb2.NextOfferRequest:
    """Returns the router's question for another ticket of a lease."""
    return router_pb2.NextOfferRequest(
        api_key=key,
        lease_id_high=lease.high,
        lease_id_low=lease.low,
        endpoint=_ENDPOINTS[endpoint],
        needs=needs,
    )


def as_hedge(question: router_pb2.NextOfferRequest) -> router_pb2.NextOfferRequest:
    """Returns a question for another ticket as one whose replica has said nothing for long asks it."""
    hedge = router_pb2.NextOfferRequest(is_hedge=True)
    hedge.MergeFrom(question)
    return hedge


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
        transfer_record=offer.transfer_record,
    )


def admission_from(
    response: router_pb2.AdmitResponse,
    recorded: Callable[[], Awaitable[None]],
    next_offer: Callable[[], Awaitable[Offer]],
    release: Callable[[], Awaitable[None]],
    hedge: Callable[[], Awaitable[Offer]],
) -> Admission:
    """Returns the router's permission; the ways to more of it as Admission has them."""
    return Admission(
        offer=offer_from(response.offer),
        lease=lease_of(response),
        recorded=recorded,
        next_offer=next_offer,
        release=release,
        hedge=hedge if response.may_hedge else None,
        priority=_CLASSES.get(response.priority),
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
        "home_region": response.home_region,
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
            task=_TASKS.get(model.task, Task.GENERATE),
        )
        for model in response.models
    )


def _retirement_from(
    message: router_pb2.AdmitResponse | router_pb2.AdmitCountResponse | router_pb2.Model,
) -> Retirement | None:
    said = message.retirement
    is_set = message.HasField("retirement")
    return Retirement(said.deprecated_at_seconds, said.sunset_at_seconds) if is_set else None


def delta_from(delta: generator_pb2.Delta) -> Delta:
    """Returns what is new of a choice."""
    tokens = tuple(
        TokenChoice(_logprob_from(token.chosen), tuple(map(_logprob_from, token.likeliest)))
        for token in delta.tokens
    )
    piece, call = delta.tool_call, None
    if delta.HasField("tool_call"):
        call = ToolCallDelta(piece.index, piece.call_id, piece.name, piece.arguments)
    return Delta(delta.text, index=delta.index, reasoning=delta.reasoning, tokens=tokens, tool_call=call)


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
        reasoning_tokens=finished.reasoning_tokens,
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
