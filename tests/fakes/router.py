"""In-memory stand-ins for the router's ports, and a small world to admit requests in."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from services.kernel.api_keys import make_key
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.memory_leases import MemoryLeases
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.domain.acts import ActEvent
from services.router.domain.admission import AdmitRequest, Admitter, Deployment, Ports
from services.router.domain.authentication import Authenticator
from services.router.domain.batch_gate import BatchGate
from services.router.domain.events import AdmissionEvent
from services.router.domain.keys import digest_of
from services.router.domain.leases import Leases
from services.router.domain.limits import RouterLimits
from services.router.domain.offers import Offers
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Load, Registration, Replica
from services.router.domain.placement.work import backlog_of
from services.router.domain.residency import Residency
from services.router.domain.tenancy import NewKey, Priority, Quota
from services.router.domain.wrong_keys import WrongKeys
from tests.fakes.keys import MemoryKeys as MemoryKeys  # noqa: PLC0414 - part of this module
from tests.fakes.permits import MemoryPermits
from tests.fakes.router_signer import CountedTransitions, PlainSigner

PEPPER = b"p" * 32
FRANCE, GERMANY = Region(number=1, name="eu-fr"), Region(number=2, name="eu-de")
TINY = Model(number=1, name="tiny-eu", context_tokens=1024, max_output_tokens=512)
OTHER = Model(number=2, name="other-eu", context_tokens=64, max_output_tokens=64)
CATALOG = Catalog(models=(TINY, OTHER), regions=(FRANCE, GERMANY))
# Nobody waits here unless a test is about that.
LIMITS = RouterLimits(
    ticket_lifetime_seconds=30.0, place_wait_seconds=0.0, further_ticket_wait_seconds=0.0, hold_seconds=0.0
)
NOW = 100.0
IDLE = Load(0, 0, 0, 0.0, is_draining=False)


@dataclass
class MemoryLog:
    """An admission log that keeps events, or fails or hangs when it is told to."""

    events: list[AdmissionEvent] = field(default_factory=list)
    acts: list[ActEvent] = field(default_factory=list)
    failure: BaseException | None = None
    gate: asyncio.Event | None = None
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def record(self, event: AdmissionEvent) -> None:
        self.is_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.events.append(event)

    def record_later(self, event: AdmissionEvent) -> None:
        self.record_refusal(event)

    def record_refusal(self, event: AdmissionEvent) -> None:
        self.events += [event] if self.failure is None else []

    async def record_act(self, event: ActEvent) -> None:
        if self.failure is not None:
            raise self.failure
        self.acts.append(event)

    def record_act_later(self, event: ActEvent) -> None:
        self.acts += [event] if self.failure is None else []

    async def close(self) -> None:
        """Has no connection."""

    @property
    def reasons(self) -> list[Reason]:
        return [event.reason for event in self.events]


@dataclass
class AdmissionWorld:
    """Everything that one admission reaches, in memory."""

    keys: MemoryKeys = field(default_factory=MemoryKeys)
    signer: PlainSigner = field(default_factory=PlainSigner)
    log: MemoryLog = field(default_factory=MemoryLog)
    clock: ManualClock = field(default_factory=ManualClock)
    catalog: Catalog = CATALOG
    region: Region = FRANCE
    permits: MemoryPermits = field(default_factory=MemoryPermits)
    limits: RouterLimits = LIMITS
    transitions: CountedTransitions = field(default_factory=CountedTransitions)
    sessions: dict[int, Identity] = field(default_factory=dict)
    scaled_models: dict[int, int] = field(default_factory=dict)

    @cached_property
    def store(self) -> MemoryLeases:
        return MemoryLeases(self.clock)

    @cached_property
    def replicas(self) -> MemoryReplicaDirectory:
        return MemoryReplicaDirectory(self.limits, -math.inf, scaled_models=self.scaled_models)

    @cached_property
    def leases(self) -> Leases:
        return Leases(self.store, self.transitions, self.replicas, self.clock, self.limits)

    @property
    def offers(self) -> Offers:
        return Offers(
            self.leases, self.replicas, self.signer, self.clock, region=self.region, limits=self.limits
        )

    @cached_property
    def batch(self) -> BatchGate:
        return BatchGate(
            self.replicas, self.leases.places, self.clock, region=self.region.number, limits=self.limits
        )

    @property
    def residency(self) -> Residency:
        return Residency(self.catalog, self.region, self.permits)

    @property
    def admitter(self) -> Admitter:
        ports = Ports(self.leases, self.offers, self.replicas, self.log, self.clock, self.batch)
        wrong_keys = WrongKeys(self.limits.wrong_keys, self.clock)
        authenticator = Authenticator(self.keys, wrong_keys, pepper=PEPPER, residency=self.residency)
        deployment = Deployment(self.catalog, self.region, config_digest=99)
        return Admitter(ports, authenticator, deployment)

    async def key(
        self,
        *,
        tenant: str = "acme",
        region: str = "eu-fr",
        home: int = FRANCE.number,
        quota: Quota | None = None,
        models: Sequence[int] = (),
        expires_at_seconds: int = 0,
        best_priority: Priority = Priority.DEFAULT,
    ) -> str:
        """Store a key, with its tenant if that is new, and return its text."""
        if all(stored.name != tenant for stored in self.keys.tenants.values()):
            await self.keys.create_tenant(tenant, home, 1)
        api_key = make_key(region, len(self.keys.keys).to_bytes(16))
        new = NewKey(
            tenant_name=tenant,
            digest=digest_of(api_key, PEPPER),
            label="test",
            models=models,
            quota=quota or Quota(),
            created_at_seconds=1,
            expires_at_seconds=expires_at_seconds,
            best_priority=best_priority,
        )
        await self.keys.create_key(new)
        return api_key

    def disable(self, api_key: str) -> None:
        """Disable the tenant of a key."""
        digest = digest_of(api_key, PEPPER)
        for number, key in self.keys.keys.items():
            if key.digest == digest:
                self.keys.keys[number] = replace(key, tenant=replace(key.tenant, is_disabled=True))

    def add_replica(self, number: int = 7, load: Load | None = IDLE, **fields: int) -> Identity:
        """Register a replica of the tiny model that said how busy it is."""
        now_seconds = self.clock.monotonic_seconds()
        session = self.sessions[number] = self.replicas.register(registration(number, **fields), now_seconds)
        if load is not None:
            self.replicas.report(session, load, now_seconds)
        return session

    def in_flight(self, number: int = 7) -> int:
        """How many requests count on a replica."""
        pool = self.replicas.pool(TINY.number, FRANCE.number)
        return next(one.in_flight for one in pool if one.registration.replica == number)


def registration(number: int = 7, **fields: int) -> Registration:
    """A replica of the tiny model in France, with other limits where given."""
    limits = {
        "region": 1,
        "model": 1,
        "context_tokens": 1024,
        "kv_block_tokens": 16,
        "kv_blocks": 64,
        "max_requests": 4,
        **fields,
    }
    return Registration(replica=number, address=f"127.0.0.1:{9000 + number}", **limits)


def replica(
    number: int,
    *,
    load: Load | None = IDLE,
    at: float = NOW,
    in_flight: int = 0,
    offset: float | None = None,
    **limits: int,
) -> Replica:
    """A replica as the router knows it, heard at `NOW` unless told otherwise."""
    backlog = None if load is None else backlog_of(load, 0, at)
    known = registration(number, **limits)
    return Replica(known, load, at, in_flight, clock_offset_seconds=offset, backlog=backlog)


def ask(
    tokens: int = 100, *, input_tokens: int = 20, after: int = 0, now: float = NOW, needs: int = 0
) -> Ask:
    """What a policy is told of a request."""
    return Ask(tokens, input_tokens, after, now, LIMITS.report_timeout_seconds, needs=needs)


def busy(
    running: int = 0,
    waiting: int = 0,
    kv_usage_permille: int = 0,
    age_seconds: float = 0,
    **said: Any,
) -> Load:
    """A load that is not idle."""
    return Load(running, waiting, kv_usage_permille, age_seconds, is_draining=False, **said)


def changed_limits(**changes: Any) -> RouterLimits:
    """The limits of the tests with others among them; also some that no settings may have."""
    return LIMITS.model_copy(update=changes)


def request_for(
    api_key: str,
    *,
    model: str = "tiny-eu",
    prompt_tokens_upper_bound: int = 100,
    max_output_tokens: int = 50,
    priority: Priority = Priority.DEFAULT,
    choices: int = 1,
    needs: int = 0,
) -> AdmitRequest:
    """A request for tickets, without an identity of its own."""
    return AdmitRequest(
        api_key,
        model,
        prompt_tokens_upper_bound,
        max_output_tokens,
        choices,
        priority,
        Identity(0, 0),
        needs=needs,
    )


async def refusal_of(world: AdmissionWorld, request: AdmitRequest) -> ComptoirError:
    """Asks for what is to be refused, and returns why it was."""
    try:
        await world.admitter.admit(request)
    except ComptoirError as refusal:
        return refusal
    raise AssertionError("admitted")
