"""A generator's metrics: each generation once, at its end, and what the engine says of itself."""

from collections.abc import Callable, Sized
from typing import Final

from services.generator.adapters.accelerators import Accelerators, Memory
from services.generator.domain.ports import Engine, EngineLoad
from services.generator.domain.terminal_event import TerminalEvent
from services.runtime.metrics.aliases import Aliases
from services.runtime.metrics.metric import Gauge
from services.runtime.metrics.registry import generator as metrics
from services.runtime.telemetry import Observations, counter, gauge, gauges, histogram, read_counter

_MICROSECONDS: Final = 1_000_000

# What vLLM's own server calls the same things, so that its dashboards and alerts work unchanged.
VLLM_NAMES: Final = Aliases(
    names={
        "gen_ai_server_time_to_first_token_seconds": "vllm:time_to_first_token_seconds",
        "gen_ai_server_time_per_output_token_seconds": "vllm:request_time_per_output_token_seconds",
        "gen_ai_server_request_duration_seconds": "vllm:e2e_request_latency_seconds",
        "comptoir_generator_queue_time_seconds": "vllm:request_queue_time_seconds",
        "comptoir_generator_prefill_time_seconds": "vllm:request_prefill_time_seconds",
        "comptoir_generator_requests": "vllm:request_success",
        "comptoir_generator_input_tokens": "vllm:prompt_tokens",
        "comptoir_generator_cached_input_tokens": "vllm:prompt_tokens_cached",
        "comptoir_generator_output_tokens": "vllm:generation_tokens",
        "comptoir_engine_running_requests": "vllm:num_requests_running",
        "comptoir_engine_waiting_requests": "vllm:num_requests_waiting",
        "comptoir_engine_kv_usage": "vllm:kv_cache_usage_perc",
        "comptoir_engine_preemptions": "vllm:num_preemptions",
    },
    labels={"gen_ai_request_model": "model_name", "outcome": "finished_reason"},
)


class GenerationMeter:
    """Measures in terms of the catalog's model name; nothing of a request but its counts and times."""

    def __init__(self, engine: Engine, model: str, *, operation: str = "chat") -> None:
        self._model = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "comptoir",
            "gen_ai.request.model": model,
        }
        self._ttft = histogram(metrics.TTFT)
        self._tpot = histogram(
            metrics.TPOT,
        )
        self._duration = histogram(metrics.DURATION)
        self._usage = histogram(metrics.TOKEN_USAGE)
        self._queue = histogram(metrics.QUEUE_TIME)
        self._prefill = histogram(metrics.PREFILL_TIME)
        self._requests = counter(metrics.REQUESTS)
        self._input = counter(metrics.INPUT_TOKENS)
        self._cached = counter(metrics.CACHED_INPUT_TOKENS)
        self._output = counter(metrics.OUTPUT_TOKENS)
        _read_engine(engine, self._model)

    def watch(self, open_requests: Sized, accelerators: Accelerators | None) -> None:
        """Shows how many requests are open, and the memory of what the engine runs on."""
        gauge(metrics.OPEN_REQUESTS, read=lambda: len(open_requests), attributes=self._model)
        if accelerators is not None and accelerators.count:
            gauges(metrics.MEMORY_FREE, lambda: self._memory(accelerators, lambda one: one.free_bytes))
            gauges(metrics.MEMORY_TOTAL, lambda: self._memory(accelerators, lambda one: one.total_bytes))

    def _memory(self, accelerators: Accelerators, read: Callable[[Memory], int]) -> Observations:
        return [(read(one), {**self._model, "device": str(one.device)}) for one in accelerators.memory()]

    def ended(self, event: TerminalEvent) -> None:
        """Takes in one generation; times of what did not happen are left out."""
        counts, timings, model = event.counts, event.timings, self._model
        outcome = {**model, "outcome": event.ending.outcome.name.lower()}
        self._requests.add(1, {**outcome, "reason": event.ending.reason.name})
        failed = {"error.type": event.ending.reason.name} if event.ending.reason else {}
        self._duration.record(timings.duration_microseconds / _MICROSECONDS, {**outcome, **failed})
        self._input.add(counts.input_tokens, model)
        self._cached.add(counts.cached_input_tokens, model)
        self._output.add(counts.output_tokens, model)
        self._usage.record(counts.input_tokens, {**model, "gen_ai.token.type": "input"})
        self._usage.record(counts.output_tokens, {**model, "gen_ai.token.type": "output"})
        if not counts.output_tokens:
            return
        self._ttft.record(timings.ttft_microseconds / _MICROSECONDS, model)
        self._queue.record(timings.queue_microseconds / _MICROSECONDS, model)
        self._prefill.record(timings.prefill_microseconds / _MICROSECONDS, model)
        if counts.longest_choice_tokens > 1:
            # Choices come side by side: by the tokens of all, each would seem to come that much faster.
            decode = timings.duration_microseconds - timings.ttft_microseconds
            self._tpot.record(decode / (counts.longest_choice_tokens - 1) / _MICROSECONDS, model)


def _read_engine(engine: Engine, model: dict[str, str]) -> None:
    def shows(metric: Gauge, read: Callable[[EngineLoad], float | None]) -> None:
        # What the engine does not say has no value, and not 0.
        def values() -> Observations:
            value = read(engine.load())
            return [] if value is None else [(value, model)]

        gauges(metric, values)

    shows(metrics.ENGINE_RUNNING, lambda load: load.running_requests)
    shows(metrics.ENGINE_WAITING, lambda load: load.waiting_requests)
    shows(metrics.ENGINE_KV_USAGE, lambda load: load.kv_usage)
    shows(metrics.ENGINE_LOAD_AGE, lambda load: load.age_seconds)
    read_counter(
        metrics.ENGINE_PREEMPTIONS,
        read=lambda: engine.load().preempted_requests_total or 0,
        attributes=model,
    )
