"""Joins the router's domain with its adapters and its servers, as the settings say."""

import asyncio
import logging
import os
from typing import Final, Protocol

from comptoir.router.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    replica_pb2,
    replica_pb2_grpc,
    router_pb2,
    router_pb2_grpc,
)
from keda.externalscaler import externalscaler_pb2_grpc

from services.kernel.clock import Clock, SystemClock
from services.router.adapters.batch_watch import watch_batch
from services.router.adapters.cached_keys import CachedKeys
from services.router.adapters.ed25519_signer import SEED_BYTES, Ed25519Signer
from services.router.adapters.emitter_log import EmitterLog
from services.router.adapters.expiry import expire_leases
from services.router.adapters.gathered_spending import GatheredSpending
from services.router.adapters.key_changes import KeyChanges
from services.router.adapters.key_database import open_database
from services.router.adapters.lease_counter import MeteredLeases
from services.router.adapters.lease_stores import hearing_of, open_lease_store
from services.router.adapters.ready_follower import follow_readiness
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.adapters.replica_watch import RegistrationCounter, ReplicaWatch
from services.router.adapters.scaling_watch import watch_scaling
from services.router.adapters.spending_writer import forget_days_often, write_spending, write_spending_often
from services.router.adapters.sql_keys import SqlKeys
from services.router.adapters.sql_spending import SqlSpending
from services.router.adapters.use_writer import write_uses, write_uses_often
from services.router.domain.acts import ActLog
from services.router.domain.administration import Administration
from services.router.domain.admission import Admitter, Deployment, Ports
from services.router.domain.authentication import Authenticator
from services.router.domain.batch_gate import BatchGate
from services.router.domain.counting import CountAdmitter
from services.router.domain.desired_replicas import DesiredReplicas
from services.router.domain.events import AdmissionLog
from services.router.domain.leases import Leases
from services.router.domain.offers import Offers
from services.router.domain.registering import Membership
from services.router.domain.residency import Residency
from services.router.domain.roster import Roster
from services.router.domain.spending_book import SpendingBook
from services.router.domain.uses import Uses
from services.router.domain.wrong_keys import WrongKeys
from services.router.server.admin import AdminServer
from services.router.server.admission import RouterServer
from services.router.server.audit import Audit
from services.router.server.replicas import ReplicaServer
from services.router.server.scaler import ScalerServer
from services.router.settings import RouterSettings
from services.runtime.emitter_client import EmitterClient
from services.runtime.grpc.interceptors import learn_rules
from services.runtime.grpc.reflection import add_reflection
from services.runtime.grpc.server import build_server
from services.runtime.metrics.process_state import ShownState
from services.runtime.metrics.registry import router as metrics
from services.runtime.parts import Parts
from services.runtime.probes import PROBES
from services.runtime.settings import read_secret
from services.runtime.telemetry import gauge
from services.runtime.transfers.records import TransferRecords

PEPPER_BYTES: Final = 32
# Its health says whether requests can be served; that of the process, whether replicas can register.
ROUTING: Final = "comptoir.router.v1.RouterService"


def build(settings: RouterSettings) -> "Router":
    """Returns a router on the machine's clock whose decisions go to the emitter."""
    clock = SystemClock()
    emitter = EmitterClient(settings.emitter, clock=clock, wait_seconds=settings.emitter_wait_seconds)
    return Router(settings, EmitterLog(emitter, settings.catalog.model_names), clock)


class ClosableLog(AdmissionLog, ActLog, Protocol):
    """A log of admissions and acts with a connection to close."""

    async def close(self) -> None:
        """Closes the connection."""
        ...


