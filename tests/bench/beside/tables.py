"""Results as Markdown, ready for docs/benchmarks.md."""

from collections.abc import Callable, Sequence

from tests.bench.beside.figures import ratios, spread
from tests.bench.beside.loader import APART, LOAD_ROLE
from tests.bench.beside.results import (
    MOST_FOREIGN_CORES,
    Admissions,
    IdleStreams,
    LongSteps,
    Measurement,
    Results,
    streams_of,
    targets_of,
)
from tests.bench.engines.figures import (
    ASYNC_LLM,
    CPU_HEAD,
    PLAN_HEAD,
    VLLM,
    EngineRun,
    cpu_rows,
    plan_rows,
)
from tests.bench.placement import replicas
from tests.bench.placement.tables import HEAD, rows_of

BARE = "vLLM's HTTP server"
SHORT = "short answers"
EVENTS = "events on and off"
EVENTS_ON, EVENTS_OFF = "events on", "events off"
NOTHING = "-"

# The one process that clients speak to, by its role.
_FRONTS = {"edge": "the edge", "LiteLLM": "LiteLLM"}

Figure = Callable[[Measurement], float | None]

_FIGURES: dict[str, tuple[Figure, int]] = {
    "output tokens/s": (lambda it: it.tokens_per_second, 0),
    "TTFT p50 ms": (lambda it: _times(it.ttft_p50_seconds, 1e3), 1),
    "TTFT p95 ms": (lambda it: _times(it.ttft_p95_seconds, 1e3), 1),
    "CPU µs/token": (lambda it: _times(it.cpu_per_token_seconds(), 1e6), 0),
}
_SHORT_FIGURES: dict[str, tuple[Figure, int]] = {
    "requests/s": (lambda it: it.requests_per_second, 0),
    "answer p50 ms": (lambda it: _times(it.answer_p50_seconds, 1e3), 1),
    "answer p95 ms": (lambda it: _times(it.answer_p95_seconds, 1e3), 1),
    "CPU ms/request": (lambda it: _times(it.cpu_per_request_seconds(), 1e3), 2),
}


def document(results: Results) -> str:
    """Returns every table of a run, with what it was measured on."""
    sections = [_machine(results)]
    parts = list(dict.fromkeys(entry.part for entry in results.measurements))
    for part in parts:
        entries = results.of_part(part)
        if part == SHORT:
            sections.append(_short(entries))
        elif part == EVENTS:
            sections.append(_events(entries))
        else:
            sections.append(
                _model(part, results.dtypes.get(part, f"dtype {results.options['dtype']}"), entries)
            )
    sections += [_idle(entry) for entry in results.idle_streams]
    if results.long_steps:
        sections.append(_long_steps(results.long_steps))
    if results.admissions:
        sections.append(_admissions(results.admissions))
    if results.placement:
        sections.append(f"### Placement, simulated\n\n{markdown(HEAD, rows_of(results.placement))}")
    if results.replicas:
        rows = replicas.rows_of(results.replicas)
        sections.append(f"### Placement on two replicas of vLLM\n\n{markdown(replicas.HEAD, rows)}")
    sections += [engines_section(run) for run in results.engines]
    sections.append(_disturbance(results.measurements))
    return "\n\n".join(section for section in sections if section) + "\n"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; a cell may hold anything but a line end, and a bar is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _machine(results: Results) -> str:
    machine = ", ".join(str(value) for value in results.machine.values())
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return f"{machine}. {versions}."


def _model(part: str, dtype: str, entries: Sequence[Measurement]) -> str:
    title = f"### {part}, {dtype}"
    pieces = [title, _figures(entries, _FIGURES), _ratios(entries), _by_process(entries)]
    return "\n\n".join(piece for piece in pieces if piece)


