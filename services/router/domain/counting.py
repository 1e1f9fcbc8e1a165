"""A ticket that permits to count a prompt: a request of the key's minute, and no lease."""

from dataclasses import dataclass, field
from typing import Final

from services.kernel.catalog import ModelName
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.admission import Deployment, Ports
from services.router.domain.authentication import Authenticator
from services.router.domain.model_names import may_use, unknown_model
from services.router.domain.sizing import Size, size_of
from services.router.domain.tenancy import Endpoint, Key, Priority
from services.router.domain.ticket import Grant, TicketOffer

_MICROSECONDS: Final = 1_000_000
_NO_LEASE: Final = Identity(0, 0)


@dataclass(frozen=True, slots=True)
class CountRequest:
    """A request for a ticket to count; nothing of it is ever shown."""

    api_key: str = field(repr=False)
    model: str = field(repr=False)
    prompt_tokens_upper_bound: int
    request_id: Identity
    # As for an admission.
    source: int = 0


@dataclass(frozen=True, slots=True)
class CountAdmission:
    """Permission to count: a ticket, and what is left of the key's quota."""

    offer: TicketOffer
    quota: QuotaState
    model_name: ModelName
    key: Key


class CountAdmitter:
    """Permits counts. What it decides is no event: nothing is reserved, generated or charged."""

    def __init__(self, ports: Ports, authenticator: Authenticator, deployment: Deployment) -> None:
        self._ports = ports
        self._authenticator = authenticator
        self._deployment = deployment

    async def admit(self, request: CountRequest) -> CountAdmission:
        """Returns a ticket; raises why there is none, after which no request is taken of the key."""
        key = await self._authenticator.find(request.api_key, request.source)
        now_seconds = self._ports.clock.wall_microseconds() / _MICROSECONDS
        transfer_record = self._authenticator.check(key, now_seconds)
        self._ports.uses.note(key.number, now_seconds)
        try:
            return await self._permit(request, key, transfer_record)
        except ComptoirError as refusal:
            refusal.transfer_record, refusal.home_region = transfer_record, key.tenant.home_region
            raise

    async def _permit(self, request: CountRequest, key: Key, transfer_record: int) -> CountAdmission:
        if not key.may_call(Endpoint.COUNTS):
            raise ComptoirError(Reason.ENDPOINT_NOT_ALLOWED)
        name = self._deployment.catalog.model_name(request.model, self._deployment.region)
        if name is None:
            raise unknown_model(request.model)
        if not may_use(key, name):
            raise ComptoirError(Reason.MODEL_NOT_FOUND)
        # For its refusal alone: of a prompt that no context can hold, nobody needs a count to know that.
        context_tokens = size_of(name.model, request.prompt_tokens_upper_bound, 1).context_tokens
        placement = self._ports.offers.place_count(name.model.number, key.tenant.number)
        quota = await self._ports.leases.spend_request(key)
        grant = Grant(
            request.request_id if request.request_id.is_set else Identity.random(),
            _NO_LEASE,
            key,
            name.model,
            Size(request.prompt_tokens_upper_bound, 0, context_tokens),
            int(key.clamped(Priority.DEFAULT)),
            transfer_record=transfer_record,
        )
        return CountAdmission(self._ports.offers.to_count(grant, placement), quota, name, key)
