"""The one admission decision: key, tenant, model, size, fit, quota, replica, ticket, in that order."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from services.kernel.catalog import Catalog, Model, ModelName, Region, Task
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.authentication import Authenticator
from services.router.domain.batch_gate import BatchGate
from services.router.domain.currency import in_currency
from services.router.domain.events import AdmissionEvent, AdmissionLog
from services.router.domain.first_places import FirstPlaces
from services.router.domain.lease import lease_of
from services.router.domain.leases import Leases
from services.router.domain.model_names import may_use, unknown_model
from services.router.domain.offers import Offers, Want
from services.router.domain.placement.filters import check_fit, check_needs, open_to
from services.router.domain.placement.kinds import Requirement
from services.router.domain.placement.placing import Placement
from services.router.domain.placement.prefix_memory import Beginning
from services.router.domain.ports import ReplicaDirectory
from services.router.domain.quota import Quotas
from services.router.domain.quota_fit import check_quota
from services.router.domain.sizing import Size, size_of, size_of_inputs
from services.router.domain.tenancy import Endpoint, Key, Priority
from services.router.domain.ticket import Grant, TicketOffer
from services.router.domain.uses import Uses

_MICROSECONDS: Final = 1_000_000
# What is changed of a key holds within as long, for a request too that waits for a replica meanwhile.
_CHANGES_HOLD_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class AdmitRequest:
    """A request for a ticket; nothing of it is ever shown."""

    api_key: str = field(repr=False)
    model: str = field(repr=False)
    prompt_tokens_upper_bound: int
    max_output_tokens: int
    choices: int
    priority: Priority
    request_id: Identity
    task: Task = Task.GENERATE
    inputs: int = 1
    # Of several with one request identity, from 1; 0 where there is one.
    part: int = 0
    # Stands for the client's address; 0 where the caller says none.
    source: int = 0
    endpoint: Endpoint = Endpoint.DIRECT
    # Of the prompt's beginnings, by a secret that no router has.
    prefix_digests: tuple[int, ...] = field(default=(), repr=False)
    # What it asks of an engine that not every engine has, a sum of EngineFeature.
    needs: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted request: its first ticket, what each permits, and what is left of the quota."""

    grant: Grant
    offer: TicketOffer
    placement: Placement
    quota: QuotaState
    model_name: ModelName


@dataclass(frozen=True, slots=True)
class Decision:
    """An admission and the event that makes it durable."""

    admission: Admission
    event: AdmissionEvent


@dataclass(frozen=True, slots=True)
class Deployment:
    """What this router serves: models in one region, under settings that a digest names."""

    catalog: Catalog
    region: Region
    config_digest: int


@dataclass(frozen=True, slots=True)
class Ports:
    """What admission reaches."""

    leases: Leases
    offers: Offers
    replicas: ReplicaDirectory
    log: AdmissionLog
    clock: Clock
    batch: BatchGate
    uses: Uses = field(default_factory=Uses)


@dataclass(slots=True)
class _Findings:
    """What was found out about a request so far; a refusal's event says no more than this."""

    request_id: Identity
    priority: Priority
    started_at_microseconds: int
    started_seconds: float
    key: Key | None = None
    transfer_record: int = 0
    home_region: int = 0
    model: Model | None = None


