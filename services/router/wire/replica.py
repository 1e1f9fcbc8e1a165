"""Between the messages of replicas and the router's own types; pure functions."""

from collections.abc import Iterable, Sequence
from typing import Final

from comptoir.router.v1 import replica_pb2

from services.contract.first_tokens import FirstTokens
from services.kernel.catalog import Model
from services.kernel.engine_features import ALL_FEATURES
from services.kernel.identity import Identity
from services.router.domain import pricing
from services.router.domain.amount import Amount
from services.router.domain.lease import Process, Settlement
from services.router.domain.placement.replica import Load, Registration
from services.router.domain.quota import Payer

_MILLISECONDS: Final = 1000


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
        engine=message.engine,
        gpu_class=message.gpu_class,
        accelerator_memory_bytes=message.accelerator_memory_bytes,
        routers=message.routers,
        features=message.features if message.HasField("features") else ALL_FEATURES,
        tenant=message.tenant,
    )


def load(message: replica_pb2.Load) -> Load:
    """Returns a replica's load."""
    return Load(
        running_requests=_said(message, "running_requests"),
        waiting_requests=_said(message, "waiting_requests"),
        kv_usage_permille=_said(message, "kv_usage_permille"),
        age_seconds=message.age_milliseconds / _MILLISECONDS,
        is_draining=message.is_draining,
        open_requests=_said(message, "open_requests"),
        unfinished_requests=_said(message, "unfinished_requests"),
        kv_free_blocks=_said(message, "kv_free_blocks"),
        waiting_input_tokens=_said(message, "waiting_input_tokens"),
        input_tokens_per_second=_said(message, "input_tokens_per_second"),
        output_tokens_per_second=_said(message, "output_tokens_per_second"),
        first_tokens=_first_tokens(message.first_tokens) if message.HasField("first_tokens") else None,
        kv_growth_blocks=_said(message, "kv_growth_blocks"),
    )


def permitted(message: replica_pb2.Acceptance, model: Model) -> Amount:
    """Returns the most that an accepted ticket permits."""
    return pricing.permitted(model, message.max_tokens)


def settlement(message: replica_pb2.Settlement, process: Process, model: Model) -> Settlement:
    """Returns what a request of a model used, as the process says that accepted its ticket."""
    return Settlement(
        lease_id=Identity(message.lease_id_high, message.lease_id_low),
        ticket_id=Identity(message.ticket_id_high, message.ticket_id_low),
        payer=Payer(message.tenant, message.key),
        used=pricing.used(model, message.input_tokens, message.cached_input_tokens, message.output_tokens),
        process=process,
        is_unserved=message.is_unserved,
        has_output=message.output_tokens > 0,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
    )


def confirm(response: replica_pb2.ReportResponse, request: replica_pb2.ReportRequest) -> None:
    """Adds to an answer all that a report said of leases."""
    for settled in request.settlements:
        response.closed.add(high=settled.lease_id_high, low=settled.lease_id_low)
    for accepted in request.acceptances:
        response.accepted.add(high=accepted.lease_id_high, low=accepted.lease_id_low)


def call_back(response: replica_pb2.ReportResponse, leases: Iterable[Identity]) -> None:
    """Adds leases to an answer of which the replica is to accept no ticket any more."""
    for lease in leases:
        response.called_back.add(high=lease.high, low=lease.low)


def parted(
    request: replica_pb2.ReportRequest, are_heard: Sequence[bool]
) -> tuple[replica_pb2.ReportRequest, replica_pb2.ReportRequest | None]:
    """Returns what was heard of leases and, unless all was, what was not; acceptances stand first."""
    if all(are_heard):
        return request, None
    heard, unheard = replica_pb2.ReportRequest(), replica_pb2.ReportRequest()
    count = len(request.acceptances)
    for acceptance, is_heard in zip(request.acceptances, are_heard[:count], strict=True):
        (heard if is_heard else unheard).acceptances.append(acceptance)
    for settlement, is_heard in zip(request.settlements, are_heard[count:], strict=True):
        (heard if is_heard else unheard).settlements.append(settlement)
    return heard, unheard


def _first_tokens(message: replica_pb2.FirstTokens) -> FirstTokens:
    return FirstTokens(tuple(message.interactive), tuple(message.default), tuple(message.batch))


def _said(message: replica_pb2.Load, field: str) -> int | None:
    return getattr(message, field) if message.HasField(field) else None  # type: ignore[arg-type] # a field of Load
