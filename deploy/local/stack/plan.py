"""Which processes run, with which commands, and how each says that it is ready; pure."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from deploy.local.stack.generators import PlannedGenerator, planned_generators
from deploy.local.stack.options import EMBEDDER, Addresses, StackOptions, router_name
from deploy.local.stack.paths import DataPaths

# Who only looks, requests, what records them, what carries the records; several of a kind at one place.
DRAIN_ORDER: Final = (
    "console",
    "edge",
    "generator",
    "embedder",
    "router",
    "emitter",
    "usage",
    "clickhouse",
    "kafka",
)

# All parts share the cores of one machine. What a request passes through in a millisecond must not queue
# behind an engine that computes all the time. What keeps the records yields to nobody: it needs a tenth of a
# core, and with a lower weight a busy machine would give it none, so that rows came many minutes late.
_ENGINE_NICENESS: Final = 5
# A large model is read from a slow disk in minutes.
ENGINE_START_SECONDS: Final = 600.0
_ENGINE_TIMES: Final = {"start_seconds": ENGINE_START_SECONDS, "drain_seconds": 60.0}


@dataclass(frozen=True, slots=True)
class Probe:
    """How a process says that it is ready: gRPC health at an address, an HTTP URL, or a file that exists."""

    kind: Literal["grpc", "http", "file"]
    where: str


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process: name for people, command, probe, whom it waits for, time limits and niceness."""

    name: str
    title: str
    arguments: tuple[str, ...]
    probe: Probe
    after: tuple[str, ...] = ()
    start_seconds: float = 60.0
    # Beyond what the process itself allows its requests and its last events.
    drain_seconds: float = 30.0
    niceness: int = 0
    # Its start computes all the time, on one core, and the others wait for it.
    fills_a_core: bool = False
    # Requests do without it: where it says what it waits for, a wrong clock for one, the start goes on.
    is_needed_by_requests: bool = True
    # The stack is ready without it, and it is at its niceness from its start.
    is_awaited: bool = True


def build_plan(options: StackOptions, addresses: Addresses, paths: DataPaths) -> list[ProcessPlan]:
    """Returns the processes in the order of their start: the engine first, because it takes longest."""
    generators = planned_generators(options)
    routers = [router_name(number) for number in range(2, options.routers + 1)]
    others = {*routers, *(each.name for each in generators if not each.is_first)}

    def process(name: str, module: str, title: str, probe: Probe, **rest: object) -> ProcessPlan:
        config = paths.config_of(name) if name in others else paths.config
        arguments = (sys.executable, "-m", module, "--config", str(config))
        return ProcessPlan(name=name, title=title, arguments=arguments, probe=probe, **rest)  # type: ignore[arg-type]

    engine = "vLLM" if options.engine == "vllm" else "simulated engine"
    plan = [
        process(
            "generator",
            "services.generator",
            f"engine ({engine})",
            Probe("grpc", addresses.generator),
            niceness=_ENGINE_NICENESS,
            fills_a_core=options.engine == "vllm",
            **_ENGINE_TIMES,
        )
    ]
    if not options.kafka:
        probe = Probe("file", str(paths.kafka / "ready"))
        plan.append(process("kafka", "deploy.local.kafka", "Kafka", probe))
    if not options.clickhouse:
        probe = Probe("http", f"http://{addresses.local_clickhouse}/ping")
        plan.append(process("clickhouse", "deploy.local.clickhouse", "store", probe))
    stores = tuple(entry.name for entry in plan if entry.name in ("kafka", "clickhouse"))
    further = [
        process(
            each.name,
            "services.generator",
            _title(each, engine),
            Probe("grpc", addresses.generator_at(each.name)),
            # With the first one's files in the machine's cache; and who asks meanwhile has that one.
            after=("generator",),
            niceness=_ENGINE_NICENESS,
            is_awaited=False,
            **_ENGINE_TIMES,
        )
        for each in generators
        if not each.is_first
    ]
    return [
        *plan,
        process("emitter", "services.emitter", "emitter", Probe("grpc", f"unix:{paths.emitter_socket}")),
        process("router", "services.router", "router", Probe("grpc", addresses.router)),
        *(
            process(
                name,
                "services.router",
                f"router {number}",
                Probe("grpc", addresses.router_at(number)),
                # The first one makes the store of keys that all share.
                after=("router",),
            )
            for number, name in enumerate(routers, start=2)
        ),
        process(
            "edge",
            "services.edge",
            "edge",
            Probe("http", f"http://{addresses.edge}/readyz"),
            # It is not ready without a ready replica.
            start_seconds=ENGINE_START_SECONDS,
            drain_seconds=60.0,
        ),
        process(
            "usage",
            "pipelines.usage",
            "usage pipeline",
            Probe("grpc", addresses.usage),
            after=stores,
            is_needed_by_requests=False,
        ),
        *further,
        *([_console(process, addresses)] if options.console else []),
    ]


def _console(process: Callable[..., ProcessPlan], addresses: Addresses) -> ProcessPlan:
    return process(
        "console",
        "services.console",
        "console",
        Probe("http", f"{addresses.console}/healthz"),
        # Nobody waits for it, and until then it would take the others' cores.
        after=("edge",),
        is_needed_by_requests=False,
        is_awaited=False,
    )


def drain_place(name: str) -> int:
    """Returns the place of a process in DRAIN_ORDER: that of its kind, where it has a number."""
    kind = name if name in DRAIN_ORDER else name.rpartition("-")[0]
    return DRAIN_ORDER.index(kind)


def _title(generator: PlannedGenerator, engine: str) -> str:
    if generator.name == EMBEDDER:
        return f"engine of vectors ({engine})"
    return f"engine {generator.number} ({engine})"


def is_sentence(line: str) -> bool:
    """Returns whether a line speaks to people: `comptoir NAME: what to do.`, before a process gives up."""
    return line.startswith("comptoir ") and ": " in line