def _short(entries: Sequence[Measurement]) -> str:
    figures = _figures(entries, _SHORT_FIGURES)
    rows = []
    for target in targets_of(entries):
        own = [it for it in entries if it.target == target]
        rows += [[target, role, _cell(own, _per_request(role), 2)] for role in _roles(own)]
    by_process = markdown(["CPU ms/request of", "process", "median (least to most)"], rows)
    per_core = " ".join(
        f"Requests/s per core of {name}: {rates.shown(0)}."
        for front, name in _FRONTS.items()
        if (rates := spread([rate for it in entries if (rate := _per_core(it, front)) is not None]))
    )
    return f"### Short whole answers, simulated engine\n\n{figures}\n\n{by_process}\n\n{per_core}"


def _per_core(entry: Measurement, front: str) -> float | None:
    cost = entry.cpu_per_request_seconds(front) if front in entry.cpu_seconds else None
    return 1 / cost if cost else None


def _events(entries: Sequence[Measurement]) -> str:
    rows = [
        [
            str(streams),
            *(_ratio(entries, streams, EVENTS_ON, EVENTS_OFF, figure) for figure, _ in _FIGURES.values()),
        ]
        for streams in streams_of(entries)
    ]
    head = ["streams", *(f"{name}, on ÷ off" for name in _FIGURES)]
    return "\n\n".join(["### Events on ÷ off", _figures(entries, _FIGURES), markdown(head, rows)])


def _idle(entry: IdleStreams) -> str:
    rows = [
        [
            process,
            f"{before / 2**20:.0f}",
            f"{entry.bytes_with[process] / 2**20:.0f}",
            f"{entry.bytes_per_stream(process) / 1000:.1f}",
        ]
        for process, before in entry.bytes_before.items()
    ]
    head = ["process", "MiB without", f"MiB with {entry.streams} {entry.kind}s", f"kB per {entry.kind}"]
    return f"### Memory of {entry.streams} idle {entry.kind}s\n\n{markdown(head, rows)}"


def _long_steps(entries: Sequence[LongSteps]) -> str:
    names = list(entries[0].seconds)
    rows = [
        [
            entry.body,
            f"{entry.content_bytes / 1024:.0f}",
            str(entry.status),
            *(f"{1000 * entry.seconds[name]:.1f}" for name in names),
            f"{1000 * entry.wait_seconds:.1f}",
        ]
        for entry in entries
    ]
    head = [
        "body",
        "KiB",
        "status",
        *(f"{name}: longest step, CPU ms" for name in names),
        "another waits, ms",
    ]
    return f"### Bodies of worst-case cost\n\n{markdown(head, rows)}"


def engines_section(run: EngineRun) -> str:
    """Returns what each engine costs the generator, and the plan beside what vLLM gave."""
    cpu = markdown(CPU_HEAD, list(cpu_rows(run.engines, ASYNC_LLM)))
    plan = markdown(PLAN_HEAD, list(plan_rows(run.planned, run.engines, VLLM)))
    machine = f"Memory is read at {run.bytes_per_second / 1e9:.1f} GB/s; load {run.load_average:.1f} before."
    return f"### Engines, and the plan\n\n{machine}\n\n{cpu}\n\n{plan}"


def _admissions(entries: Sequence[Admissions]) -> str:
    rows = []
    for way, rate in dict.fromkeys((entry.way, entry.rate) for entry in entries):
        own = [entry for entry in entries if (entry.way, entry.rate) == (way, rate)]
        figures: dict[Callable[[Admissions], float], int] = {
            lambda it: it.per_second: 0,
            lambda it: 1e3 * it.ticket_p50_seconds: 1,
            lambda it: 1e3 * it.ticket_p99_seconds: 1,
            lambda it: 1e3 * it.p50_seconds: 1,
            lambda it: 1e3 * it.p99_seconds: 1,
            lambda it: it.per_router_core: 0,
            lambda it: 1e6 * it.cpu_per_admission_seconds("router"): 0,
            lambda it: 1e6 * it.cpu_per_admission_seconds("emitter"): 0,
        }
        cells = [
            found.shown(digits)
            for figure, digits in figures.items()
            if (found := spread([figure(entry) for entry in own])) is not None
        ]
        load = f"{rate:.0f}/s" if rate else f"{own[0].in_flight} in flight"
        rows.append([way, load, *cells, str(sum(sum(entry.failures.values()) for entry in own))])
    head = [
        "call",
        "load",
        "durable admissions/s",
        "ticket p50 ms",
        "ticket p99 ms",
        "durable p50 ms",
        "durable p99 ms",
        "per second of the router's CPU",
        "router CPU µs",
        "emitter CPU µs",
        "failed",
    ]
    return f"### Durable admissions of one router\n\n{markdown(head, rows)}"


