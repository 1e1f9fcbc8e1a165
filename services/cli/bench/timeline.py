"""A run cut into stretches of equal length: what began, ended and came in each."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from services.cli.bench.exchange import Exchange
from services.cli.bench.results import Moment

# As many points as a plot can show.
_MOST: Final = 120
_STEPS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


def timeline(exchanges: Sequence[Exchange]) -> tuple[Moment, ...]:
    """Returns the stretches, the first of which begins when the first request was due."""
    if not exchanges:
        return ()
    begin = min(exchange.scheduled_seconds for exchange in exchanges)
    end = max(exchange.ended_seconds for exchange in exchanges)
    step = stretch_seconds(end - begin)

    def counted(moments: Iterable[float]) -> Counter[int]:
        return Counter(int((moment - begin) / step) for moment in moments)

    started = counted(x.sent_seconds for x in exchanges)
    ended = counted(x.ended_seconds for x in exchanges)
    succeeded = counted(x.ended_seconds for x in exchanges if not x.failure)
    events = counted(at for x in exchanges for at in x.token_seconds)
    found, in_flight = [], 0
    for number in range(int((end - begin) / step) + 1):
        in_flight += started[number] - ended[number]
        found.append(
            Moment(
                at_seconds=number * step,
                seconds=step,
                started=started[number],
                succeeded=succeeded[number],
                failed=ended[number] - succeeded[number],
                events=events[number],
                in_flight=in_flight,
            )
        )
    return tuple(found)


def stretch_seconds(span_seconds: float) -> float:
    """Returns a round length of which few enough make the span."""
    fitting = (step for step in _STEPS if span_seconds / step <= _MOST)
    return next(fitting, math.ceil(span_seconds / _MOST))