class Router:
    """One router: its listeners over one key store, one lease store and one replica directory."""

    def __init__(self, settings: RouterSettings, log: ClosableLog, clock: Clock) -> None:
        pepper = read_secret(settings.pepper_file, length_bytes=PEPPER_BYTES)
        seed = read_secret(settings.signing_key_file, length_bytes=SEED_BYTES)
        self._settings, self._clock, self._log = settings, clock, log
        self._catalog, self._region = settings.catalog, settings.home
        self._transfers = TransferRecords(settings.transfers, clock)
        url = str(settings.database_url or "")
        database = open_database(settings.database_file, url, settings.database_password_file)
        self._stored_keys = SqlKeys(database)
        self._recorded = GatheredSpending(SqlSpending(database))
        self._spending = SpendingBook(self._recorded)
        self._keys = CachedKeys(self._stored_keys, clock)
        self._uses = Uses()
        rules = settings.scaling_by_model
        registrations = RegistrationCounter(self._catalog.model_names)
        self._replicas = MemoryReplicaDirectory(
            settings,
            clock.monotonic_seconds(),
            scaled_models={model: one.tenant for model, one in rules.items()},
            on_register=registrations.count,
        )
        store = self._lease_store = open_lease_store(
            settings.lease_store, clock, self._spending, region=self._region.number
        )
        leases = self._leases = Leases(
            store, MeteredLeases(), self._replicas, clock, settings, hearing_of(store)
        )
        gauge(metrics.HELD_REQUESTS, read=lambda: leases.held)
        self._roster = Roster(self._replicas, settings, clock)
        signer = Ed25519Signer(seed, settings.signing_key_number)
        self._stopping, self._state = asyncio.Event(), ShownState()
        self._public = build_server(settings.listen, clock=clock)
        # Without a replica it still takes calls, and holds them.
        PROBES.ready_by(self._public.why_unready)
        self._replica = build_server(settings.replica_listen, clock=clock)
        self._audit = Audit(
            admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
            log,
            clock,
            region=self._region.number,
            digest=settings.digest,
            # Whoever reaches the socket is its owner, or root.
            owner=os.getuid(),
        )
        self._admin = build_server(
            settings.admin_listen, clock=clock, call_level=logging.INFO, witness=self._audit
        )
        self._servers = [self._public, self._replica, self._admin]
        self._desired = DesiredReplicas(
            rules, self._replicas, leases.places, clock, region=self._region.number, limits=settings
        )
        self._serve_scaler()
        offers = Offers(leases, self._replicas, signer, clock, region=self._region, limits=settings)
        self._batch = BatchGate(
            self._replicas, leases.places, clock, region=self._region.number, limits=settings
        )
        ports = Ports(leases, offers, self._replicas, log, clock, self._batch, self._uses)
        self._serve_callers(ports, pepper)
        self._serve_replicas()
        self._serve_operators(pepper)

    async def start(self, parts: Parts) -> None:
        """Takes calls of replicas and operators, then of callers; SettingsError if an address is taken."""
        # First the address that only one process can have: a second router must not take the sockets away.
        for server in self._servers:
            await server.start()
        for server in reversed(self._servers):
            await server.set_serving(is_serving=True)
        parts.run("key_changes", KeyChanges(self._stored_keys, self._keys, self._clock).follow())
        parts.run("transfers", self._transfers.follow())
        parts.run("expiry", expire_leases(self._leases, self._stopping))
        parts.run("uses", write_uses_often(self._uses, self._keys))
        parts.run("spending", write_spending_often(self._spending))
        parts.run("old_days", forget_days_often(self._recorded, self._clock))
        parts.run("replicas", ReplicaWatch(self._catalog.model_names).run(self._roster))
        parts.run("readiness", follow_readiness(self._roster, self._tell_ready))
        parts.run("batch", watch_batch(self._batch, self._leases.places, self._catalog.model_names))
        names = {model: rules.model for model, rules in self._settings.scaling_by_model.items()}
        parts.run("scaling", watch_scaling(self._desired, names))

    async def drain(self) -> None:
        """Lets open calls end and tells report streams to come back; then closes what they needed."""
        self._state.drain()
        grace_seconds = self._settings.drain_seconds
        drained = asyncio.gather(*(server.drain(grace_seconds) for server in self._servers))
        self._stopping.set()
        self._leases.end_waits()
        await drained
        await write_uses(self._uses, self._keys)
        await write_spending(self._spending)
        self._stored_keys.close()
        await self._lease_store.close()
        self._audit.flush()
        await self._log.close()

    async def _tell_ready(self, is_ready: bool) -> None:
        self._state.tell("" if is_ready else "NO_REPLICA")
        await self._public.set_service(ROUTING, is_serving=is_ready)

    def _serve_callers(self, ports: Ports, pepper: bytes) -> None:
        deployment = Deployment(self._catalog, self._region, self._settings.digest)
        wrong_keys = WrongKeys(self._settings.wrong_keys, self._clock)
        residency = Residency(self._catalog, self._region, self._transfers)
        authenticator = Authenticator(self._keys, wrong_keys, pepper=pepper, residency=residency)
        admitter = Admitter(ports, authenticator, deployment)
        counts = CountAdmitter(ports, authenticator, deployment)
        routing = RouterServer(self._public.joined, admitter, counts, self._leases)
        router_pb2_grpc.add_RouterServiceServicer_to_server(routing, self._public.server)
        learn_rules(router_pb2.DESCRIPTOR.services_by_name["RouterService"])
        if self._settings.listen.is_described:
            add_reflection(self._public.server, router_pb2.DESCRIPTOR)

    def _serve_replicas(self) -> None:
        membership = Membership(self._catalog, self._settings.replica_name, self._settings)
        servicer = ReplicaServer(self._replicas, self._leases, membership, self._clock, self._stopping)
        replica_pb2_grpc.add_ReplicaServiceServicer_to_server(servicer, self._replica.server)
        learn_rules(replica_pb2.DESCRIPTOR.services_by_name["ReplicaService"])

    def _serve_scaler(self) -> None:
        if self._settings.scaler_listen is None:
            return
        server = build_server(self._settings.scaler_listen, clock=self._clock)
        servicer = ScalerServer(self._desired, self._catalog, self._region, self._stopping)
        externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server(servicer, server.server)
        self._servers.append(server)

    def _serve_operators(self, pepper: bytes) -> None:
        administration = Administration(
            self._keys,
            catalog=self._catalog,
            region=self._region,
            pepper=pepper,
            default_quota=self._settings.default_quota,
            clock=self._clock,
        )
        deployment = Deployment(self._catalog, self._region, self._settings.digest)
        servicer = AdminServer(
            administration, self._roster, self._batch, self._lease_store, deployment, self._clock
        )
        admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, self._admin.server)
        learn_rules(admin_pb2.DESCRIPTOR.services_by_name["AdminService"])
