"""How many durable admissions one core of a router makes, and how long each waits: joined beside unary."""

import os
import tempfile
from pathlib import Path
from typing import Final

import yaml

from tests.bench.beside.admission_load import JOINED, UNARY, AdmissionLoad, order_of
from tests.bench.beside.errors import BenchError
from tests.bench.beside.figures import quantile
from tests.bench.beside.loader import Loader, loader
from tests.bench.beside.processes import snapshot, usage_between
from tests.bench.beside.progress import Progress
from tests.bench.beside.results import Admissions
from tests.bench.beside.targets import simulated_settings
from tests.system.stack_process import Stack, running_stack

ROUTER, EMITTER, LOAD = "router", "emitter", "load generator"
# Half of what one core of a router is to do.
RATE: Final = 1000.0
_IN_FLIGHT: Final = {JOINED: 256, UNARY: 64}
_LEAD_SECONDS: Final = 2.0
_SECONDS: Final = 8.0
_PATIENCE_SECONDS: Final = 90.0
# Tickets are left to expire, so that what is admitted stays in flight for some seconds.
_SETTINGS: Final = {"generator": {"max_requests": 1_000_000}}


def planned_seconds(rounds: int, seconds: float | None) -> float:
    """Returns how long the part takes."""
    return rounds * (15 + 4 * (_LEAD_SECONDS + (seconds or _SECONDS)))


def measure_admissions(rounds: int, seconds: float | None, progress: Progress) -> list[Admissions]:
    """Measures both ways in turn, as fast as they go and at a rate; each round starts a stack anew."""
    return [
        measured
        for number in range(1, rounds + 1)
        for measured in _one_round(number, seconds or _SECONDS, progress)
    ]


def _one_round(number: int, seconds: float, progress: Progress) -> list[Admissions]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "overrides.yaml"
        config.write_text(yaml.safe_dump(simulated_settings(_SETTINGS)), encoding="utf-8")
        with (
            running_stack(folder / "data", "--config", str(config), "--engine", "simulated") as stack,
            loader("tests.bench.beside.admission_load", folder) as (own, _),
        ):
            found = []
            for way in (JOINED, UNARY):
                for rate in (0.0, RATE):
                    load = AdmissionLoad(way, rate, _IN_FLIGHT[way], _LEAD_SECONDS, seconds)
                    found.append(_measured(number, load, own, stack))
                    progress.say(f"admissions, round {number}: {_said(found[-1])}")
    return found


def _measured(number: int, load: AdmissionLoad, own: Loader, stack: Stack) -> Admissions:
    roots = {int(stack.process(name)["pid"]): name for name in (ROUTER, EMITTER)} | {own.pid: LOAD}
    own.tell(order_of(load, stack.description["grpc"]["router"], stack.api_key, stack.model))
    own.hear("opened", _PATIENCE_SECONDS)
    before = snapshot(roots)
    own.hear("closed", load.seconds + _PATIENCE_SECONDS)
    usage = usage_between(before, snapshot(roots), os.cpu_count() or 1)
    done = own.hear("done", _PATIENCE_SECONDS)
    waits, tickets = done["waits_seconds"], done["ticket_waits_seconds"]
    if not waits or not tickets:
        raise BenchError(f"nothing was admitted ({load.way}): {done['failures']}.")
    return Admissions(
        way=load.way,
        rate=load.rate,
        in_flight=load.in_flight,
        round=number,
        durable=done["durable"],
        failures=done["failures"],
        ticket_p50_seconds=_quantile(tickets, 0.5),
        ticket_p99_seconds=_quantile(tickets, 0.99),
        p50_seconds=_quantile(waits, 0.5),
        p99_seconds=_quantile(waits, 0.99),
        window_seconds=usage.seconds,
        cpu_seconds=usage.cpu_seconds,
    )


def _quantile(waits: list[float], fraction: float) -> float:
    found = quantile(waits, fraction)
    assert found is not None
    return found


def _said(measured: Admissions) -> str:
    return (
        f"{measured.way}, {measured.per_second:.0f}/s, p99 {1e3 * measured.p99_seconds:.1f} ms "
        f"(tickets {1e3 * measured.ticket_p99_seconds:.1f} ms), "
        f"{measured.per_router_core:.0f}/s per router core"
    )