class Admitter:
    """Admits or refuses, and answers only when the decision is durable."""

    def __init__(self, ports: Ports, authenticator: Authenticator, deployment: Deployment) -> None:
        self._ports = ports
        self._first_places = FirstPlaces(ports.offers, ports.batch)
        self._authenticator = authenticator
        self._catalog = deployment.catalog
        self._deployment = deployment

    async def admit(self, request: AdmitRequest) -> Admission:
        """Returns a ticket that is durable; raises why there is none, after which nothing stays reserved."""
        decision = await self.decide(request)
        try:
            await self._ports.log.record(decision.event)
        except BaseException:
            # Not durable, or the caller went away: no ticket leaves, so nothing may stay reserved.
            await self._ports.leases.cancel(decision.admission.grant.lease_id)
            raise
        return decision.admission

    async def decide(self, request: AdmitRequest) -> Decision:
        """Returns a ticket that the caller may use at once, though it may show nobody anything yet.

        Raises the reason of a refusal, after which nothing stays reserved.
        """
        clock = self._ports.clock
        started = clock.wall_microseconds(), clock.monotonic_seconds()
        request_id = request.request_id if request.request_id.is_set else Identity.random()
        findings = _Findings(request_id, request.priority, *started)
        try:
            with in_currency(self._catalog.currency):
                admission = await self._decide(request, findings)
        except ComptoirError as refusal:
            refusal.transfer_record, refusal.home_region = findings.transfer_record, findings.home_region
            # The caller learns why it was refused, whatever becomes of the record.
            self._ports.log.record_refusal(self._event(findings, refusal.reason, None))
            raise
        return Decision(admission, self._event(findings, Reason.UNSPECIFIED, admission))

    async def record(self, decision: Decision) -> None:
        """Returns once a decision is durable; raises why it is not, after which its lease is given back."""
        try:
            await self._ports.log.record(decision.event)
        except BaseException as failure:
            # Its ticket is with the caller, whoever waits for the record; what it reserves comes back later.
            if not isinstance(failure, ComptoirError):
                self._ports.log.record_later(decision.event)
            await self._ports.leases.release(decision.admission.grant.lease_id)
            raise

    async def next_offer(
        self,
        api_key: str,
        lease_id: Identity,
        endpoint: Endpoint | None = None,
        *,
        is_hedge: bool = False,
        needs: int = 0,
    ) -> TicketOffer:
        """Returns another ticket of a lease of that key; raises why there is none, as `Offers` does.

        What the key lost since its admission holds for it too: the endpoint, where that is said, the model,
        the region.
        """
        key, record = await self._usable(api_key)
        if endpoint is not None and not key.may_call(endpoint):
            raise ComptoirError(Reason.ENDPOINT_NOT_ALLOWED)
        may_use = partial(self._may_use_still, key)
        with in_currency(self._catalog.currency):
            return await self._ports.offers.another(
                key, lease_id, may_use, transfer_record=record, is_hedge=is_hedge, needs=needs
            )

    async def models_of(self, api_key: str, source: int = 0) -> list[ModelName]:
        """Returns the names of models that a key may use; raises as `admit` does for a bad key."""
        key, _ = await self._usable(api_key, source)
        return [name for name in self._catalog.names_in(self._deployment.region) if may_use(key, name)]

    async def _decide(self, request: AdmitRequest, findings: _Findings) -> Admission:
        key, model_name = await self._permitted(request, findings)
        model, record = model_name.model, findings.transfer_record
        size = _size_of(model, request)
        everyones = self._ports.replicas.pool(model.number, self._deployment.region.number)
        pool = open_to(everyones, key.tenant.number)
        check_fit(pool, size.reserved_tokens)
        required = Requirement(key.tenant.number, request.needs)
        now_seconds = self._ports.clock.monotonic_seconds()
        check_needs(pool, required, lambda: self._ports.offers.may_come(model.number, required, now_seconds))
        check_quota(model, size, key)
        lease_id, priority = lease_of(key.tenant.number), int(findings.priority)
        grant = Grant(findings.request_id, lease_id, key, model, size, priority, request.part, record)
        beginning = Beginning(key.tenant.number, request.prefix_digests)
        tokens, input_tokens = size.reserved_tokens, request.prompt_tokens_upper_bound
        want = Want(model.number, tokens, input_tokens, size.choices, priority, size.output_tokens, beginning)
        want = replace(want, needs=request.needs, tenant=key.tenant.number)
        asked_seconds = self._ports.clock.monotonic_seconds()
        with self._first_places.asked(lease_id, want, findings.started_seconds) as place:
            quota, placement = await self._ports.leases.obtain(
                grant, place, lambda: self._expected_seconds(model, required), required
            )
        self._first_places.note_begun(want)
        try:
            if self._ports.clock.monotonic_seconds() - asked_seconds >= _CHANGES_HOLD_SECONDS:
                key_now, _ = await self._permitted(request, replace(findings))
                if Quotas.of(key_now) != Quotas.of(key):
                    await self._ports.leases.cancel(lease_id)
                    return await self._decide(request, findings)
            offer = await self._ports.offers.first(grant, placement)
        except BaseException:
            await self._ports.leases.cancel(lease_id)
            raise
        return Admission(grant, offer, placement, quota, model_name)

    async def _permitted(self, request: AdmitRequest, findings: _Findings) -> tuple[Key, ModelName]:
        """Returns the key and the model of a request; raises why the key may not be used for it now."""
        key = findings.key = await self._authenticator.find(request.api_key, request.source)
        findings.transfer_record = self._authenticator.check(key, self._wall_seconds())
        findings.home_region = key.tenant.home_region
        self._ports.uses.note(key.number, self._wall_seconds())
        if not key.may_call(request.endpoint):
            raise ComptoirError(Reason.ENDPOINT_NOT_ALLOWED)
        findings.priority = key.clamped(request.priority)
        model_name = self._catalog.model_name(request.model, self._deployment.region, request.task)
        if model_name is None:
            raise unknown_model(request.model)
        findings.model = model_name.model
        if not may_use(key, model_name):
            raise ComptoirError(Reason.MODEL_NOT_FOUND)
        return key, model_name

    def _may_use_still(self, key: Key, model: int) -> bool:
        """Tells whether a key may use a model by some name: a ticket does not say which it was asked by."""
        names = self._catalog.names_in(self._deployment.region)
        return any(may_use(key, name) for name in names if name.model.number == model)

    async def _usable(self, api_key: str, source: int = 0) -> tuple[Key, int]:
        key = await self._authenticator.find(api_key, source)
        return key, self._authenticator.check(key, self._wall_seconds())

    def _expected_seconds(self, model: Model, required: Requirement) -> float:
        now_seconds, region = self._ports.clock.monotonic_seconds(), self._deployment.region.number
        return self._ports.replicas.expected_seconds(model.number, region, now_seconds, required)

    def _event(self, findings: _Findings, reason: Reason, admission: Admission | None) -> AdmissionEvent:
        seconds = self._ports.clock.monotonic_seconds() - findings.started_seconds
        key, model = findings.key, findings.model
        return AdmissionEvent(
            event_id=Identity.dated(findings.started_at_microseconds),
            request_id=findings.request_id,
            region=self._deployment.region.number,
            home_region=key.tenant.home_region if key else 0,
            config_digest=self._deployment.config_digest,
            tenant=key.tenant.number if key else 0,
            key=key.number if key else 0,
            started_at_microseconds=findings.started_at_microseconds,
            duration_microseconds=round(seconds * _MICROSECONDS),
            reason=reason,
            model=model.number if model else 0,
            priority=int(findings.priority),
            replica=admission.placement.replica if admission else 0,
            reserved_tokens=admission.grant.size.reserved_tokens if admission else 0,
            max_output_tokens=admission.grant.size.output_tokens if admission else 0,
            predicted_kv_blocks=admission.placement.predicted_kv_blocks if admission else 0,
            tickets=1 if admission else 0,
            transfer_record=findings.transfer_record,
        )

    def _wall_seconds(self) -> float:
        return self._ports.clock.wall_microseconds() / _MICROSECONDS


def _size_of(model: Model, request: AdmitRequest) -> Size:
    if model.task is not request.task:
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)
    if request.task is Task.EMBED:
        return size_of_inputs(model, request.prompt_tokens_upper_bound, request.inputs)
    return size_of(model, request.prompt_tokens_upper_bound, request.max_output_tokens, request.choices)
