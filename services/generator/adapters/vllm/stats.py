"""vLLM's numbers about itself: stored when a step ends, read at any time."""

from typing import Any

from vllm.v1.metrics.loggers import PrometheusStatLogger

from services.generator.domain.ports import EngineLoad
from services.kernel.clock import Clock


class StatsSnapshot:
    """The last step's numbers. A busy engine without steps gives no update, so they carry their age."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stepped_seconds = clock.monotonic_seconds()
        self._running_requests = 0
        self._waiting_requests = 0
        self._kv_usage = 0.0
        self._output_tokens_total = 0
        self._preempted_requests_total = 0

    def record(self, scheduler: Any, iteration: Any) -> None:
        """Takes SchedulerStats and IterationStats of one step; either may be None."""
        self._stepped_seconds = self._clock.monotonic_seconds()
        if scheduler is not None:
            self._running_requests = scheduler.num_running_reqs
            self._waiting_requests = scheduler.num_waiting_reqs + scheduler.num_skipped_waiting_reqs
            self._kv_usage = scheduler.kv_cache_usage
        if iteration is not None:
            self._output_tokens_total += iteration.num_generation_tokens
            self._preempted_requests_total += iteration.num_preempted_reqs

    def load(self, unfinished_requests: int) -> EngineLoad:
        """Returns the numbers; an engine that holds no request runs none, whatever its last step said."""
        is_idle = unfinished_requests == 0
        now_seconds = self._clock.monotonic_seconds()
        if is_idle:
            # Nothing runs, which is known now; the next request must not look as if it waited since then.
            self._stepped_seconds = now_seconds
        return EngineLoad(
            running_requests=0 if is_idle else self._running_requests,
            waiting_requests=0 if is_idle else self._waiting_requests,
            kv_usage=0.0 if is_idle else self._kv_usage,
            age_seconds=now_seconds - self._stepped_seconds,
            output_tokens_total=self._output_tokens_total,
            preempted_requests_total=self._preempted_requests_total,
        )


def stat_logger(snapshot: StatsSnapshot) -> type:
    """Returns a logger class that only stores numbers.

    It is a PrometheusStatLogger because vLLM adds its own to every list that has none.
    """

    class _SnapshotLogger(PrometheusStatLogger):  # type: ignore[misc] # vLLM has no types
        def __init__(self, vllm_config: Any, engine_indexes: list[int] | None = None) -> None:
            """Registers no metric."""

        def record(
            self,
            scheduler_stats: Any,
            iteration_stats: Any,
            mm_cache_stats: Any = None,  # noqa: ARG002
            engine_idx: int = 0,  # noqa: ARG002
        ) -> None:
            snapshot.record(scheduler_stats, iteration_stats)

        def log_engine_initialized(self) -> None:
            """Has nothing to say."""

        def log(self) -> None:
            """Has nothing to say."""

        def record_sleep_state(self, sleep: int = 0, level: int = 0) -> None:
            """Does nothing: an engine never sleeps here."""

        def record_admission_rejection(self, reason: str) -> None:
            """Never queues."""

    return _SnapshotLogger
