"""Between the messages of admission and the router's own types; pure functions."""

from collections.abc import Sequence
from typing import Final

from comptoir.router.v1 import router_pb2

from services.kernel.catalog import ModelName, Price, RetiredName, Task
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState, wait_milliseconds
from services.router.domain.admission import Admission, AdmitRequest
from services.router.domain.counting import CountAdmission, CountRequest
from services.router.domain.tenancy import Endpoint, Priority
from services.router.domain.ticket import TicketOffer
from services.router.wire.tickets import signed_ticket

_MAX_UINT32: Final = 2**32 - 1
_PRIORITIES: Final = {
    router_pb2.PRIORITY_UNSPECIFIED: Priority.DEFAULT,
    router_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    router_pb2.PRIORITY_DEFAULT: Priority.DEFAULT,
    router_pb2.PRIORITY_BATCH: Priority.BATCH,
}
# By the numbers of tickets.
_CLASSES: Final = {
    int(known): sent for sent, known in _PRIORITIES.items() if sent != router_pb2.PRIORITY_UNSPECIFIED
}
_TASKS: Final = {Task.GENERATE: router_pb2.TASK_GENERATE, Task.EMBED: router_pb2.TASK_EMBED}


def admit_request(message: router_pb2.AdmitRequest) -> AdmitRequest:
    """Returns the request for a ticket that a message carries."""
    return AdmitRequest(
        api_key=message.api_key,
        model=message.model,
        prompt_tokens_upper_bound=message.prompt_tokens_upper_bound,
        max_output_tokens=message.max_output_tokens,
        choices=max(1, message.choices),
        priority=_PRIORITIES[message.priority],
        request_id=Identity(message.request_id_high, message.request_id_low),
        task=Task.EMBED if message.task == router_pb2.TASK_EMBED else Task.GENERATE,
        inputs=max(1, message.inputs),
        part=message.part,
        source=message.source,
        # The numbers are those of the schema, where 0 says nothing.
        endpoint=Endpoint(message.endpoint or Endpoint.DIRECT),
        prefix_digests=tuple(message.prefix_digests),
        needs=message.needs,
    )


def admit_response(admission: Admission) -> router_pb2.AdmitResponse:
    """Returns the message that carries an admission."""
    grant = admission.grant
    return router_pb2.AdmitResponse(
        offer=ticket_offer(admission.offer),
        request_id_high=grant.request_id.high,
        request_id_low=grant.request_id.low,
        lease_id_high=grant.lease_id.high,
        lease_id_low=grant.lease_id.low,
        max_output_tokens=grant.size.output_tokens,
        quota=_quota_state(admission.quota),
        model_number=grant.model.number,
        tenant_number=grant.key.tenant.number,
        key_number=grant.key.number,
        model_name=grant.model.name,
        retirement=_retirement(admission.model_name.retired),
        priority=_CLASSES.get(grant.priority, router_pb2.PRIORITY_UNSPECIFIED),
        may_hedge=True,
        home_region=grant.key.tenant.home_region,
    )


def lease_of(message: router_pb2.NextOfferRequest | router_pb2.ReleaseRequest) -> Identity:
    """Returns the lease that a message names."""
    return Identity(message.lease_id_high, message.lease_id_low)


def next_offer_request(message: router_pb2.NextOfferRequest) -> tuple[str, Identity, Endpoint | None]:
    """Returns key, lease and endpoint of a request for another ticket; None where it says no endpoint."""
    return message.api_key, lease_of(message), Endpoint(message.endpoint) if message.endpoint else None


def ticket_offer(offer: TicketOffer) -> router_pb2.TicketOffer:
    """Returns the message of a ticket and its address."""
    return router_pb2.TicketOffer(
        ticket=signed_ticket(offer.ticket),
        generator_address=offer.generator_address,
        transfer_record=offer.transfer_record,
    )


def count_request(message: router_pb2.AdmitCountRequest) -> CountRequest:
    """Returns the request for tickets to count that a message carries."""
    return CountRequest(
        api_key=message.api_key,
        model=message.model,
        prompt_tokens_upper_bound=message.prompt_tokens_upper_bound,
        request_id=Identity(message.request_id_high, message.request_id_low),
        source=message.source,
    )


def count_response(admission: CountAdmission) -> router_pb2.AdmitCountResponse:
    """Returns the message that carries the permission to count."""
    return router_pb2.AdmitCountResponse(
        offer=ticket_offer(admission.offer),
        quota=_quota_state(admission.quota),
        model_number=admission.model_name.model.number,
        tenant_number=admission.key.tenant.number,
        key_number=admission.key.number,
        home_region=admission.key.tenant.home_region,
        model_name=admission.model_name.model.name,
        retirement=_retirement(admission.model_name.retired),
    )


def models_response(names: Sequence[ModelName]) -> router_pb2.ListModelsResponse:
    """Returns the message that lists models by their names, in their order."""
    return router_pb2.ListModelsResponse(models=[_model(name) for name in names])


def _model(name: ModelName) -> router_pb2.Model:
    model = name.model
    return router_pb2.Model(
        name=name.name,
        number=model.number,
        created_at_seconds=model.created_at_seconds,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        model_name=model.name,
        retirement=_retirement(name.retired),
        task=_TASKS[model.task],
        token_weight_permille=model.weight_permille,
        price=_price(model.price),
    )


def _price(price: Price | None) -> router_pb2.Price | None:
    if price is None:
        return None
    return router_pb2.Price(
        input_nanos=price.input_nanos,
        cached_input_nanos=price.cached_input_nanos,
        output_nanos=price.output_nanos,
    )


def _retirement(retired: RetiredName | None) -> router_pb2.Retirement | None:
    if retired is None:
        return None
    return router_pb2.Retirement(
        deprecated_at_seconds=retired.deprecated_at_seconds, sunset_at_seconds=retired.sunset_at_seconds
    )


def _quota_state(state: QuotaState) -> router_pb2.QuotaState:
    return router_pb2.QuotaState(
        limit_requests=state.limit_requests,
        remaining_requests=state.remaining_requests,
        limit_tokens=state.limit_tokens,
        remaining_tokens=state.remaining_tokens,
        reset_requests_milliseconds=_milliseconds(state.reset_requests_seconds),
        reset_tokens_milliseconds=_milliseconds(state.reset_tokens_seconds),
    )


def _milliseconds(seconds: float) -> int:
    return min(wait_milliseconds(seconds), _MAX_UINT32)
