"""What one decision and one report cost a router by how many replicas it knows; run as a module.

CPU of the process, so that a busy machine counts little; the router's own directory and placement.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from services.kernel.identity import Identity
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.filters import check_fit
from services.router.domain.placement.placing import place
from services.router.domain.placement.replica import Claims, Load, Registration

REPLICAS: Final = (1, 10, 100, 1_000, 10_000)
LIMITS: Final = RouterLimits()
_ROUNDS: Final = 5
_SECONDS_PER_ROUND: Final = 0.2
_OPEN_REQUESTS: Final = 100
_CLAIM_SECONDS: Final = 2.0
# A prime, so that every replica has its turn and none behind its neighbour.
_STRIDE: Final = 7_919


class Crowd:
    """A directory in which so many replicas of one model have reported, all of them busy."""

    def __init__(self, replicas: int) -> None:
        self._directory = MemoryReplicaDirectory(LIMITS, 0.0)
        began_seconds = time.process_time()
        self._sessions = [self._registered(number) for number in range(1, replicas + 1)]
        self.registration_seconds = (time.process_time() - began_seconds) / replicas
        self._calls = 0
        for number in range(replicas):
            self.report(number)

    def report(self, number: int) -> None:
        """Takes the next report of a replica."""
        self._calls += 1
        load = _load(self._calls)
        self._directory.report(self._sessions[number * _STRIDE % len(self._sessions)], load, 0.0)

    def decide(self, number: int) -> None:
        """Places a request, counts it on its replica and ends it: each changes what is known of one."""
        now_seconds = number / 1e6
        ask = _ask(now_seconds)
        check_fit(self._directory.pool(1, 1), ask.tokens)
        chosen = place(self._directory.pool(1, 1), ask, limits=LIMITS)
        lease = Identity(1, number + 1)
        self._directory.claim(
            lease, chosen.replica, Claims(500, 50, now_seconds + _CLAIM_SECONDS), now_seconds
        )
        self._directory.unassign(lease)

    def _registered(self, number: int) -> Identity:
        return self._directory.register(
            Registration(number, 1, 1, f"replica-{number}:1", 32_768, 16, 12_000, 256), 0.0
        )


def cpu_seconds(act: Callable[[int], None]) -> float:
    """Returns the CPU that one call takes: of several rounds the least, which others disturbed least."""
    return min(_round(act) for _ in range(_ROUNDS))


def _round(act: Callable[[int], None]) -> float:
    calls, began_seconds = 0, time.process_time()
    while True:
        act(calls)
        calls += 1
        spent_seconds = time.process_time() - began_seconds
        if spent_seconds >= _SECONDS_PER_ROUND:
            return spent_seconds / calls


def rows(replicas: Sequence[int] = REPLICAS) -> list[tuple[float, ...]]:
    """Returns, by the number of replicas, the CPU µs of a decision, a report and a registration."""
    found = []
    for count in replicas:
        crowd = Crowd(count)
        seconds = (cpu_seconds(crowd.decide), cpu_seconds(crowd.report), crowd.registration_seconds)
        found.append((count, *(1e6 * one for one in seconds)))
    return found


def main() -> None:
    """Prints the table."""
    print("| replicas of one model | decision, CPU µs | report, CPU µs | registration, CPU µs |")
    print("| --- | --- | --- | --- |")
    measured = rows()
    for count, decision, report, registration in measured:
        print(f"| {count:,.0f} | {decision:,.0f} | {report:,.0f} | {registration:,.0f} |")
    (few, few_us, *_), (many, many_us, *_) = measured[-2:]
    print(f"\nPer further replica: {(many_us - few_us) / (many - few):.2f} µs of a decision.")


def _load(call: int) -> Load:
    """Returns the load of a busy replica, each a little otherwise."""
    return Load(
        running_requests=_OPEN_REQUESTS,
        waiting_requests=call % 3,
        kv_usage_permille=500 + call % 100,
        age_seconds=0.01,
        is_draining=False,
        open_requests=_OPEN_REQUESTS,
        waiting_input_tokens=100 * (call % 7),
        input_tokens_per_second=8_000 + call % 50,
        output_tokens_per_second=3_000,
    )


def _ask(now_seconds: float) -> Ask:
    return Ask(
        tokens=800,
        input_tokens=500,
        after=0,
        now_seconds=now_seconds,
        stale_after_seconds=5.0,
        prefix=7,
        affinity_seconds=LIMITS.placement.affinity_seconds,
    )


if __name__ == "__main__":
    main()