def _disturbance(entries: Sequence[Measurement]) -> str:
    if not entries:
        return ""
    marked = sum(entry.is_disturbed for entry in entries)
    foreign = spread([entry.foreign_cores for entry in entries])
    failed = sum(entry.errors for entry in entries)
    load = "" if foreign is None else foreign.shown(2)
    return (
        f"Medians (least to most of the rounds). Other programs used {load} cores; "
        f"{marked} of {len(entries)} windows had more than {MOST_FOREIGN_CORES} "
        f"(rows with one are marked *). Failed requests: {failed}."
    )


def _figures(entries: Sequence[Measurement], figures: dict[str, tuple[Figure, int]]) -> str:
    rows = []
    for streams in streams_of(entries):
        for target in targets_of(entries):
            own = [it for it in entries if it.target == target and it.streams == streams]
            if own:
                mark = " *" if any(it.is_disturbed for it in own) else ""
                cells = [_cell(own, figure, digits) for figure, digits in figures.values()]
                rest = [str(sum(it.errors for it in own)), _cell(own, lambda it: it.foreign_cores, 1)]
                rows.append([str(streams), target + mark, *cells, *rest])
    return markdown(["streams", "target", *figures, "errors", "foreign cores"], rows)


def _ratios(entries: Sequence[Measurement]) -> str:
    others = [target for target in targets_of(entries) if target != BARE]
    if BARE not in targets_of(entries) or not others:
        return ""
    rows = [
        [
            str(streams),
            target,
            *(_ratio(entries, streams, target, BARE, figure) for figure, _ in _FIGURES.values()),
        ]
        for streams in streams_of(entries)
        for target in others
    ]
    return markdown(["streams", f"÷ {BARE}, same round", *_FIGURES], rows)


def _by_process(entries: Sequence[Measurement]) -> str:
    counts = streams_of(entries)
    rows = []
    for target in targets_of(entries):
        own = [it for it in entries if it.target == target]
        for role in [*_roles(own), *([LOAD_ROLE] if any(LOAD_ROLE in it.cpu_seconds for it in own) else [])]:
            cells = [_cell([it for it in own if it.streams == n], _per_token(role), 1) for n in counts]
            rows.append([target, f"({role})" if role in APART else role, *cells])
    return markdown(["CPU µs/token of", "process", *map(counted, counts)], rows)


def counted(streams: int) -> str:
    """Returns a number of streams in words."""
    return "1 stream" if streams == 1 else f"{streams} streams"


def _per_token(role: str) -> Figure:
    return lambda it: _times(it.cpu_per_token_seconds(role), 1e6)


def _per_request(role: str) -> Figure:
    return lambda it: _times(it.cpu_per_request_seconds(role), 1e3)


def _roles(entries: Sequence[Measurement]) -> list[str]:
    return list(dict.fromkeys(role for entry in entries for role in entry.roles))


def _cell(entries: Sequence[Measurement], figure: Figure, digits: int) -> str:
    values = [value for entry in entries if (value := figure(entry)) is not None]
    found = spread(values)
    return NOTHING if found is None else found.shown(digits)


def _ratio(entries: Sequence[Measurement], streams: int, ours: str, other: str, figure: Figure) -> str:
    def by_round(target: str) -> dict[int, float | None]:
        return {it.round: figure(it) for it in entries if it.target == target and it.streams == streams}

    found = spread(ratios(by_round(ours), by_round(other)))
    return NOTHING if found is None else found.shown(2)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
