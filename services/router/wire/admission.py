"""Between the messages of admission and replicas and the router's own types; pure functions."""

from collections.abc import Sequence
from typing import Final

from comptoir.router.v1 import replica_pb2, router_pb2
from comptoir.ticket.v1 import ticket_pb2
from comptoir.usage.v1 import usage_pb2

from services.contract.events import EVENT_SCHEMA_VERSION
from services.kernel.catalog import Model
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.admission import Admission, AdmitRequest
from services.router.domain.events import AdmissionEvent
from services.router.domain.lease import Process, Settlement
from services.router.domain.placement import Load, Registration
from services.router.domain.tenancy import Priority
from services.router.domain.ticket import TicketClaims, TicketOffer

_MILLISECONDS: Final = 1000
_MAX_UINT32: Final = 2**32 - 1
_PRIORITIES: Final = {
    router_pb2.PRIORITY_UNSPECIFIED: Priority.DEFAULT,
    router_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    router_pb2.PRIORITY_DEFAULT: Priority.DEFAULT,
    router_pb2.PRIORITY_BATCH: Priority.BATCH,
}


def admit_request(message: router_pb2.AdmitRequest) -> AdmitRequest:
    """Returns the request for tickets that a message carries."""
    return AdmitRequest(
        api_key=message.api_key,
        model=message.model,
        prompt_tokens_upper_bound=message.prompt_tokens_upper_bound,
        max_output_tokens=message.max_output_tokens,
        priority=_PRIORITIES[message.priority],
        request_id=Identity(message.request_id_high, message.request_id_low),
    )


def admit_response(admission: Admission) -> router_pb2.AdmitResponse:
    """Returns the message that carries an admission."""
    grant = admission.grant
    return router_pb2.AdmitResponse(
        offers=[_offer(offer) for offer in admission.offers],
        request_id_high=grant.request_id.high,
        request_id_low=grant.request_id.low,
        lease_id_high=grant.lease_id.high,
        lease_id_low=grant.lease_id.low,
        max_output_tokens=grant.size.output_tokens,
        quota=_quota_state(admission.quota),
        model_number=grant.model.number,
        tenant_number=grant.key.tenant.number,
        key_number=grant.key.number,
    )


def models_response(models: Sequence[Model]) -> router_pb2.ListModelsResponse:
    """Returns the message that lists models, in their order."""
    return router_pb2.ListModelsResponse(
        models=[
            router_pb2.Model(
                name=model.name,
                number=model.number,
                created_at_seconds=model.created_at_seconds,
                context_tokens=model.context_tokens,
                max_output_tokens=model.max_output_tokens,
            )
            for model in models
        ]
    )


def claims_bytes(claims: TicketClaims) -> bytes:
    """Returns the serialized claims, which are signed and sent exactly so."""
    return ticket_pb2.TicketClaims(
        ticket_id_high=claims.ticket_id.high,
        ticket_id_low=claims.ticket_id.low,
        request_id_high=claims.request_id.high,
        request_id_low=claims.request_id.low,
        lease_id_high=claims.lease_id.high,
        lease_id_low=claims.lease_id.low,
        tenant=claims.tenant,
        key=claims.key,
        model=claims.model,
        region=claims.region,
        home_region=claims.home_region,
        transfer_record=claims.transfer_record,
        replica=claims.replica,
        max_input_tokens=claims.max_input_tokens,
        max_output_tokens=claims.max_output_tokens,
        priority=claims.priority,
        attempt=claims.attempt,
        issued_at_microseconds=claims.issued_at_microseconds,
        expires_at_microseconds=claims.expires_at_microseconds,
        predicted_kv_blocks=claims.predicted_kv_blocks,
    ).SerializeToString(deterministic=True)


def admission_event(event: AdmissionEvent) -> usage_pb2.Admission:
    """Returns the usage event of a decision; the emitter adds the pseudonyms and its own sequence."""
    is_admitted = event.reason is Reason.UNSPECIFIED
    return usage_pb2.Admission(
        event_id_high=event.event_id.high,
        event_id_low=event.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=event.request_id.high,
        request_id_low=event.request_id.low,
        region=event.region,
        home_region=event.home_region,
        config_digest=event.config_digest,
        tenant_low=event.tenant,
        key_low=event.key,
        started_at_microseconds=event.started_at_microseconds,
        decision=usage_pb2.DECISION_ADMITTED if is_admitted else usage_pb2.DECISION_REFUSED,
        reason=int(event.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
        model=event.model,
        replica=event.replica,
        priority=event.priority,
        reserved_tokens=event.reserved_tokens,
        max_output_tokens=event.max_output_tokens,
        predicted_kv_blocks=event.predicted_kv_blocks,
        tickets=event.tickets,
        duration_microseconds=event.duration_microseconds,
    )


def registration(message: replica_pb2.Registration) -> Registration:
    """Returns the identity and limits of a replica."""
    return Registration(
        replica=message.replica,
        region=message.region,
        model=message.model,
        address=message.address,
        context_tokens=message.context_tokens,
        kv_block_tokens=message.kv_block_tokens,
        kv_blocks=message.kv_blocks,
        max_requests=message.max_requests,
        incarnation=message.incarnation,
    )


def load(message: replica_pb2.Load) -> Load:
    """Returns a replica's load."""
    return Load(
        running_requests=message.running_requests,
        waiting_requests=message.waiting_requests,
        kv_usage_permille=message.kv_usage_permille,
        age_seconds=message.age_milliseconds / _MILLISECONDS,
        is_draining=message.is_draining,
    )


def settlement(message: replica_pb2.Settlement, process: Process) -> Settlement:
    """Returns what a request used, as the process says that accepted its ticket."""
    return Settlement(
        lease_id=Identity(message.lease_id_high, message.lease_id_low),
        ticket_id=Identity(message.ticket_id_high, message.ticket_id_low),
        key=message.key,
        tokens=message.input_tokens + message.output_tokens,
        process=process,
        is_unserved=message.is_unserved,
    )


def report_response(request: replica_pb2.ReportRequest) -> replica_pb2.ReportResponse:
    """Returns the message that confirms all that a report said of leases."""
    return replica_pb2.ReportResponse(
        closed=[_lease_of(settled) for settled in request.settlements],
        accepted=[_lease_of(accepted) for accepted in request.acceptances],
    )


def _lease_of(message: replica_pb2.Settlement | replica_pb2.Acceptance) -> replica_pb2.LeaseIdentity:
    return replica_pb2.LeaseIdentity(high=message.lease_id_high, low=message.lease_id_low)


def _offer(offer: TicketOffer) -> router_pb2.TicketOffer:
    return router_pb2.TicketOffer(
        ticket=ticket_pb2.SignedTicket(
            claims=offer.ticket.claims,
            signature=offer.ticket.signature,
            signing_key_number=offer.ticket.signing_key_number,
        ),
        generator_address=offer.generator_address,
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
    return min(round(seconds * _MILLISECONDS), _MAX_UINT32)
