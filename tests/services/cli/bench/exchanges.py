"""Exchanges for tests: one request by its few numbers."""

from array import array
from collections.abc import Sequence

from services.cli.bench.exchange import CountedBy, Exchange


def exchange(
    scheduled: float = 0.0,
    tokens: Sequence[float] = (),
    ended: float | None = None,
    *,
    sent: float | None = None,
    counts: tuple[int, int] | None = None,
    failure: str = "",
) -> Exchange:
    end = ended if ended is not None else (tokens[-1] if tokens else scheduled)
    input_tokens, output_tokens = counts or (10, len(tokens))
    return Exchange(
        scheduled,
        scheduled if sent is None else sent,
        end,
        array("d", tokens),
        input_tokens,
        output_tokens,
        CountedBy.USAGE,
        failure,
    )
