"""One level of a load: closed, where so many users wait for answers, or open, where a clock sends."""

from dataclasses import dataclass
from typing import Final

from services.cli.bench.arrivals import Arrivals
from services.cli.bench.errors import BenchError

DEFAULT_REQUESTS: Final = 100
# An endpoint that stands still must not make the client grow without an end.
MOST_IN_FLIGHT: Final = 4096


@dataclass(frozen=True, slots=True)
class Closed:
    """So many users, each of whom asks again as soon as its answer ended."""

    users: int


@dataclass(frozen=True, slots=True)
class Open:
    """Requests are due by a clock, whatever the endpoint does; None as arrivals are those of a trace."""

    arrivals: Arrivals | None
    most_in_flight: int = MOST_IN_FLIGHT


Load = Closed | Open


@dataclass(frozen=True, slots=True)
class Bound:
    """When no further request begins: after so many, or so long; what began is waited for."""

    requests: int | None = DEFAULT_REQUESTS
    seconds: float | None = None


def parse_levels(text: str, option: str) -> list[float]:
    """Returns the levels of a sweep such as `1,2,4,8`, ascending as written; BenchError where one is none."""
    try:
        levels = [float(word) for word in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(0 < level < 1e6 for level in levels):  # noqa: PLR2004 - NaN and infinity are none
        raise BenchError(f"{option} is a number above 0, or several with commas between, such as 1,2,4,8.")
    return levels


def parse_users(text: str) -> list[int]:
    """Returns the whole numbers of `--concurrency`."""
    levels = parse_levels(text, "--concurrency")
    if any(level != int(level) for level in levels):
        raise BenchError("--concurrency counts whole users.")
    return [int(level) for level in levels]
