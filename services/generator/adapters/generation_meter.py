"""A generator's metrics: each generation once, at its end, and what the engine says of itself."""

from typing import Final

from services.generator.domain.ports import Engine
from services.generator.domain.terminal_event import TerminalEvent
from services.runtime.metrics.names import Aliases
from services.runtime.telemetry import counter, gauge, histogram, read_counter

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
        self._model = {"gen_ai.operation.name": operation, "gen_ai.request.model": model}
        self._ttft = histogram(
            "gen_ai.server.time_to_first_token", unit="s", description="Received to first output token."
        )
        self._tpot = histogram(
            "gen_ai.server.time_per_output_token",
            unit="s",
            description="Mean time per token after the first.",
        )
        self._duration = histogram(
            "gen_ai.server.request.duration", unit="s", description="Received to last output token."
        )
        self._usage = histogram(
            "gen_ai.client.token.usage", unit="{token}", description="Tokens of a request."
        )
        self._queue = histogram(
            "comptoir.generator.queue_time", unit="s", description="Wait in the engine's queue."
        )
        self._prefill = histogram(
            "comptoir.generator.prefill_time", unit="s", description="Scheduled to first token."
        )
        self._requests = counter(
            "comptoir.generator.requests", unit="{request}", description="Generations that ended."
        )
        self._input = counter("comptoir.generator.input_tokens", unit="{token}", description="Input tokens.")
        self._cached = counter(
            "comptoir.generator.cached_input_tokens",
            unit="{token}",
            description="Input tokens from the cache.",
        )
        self._output = counter(
            "comptoir.generator.output_tokens", unit="{token}", description="Output tokens."
        )
        _read_engine(engine, self._model)

    def ended(self, event: TerminalEvent) -> None:
        """Takes in one generation; times of what did not happen are left out."""
        counts, timings, model = event.counts, event.timings, self._model
        outcome = {**model, "outcome": event.ending.outcome.name.lower()}
        self._requests.add(1, {**outcome, "reason": event.ending.reason.name})
        self._duration.record(timings.duration_microseconds / _MICROSECONDS, outcome)
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
    gauge(
        "comptoir.engine.running_requests",
        unit="{request}",
        description="Requests in the running batch.",
        read=lambda: engine.load().running_requests,
        attributes=model,
    )
    gauge(
        "comptoir.engine.waiting_requests",
        unit="{request}",
        description="Requests that wait in the engine.",
        read=lambda: engine.load().waiting_requests,
        attributes=model,
    )
    gauge(
        "comptoir.engine.kv_usage",
        unit="1",
        description="Share of the KV cache in use.",
        read=lambda: engine.load().kv_usage,
        attributes=model,
    )
    gauge(
        "comptoir.engine.load_age",
        unit="s",
        description="Age of the engine's own numbers.",
        read=lambda: engine.load().age_seconds,
        attributes=model,
    )
    read_counter(
        "comptoir.engine.preemptions",
        unit="{request}",
        description="Running requests taken back into the queue.",
        read=lambda: engine.load().preempted_requests_total,
        attributes=model,
    )
