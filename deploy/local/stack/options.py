"""What a person can choose for a stack on one machine."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

REPOSITORY: Final = Path(__file__).resolve().parents[3]
DEFAULT_MODEL: Final = REPOSITORY / "deploy" / "models" / "tiny-eu"
DEFAULT_EMBEDDING_MODEL: Final = REPOSITORY / "deploy" / "models" / "tiny-embed-eu"
DEFAULT_DATA_DIR: Final = Path("comptoir-data")
DEFAULT_PORT: Final = 8400
# The processes that show metrics, in the order of their operations ports.
METERED: Final = ("edge", "router", "generator", "emitter", "usage")
# The generator of vectors, where there is one; its metrics have the port behind those.
EMBEDDER: Final = "embedder"
# The page for operators, where there is one; its metrics have the last port before further generators.
CONSOLE: Final = "console"
_PORTS_OF_SERVICES: Final = 8
_CONSOLE_AT: Final = _PORTS_OF_SERVICES + len(METERED) + 1
# Edge, router, generator, that of vectors, ClickHouse, Kafka, its controller, the pipeline's health;
# then metrics, and the console.
PORTS: Final = _CONSOLE_AT + 1
# Each router behind the first takes two ports, from this one on: calls, and metrics.
_FURTHER_ROUTERS_AT: Final = PORTS
MOST_ROUTERS: Final = 4
_CONSOLE_METRICS_AT: Final = 21
# Each generator behind the first that answers takes two ports, from this one on: calls, and metrics.
_FURTHER_GENERATORS_AT: Final = 22
MOST_GENERATORS: Final = 32

EngineName = Literal["vllm", "simulated"]


@dataclass(frozen=True, slots=True)
class StackOptions:
    """The command line of `comptoir up`, with paths made absolute.

    `further_models` are served beside `model`, each by `replicas` generators.
    `kafka` (host:port) and `clickhouse` (URL) are empty where the local parts run.
    `overrides` is the YAML of `--config`, laid over the generated settings; `overrides_file` names it.
    """

    data_dir: Path
    port: int = DEFAULT_PORT
    model: str = str(DEFAULT_MODEL)
    further_models: tuple[str, ...] = ()
    replicas: int = 1
    # All of one region, over one store of keys.
    routers: int = 1
    engine: EngineName = "vllm"
    kafka: str = ""
    clickhouse: str = ""
    # Folder of a model that makes vectors; empty for none.
    embedding_model: str = ""
    # The page for operators.
    console: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)
    overrides_file: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each part listens on this machine: the edge's port and those after it."""

    port: int
    kafka_override: str = ""
    clickhouse_override: str = ""

    @property
    def edge(self) -> str:
        """host:port of the OpenAI endpoint."""
        return self._at(0)

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"http://{self.edge}/v1"

    @property
    def router(self) -> str:
        """host:port of the router's gRPC services."""
        return self._at(1)

    @property
    def generator(self) -> str:
        """host:port of the generator's gRPC service."""
        return self._at(2)

    @property
    def embedder(self) -> str:
        """host:port of the gRPC service of the generator of vectors."""
        return self._at(3)

    @property
    def local_clickhouse(self) -> str:
        """host:port of the local ClickHouse HTTP interface."""
        return self._at(4)

    @property
    def clickhouse_url(self) -> str:
        """URL of the store, local or given."""
        return self.clickhouse_override or f"http://{self.local_clickhouse}"

    @property
    def local_kafka(self) -> str:
        """host:port of the local broker."""
        return self._at(5)

    @property
    def kafka(self) -> str:
        """host:port of the event log, local or given."""
        return self.kafka_override or self.local_kafka

    @property
    def kafka_controller_port(self) -> int:
        """Port of the local broker's controller."""
        return self.port + 6

    @property
    def usage(self) -> str:
        """host:port of the pipeline's health service."""
        return self._at(7)

    @property
    def console_port(self) -> int:
        """Port of the page for operators."""
        return self.port + _CONSOLE_AT

    @property
    def console(self) -> str:
        """URL of the page for operators."""
        return f"http://127.0.0.1:{self.console_port}"

    def router_at(self, number: int) -> str:
        """Returns host:port of the gRPC services of the router with that number."""
        return self.router if number == 1 else self._at(_further_offset(router_name(number)))

    def generator_at(self, name: str) -> str:
        """Returns host:port of the gRPC service of the generator with that name, or of the EMBEDDER."""
        if name == EMBEDDER:
            return self.embedder
        number = replica_number(name)
        return self.generator if number == 1 else self._at(_further_offset(name))

    def metrics_port(self, process: str) -> int:
        """Returns the port of `GET /metrics` of a process that has one, also of one of several."""
        if process == CONSOLE:
            return self.port + _CONSOLE_METRICS_AT
        if replica_number(process) > 1:
            return self.port + _further_offset(process) + 1
        return self.port + _PORTS_OF_SERVICES + (*METERED, EMBEDDER).index(process)

    def metrics(self, further: Iterable[str] = ()) -> dict[str, str]:
        """Returns the URL of the metrics by process; `further` names those that not every stack has."""
        names = (*METERED, *further)
        return {name: f"http://127.0.0.1:{self.metrics_port(name)}/metrics" for name in names}

    def _at(self, offset: int) -> str:
        return f"127.0.0.1:{self.port + offset}"


def ports_of(port: int, generators: int, routers: int = 1) -> list[int]:
    """Returns the ports that a stack takes with so many generators that answer, and so many routers."""
    further_routers, further = 2 * (routers - 1), 2 * max(0, generators - 1)
    start, console = port + _FURTHER_GENERATORS_AT, port + _CONSOLE_METRICS_AT
    return [*range(port, port + PORTS + further_routers), console, *range(start, start + further)]


def router_name(number: int) -> str:
    """Returns the name of the process of a router."""
    return "router" if number == 1 else f"router-{number}"


def replica_number(process: str) -> int:
    """Returns the number behind a process's name; 1 where it has none."""
    digits = process.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 1


def _further_offset(process: str) -> int:
    start = _FURTHER_ROUTERS_AT if process.startswith("router-") else _FURTHER_GENERATORS_AT
    return start + 2 * (replica_number(process) - 2)
