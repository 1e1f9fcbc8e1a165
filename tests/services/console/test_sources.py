"""The sources that the console's unit tests stand on do what real ones do."""

from collections.abc import Awaitable, Callable

import pytest

from services.console.domain.capacity import Replica
from services.console.domain.completeness import Kind
from services.console.domain.health import Process, State
from services.console.domain.latency import Latency
from services.console.domain.load import Load
from services.console.domain.tenants import Tenant
from tests.contracts import console_ports
from tests.contracts.console_ports import (
    EdgeContract,
    ProcessesContract,
    RouterContract,
    StoreContract,
)
from tests.services.console.sources import Sources

GONE = "It does not answer."


class TestToldProcesses(ProcessesContract):
    @pytest.fixture
    def processes(self) -> Sources:
        ready = (Process(name, State.READY) for name in ("edge", "router"))
        return Sources(processes=(*ready, Process("emitter", State.SILENT)))


class TestToldRouter(RouterContract):
    @pytest.fixture
    def router(self) -> Sources:
        replica = Replica(7, console_ports.MODEL, "eu-fr", "ready", 0, 0, 0, console_ports.PLACES, 0.0, 0.2)
        return Sources(replicas=(replica,), known_tenants=tuple(map(Tenant, console_ports.TENANTS)))

    @pytest.fixture
    def away_router(self) -> Sources:
        return Sources(away=GONE)


class TestToldStore(StoreContract):
    @pytest.fixture
    def now_seconds(self) -> float:
        return 1.0

    @pytest.fixture
    def store(self) -> Sources:
        ttft, requests = console_ports.TTFT_SECONDS, console_ports.REQUESTS
        tokens = requests * console_ports.TOKENS_OF_ONE
        return Sources(
            models=(Latency(console_ports.MODEL, requests, tokens, ttft, ttft, 80.0, 120.0),),
            steps=(
                Load(
                    console_ports.MODEL,
                    0,
                    console_ports.RUNNING,
                    console_ports.WAITING,
                    console_ports.KV_USAGE,
                ),
            ),
            kinds=(Kind("generation", requests, 0, 0, 0, 0, 2, "", oldest_at_seconds=0.5),),
            retention_days=console_ports.RETENTION_DAYS,
        )

    @pytest.fixture
    def empty_store(self) -> Sources:
        return Sources(models=(), steps=(), kinds=(), retention_days=0)

    @pytest.fixture
    def away_store(self) -> Sources:
        return Sources(away=GONE)


class TestToldEdge(EdgeContract):
    @pytest.fixture
    def edge(self) -> Sources:
        return Sources()

    @pytest.fixture
    def asked(self, edge: Sources) -> Callable[[], list[str]]:
        return lambda: [trial.prompt for trial, _ in edge.trials]

    @pytest.fixture
    def refuse(self, edge: Sources) -> Callable[[], None]:
        def refuse() -> None:
            edge.status, edge.parts = 401, (b'{"error": {"message": "no"}}',)

        return refuse

    @pytest.fixture
    def is_left(self, edge: Sources) -> Callable[[], Awaitable[None]]:
        async def is_left() -> None:
            assert edge.open_answers == 0

        return is_left

    @pytest.fixture
    def away_edge(self) -> Sources:
        return Sources(away=GONE)
