"""Metrics of a generator and its engine."""

from typing import Final

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Histogram, Metric
from services.runtime.metrics.registry import buckets
from services.runtime.metrics.registry.attributes import GENERATION, REASON, TOKEN_TYPE

_GENERATOR: Final = ("generator",)
_OUTCOME: Final = Attribute(
    "outcome",
    (
        *("stop", "length", "tool_calls", "client_cancelled", "deadline", "shed", "preempted"),
        *("engine_failed", "refused"),
    ),
)
_DEVICE: Final = Attribute("device", source="index of an accelerator that the engine uses", most=64)

TTFT: Final = Histogram(
    "gen_ai.server.time_to_first_token",
    "s",
    "Time from a request's arrival at the generator to its first output token (TTFT), its wait in queues "
    "included.",
    GENERATION,
    _GENERATOR,
    bounds=buckets.FIRST_TOKEN_SECONDS,
)
TPOT: Final = Histogram(
    "gen_ai.server.time_per_output_token",
    "s",
    "Mean time per output token after the first, per request (TPOT).",
    GENERATION,
    _GENERATOR,
    bounds=buckets.OUTPUT_TOKEN_SECONDS,
)
DURATION: Final = Histogram(
    "gen_ai.server.request.duration",
    "s",
    "Time from a request's arrival at the generator to its last output token.",
    (
        *GENERATION,
        _OUTCOME,
        Attribute(
            "error.type", source="the reason of a request that failed; else it is absent", most=REASON.bound
        ),
    ),
    _GENERATOR,
    bounds=buckets.REQUEST_SECONDS,
)
TOKEN_USAGE: Final = Histogram(
    "gen_ai.client.token.usage",
    "{token}",
    "Input and output tokens of a request.",
    (*GENERATION, TOKEN_TYPE),
    _GENERATOR,
    bounds=buckets.TOKENS,
)
QUEUE_TIME: Final = Histogram(
    "comptoir.generator.queue_time",
    "s",
    "Wait of a request in the engine's queue.",
    GENERATION,
    _GENERATOR,
    bounds=buckets.SECONDS,
)
PREFILL_TIME: Final = Histogram(
    "comptoir.generator.prefill_time",
    "s",
    "Time from scheduled to first token in the engine.",
    GENERATION,
    _GENERATOR,
    bounds=buckets.SECONDS,
)
REQUESTS: Final = Counter(
    "comptoir.generator.requests",
    "{request}",
    "Generations that ended.",
    (*GENERATION, _OUTCOME, REASON),
    _GENERATOR,
)
INPUT_TOKENS: Final = Counter(
    "comptoir.generator.input_tokens",
    "{token}",
    "Input tokens of generations that ended, cached ones included.",
    GENERATION,
    _GENERATOR,
)
CACHED_INPUT_TOKENS: Final = Counter(
    "comptoir.generator.cached_input_tokens",
    "{token}",
    "Input tokens that the prefix cache held.",
    GENERATION,
    _GENERATOR,
)
OUTPUT_TOKENS: Final = Counter(
    "comptoir.generator.output_tokens",
    "{token}",
    "Output tokens of generations that ended.",
    GENERATION,
    _GENERATOR,
)
OPEN_REQUESTS: Final = Gauge(
    "comptoir.generator.open_requests",
    "{request}",
    "Requests that the generator serves now, those that wait included.",
    GENERATION,
    _GENERATOR,
)
TICKETS_REFUSED: Final = Counter(
    "comptoir.generator.tickets_refused", "{ticket}", "Tickets that were not accepted.", (REASON,), _GENERATOR
)
EVENTS_REFUSED: Final = Counter(
    "comptoir.generator.events_refused",
    "{event}",
    "Terminal events that the emitter will never take. Each one is a defect.",
    (),
    _GENERATOR,
)
ENDINGS_FAILED: Final = Counter(
    "comptoir.generator.endings_failed",
    "{ending}",
    "Endings of generations whose rest failed. Each one is a defect.",
    (),
    _GENERATOR,
)
ENGINE_RUNNING: Final = Gauge(
    "comptoir.engine.running_requests",
    "{request}",
    "Requests in the engine's running batch.",
    GENERATION,
    _GENERATOR,
)
ENGINE_WAITING: Final = Gauge(
    "comptoir.engine.waiting_requests",
    "{request}",
    "Requests that wait in the engine.",
    GENERATION,
    _GENERATOR,
)
ENGINE_KV_USAGE: Final = Gauge(
    "comptoir.engine.kv_usage", "{share}", "Share of the KV cache in use, 0 to 1.", GENERATION, _GENERATOR
)
ENGINE_LOAD_AGE: Final = Gauge(
    "comptoir.engine.load_age",
    "s",
    "Age of the engine's three numbers above; they stand still while it makes no step.",
    GENERATION,
    _GENERATOR,
)
ENGINE_PREEMPTIONS: Final = Counter(
    "comptoir.engine.preemptions",
    "{request}",
    "Times that the engine took a running request back into its queue.",
    GENERATION,
    _GENERATOR,
)
MEMORY_FREE: Final = Gauge(
    "comptoir.engine.accelerator_memory_free",
    "By",
    "Memory of an accelerator that nothing has taken. An engine takes nearly all of it at its start: what is "
    "left is the headroom for what it needs besides.",
    (*GENERATION, _DEVICE),
    _GENERATOR,
    condition="where the engine uses accelerators whose driver tells",
)
MEMORY_TOTAL: Final = Gauge(
    "comptoir.engine.accelerator_memory_total",
    "By",
    "Memory of an accelerator.",
    (*GENERATION, _DEVICE),
    _GENERATOR,
    condition="where the engine uses accelerators whose driver tells",
)

METRICS: Final[tuple[Metric, ...]] = (
    TTFT,
    TPOT,
    DURATION,
    TOKEN_USAGE,
    QUEUE_TIME,
    PREFILL_TIME,
    REQUESTS,
    INPUT_TOKENS,
    CACHED_INPUT_TOKENS,
    OUTPUT_TOKENS,
    OPEN_REQUESTS,
    TICKETS_REFUSED,
    EVENTS_REFUSED,
    ENDINGS_FAILED,
    ENGINE_RUNNING,
    ENGINE_WAITING,
    ENGINE_KV_USAGE,
    ENGINE_LOAD_AGE,
    ENGINE_PREEMPTIONS,
    MEMORY_FREE,
    MEMORY_TOTAL,
)
