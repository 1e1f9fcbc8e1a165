"""Results for tests: a small bench whose numbers are what is given."""

from typing import Any

from services.cli.bench.metrics import Judged, Observed, run_of
from services.cli.bench.objectives import Objective
from services.cli.bench.prices import Prices
from services.cli.bench.results import LoadLevel, Result, Workload
from services.cli.bench.sender import Sender, Senders
from tests.services.cli.bench.exchanges import exchange

WORKLOAD = Workload(
    model="tiny-eu",
    endpoint="http://127.0.0.1:1/v1",
    api="chat",
    streamed=True,
    input_tokens="256",
    output_tokens="128",
    languages=("fr",),
    seed=0,
    ignore_eos=False,
)


def result(*users: int, pace: float = 0.05, ttft: float = 0.4, **fields: Any) -> Result:
    """Ten requests of eleven tokens for each number of users, and one that was refused."""
    tokens = [ttft + pace * number for number in range(11)]
    seen = [exchange(float(start), [start + token for token in tokens]) for start in range(10)]
    seen.append(exchange(3.0, failure="429 rate_limit_exceeded"))
    judged = Judged((Objective("ttft", 0.5),), Prices("EUR", 2.0))
    runs = tuple(
        run_of(
            Observed(LoadLevel(kind="closed", users=count), seen, 1, Senders((Sender(0.1, 10.0),))), judged
        )
        for count in users or (1,)
    )
    return Result(
        **{
            "comptoir": "0.1.0",
            "started_at": "2026-11-27T00:00:00+00:00",
            "is_complete": True,
            "workload": WORKLOAD,
            "objectives": {"ttft": 0.5},
            "currency": "EUR",
            "runs": runs,
            **fields,
        }
    )
