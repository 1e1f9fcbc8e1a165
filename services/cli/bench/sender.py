"""Whether the sender, its machine or the endpoint set the pace of a run, with numbers and what to do next."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from services.cli.bench.exchange import Exchange
from services.cli.bench.percentiles import percentile
from services.cli.bench.results import ClientPart

# A tenth of the smallest TTFT that people tell apart, and ten times what a timer of the event loop is late.
LATE_SECONDS: Final = 0.01
# Of one core: beyond, what arrives waits for the client before it is seen.
BUSY_CORES: Final = 0.8
Limit = Literal["", "sender", "machine", "endpoint"]


@dataclass(frozen=True, slots=True)
class Sender:
    """What one sending process did in a run; `lag_seconds`: how late its event loop was, each time."""

    cpu_seconds: float
    wall_seconds: float
    lag_seconds: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def cpu_share(self) -> float:
        """Cores that it used."""
        return self.cpu_seconds / self.wall_seconds if self.wall_seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Senders:
    """All processes that sent a run, on a machine of so many cores; `lost` are those that died in it."""

    seen: Sequence[Sender]
    cores: int = 1
    lost: int = 0


def client_of(senders: Senders, ended: Sequence[Exchange]) -> ClientPart:
    """Returns what the client did, and who set the pace. One process that is late is enough to be late."""
    held = [exchange.held_seconds for exchange in ended if exchange.held_seconds > LATE_SECONDS]
    client = ClientPart(
        cpu_share=max((one.cpu_share for one in senders.seen), default=0.0),
        send_late_p99_seconds=_p99(exchange.send_late_seconds for exchange in ended),
        processes=len(senders.seen) + senders.lost,
        lost_processes=senders.lost,
        cores=senders.cores,
        loop_lag_p99_seconds=max((_p99(one.lag_seconds) for one in senders.seen), default=0.0),
        sender_late_p99_seconds=_p99(exchange.sender_late_seconds for exchange in ended),
        held_requests=len(held),
        held_most_seconds=max(held, default=0.0),
        warnings=(),
    )
    limit = _limit(client, len(ended))
    warnings = tuple(_warnings(client, len(ended), limit))
    return client.model_copy(update={"limited_by": limit, "warnings": warnings})


def _limit(client: ClientPart, ended: int) -> Limit:
    if client.cpu_share > BUSY_CORES:
        return "sender"
    if max(client.loop_lag_p99_seconds, client.sender_late_p99_seconds) > LATE_SECONDS:
        return "machine"
    return "endpoint" if _is_held(client, ended) else ""


def _is_held(client: ClientPart, ended: int) -> bool:
    """Whether one request of a hundred was held."""
    return client.held_requests * 100 >= max(ended, 1)


def _warnings(client: ClientPart, ended: int, limit: Limit) -> Iterator[str]:
    if client.lost_processes:
        yield (
            f"{client.lost_processes} of {client.processes} sending processes died: what they sent is in no "
            "number here, and the load was not the one that was asked."
        )
    late = (
        f"its event loop was {_ms(client.loop_lag_p99_seconds)} late at p99, and it sent "
        f"{_ms(client.sender_late_p99_seconds)} later than it could have"
    )
    if limit == "sender":
        yield (
            f"The sender set the pace, not the endpoint: its busiest process used {client.cpu_share:.2f} of "
            f"a core, {late}, which is in these latencies. {_relief(client)}"
        )
    if limit == "machine":
        yield (
            f"The sender had to wait for a processor: it used only {client.cpu_share:.2f} of a core, and yet "
            f"{late}, which is in these latencies. Something else on this machine, or a limit of its "
            "container, has the time: stop that, or send from another machine. More --processes do not help."
        )
    if _is_held(client, ended):
        yield _held(client, ended, limit)


def _held(client: ClientPart, ended: int, limit: Limit) -> str:
    found = (
        f"{client.held_requests} of {ended} requests found all places of --max-in-flight taken and were "
        f"held, {_ms(client.held_most_seconds)} at most, which is in their latencies"
    )
    if limit != "endpoint":
        return f"{found}; a sender in time would tell whether the endpoint is at its bound."
    return (
        f"The endpoint is at its bound, and the sender was in time ({client.cpu_share:.2f} of a core): "
        f"{found}. Lower --rate, or raise --max-in-flight if it is to have more at once."
    )


def _relief(client: ClientPart) -> str:
    if client.processes < client.cores:
        more = min(2 * client.processes, client.cores)
        return f"Try --processes {more} (there are {client.cores} cores), or a lower load."
    return f"All {client.cores} cores have a process: send from another machine too, or lower the load."


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _p99(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return percentile(ordered, 99) if ordered else 0.0
