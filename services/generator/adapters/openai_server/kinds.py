"""What each kind of server can do, and how it spells it; read from its source, see docs/engines.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.generator.domain.foreign_engine import ServerKind
from services.generator.domain.ports import Feature

_IDS: Final = Feature.TOKEN_IDS
# vLLM adds the index of a choice to a seed, as a signed number of 64 bits.
_SIGNED_SEEDS: Final = 2**63 - 16
_SMALLEST_FLOAT: Final = 2.0**-126
# The largest means at random.
_SEEDS_OF_LLAMA_CPP: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Metrics:
    """Names of gauges at `path`; empty is what the server does not say. Numbers of several series add up.

    A series of requests with a value of `part_label` is a part of the one without, which says it all.
    """

    path: str
    running: str
    waiting: str
    kv_usage: str = ""
    preempted: str = ""
    part_label: str = ""
    # Counts tokens of prompts that came from the prefix cache; left out, perhaps, where that is off.
    cached: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One server: features, spelling of sampling parameters, and what goes with every request."""

    engine_name: str
    features: Feature
    metrics: Metrics
    # By our names; a parameter without one cannot be asked for.
    parameters: Mapping[str, str]
    # What holds an answer to a grammar of llguidance.
    held_to: Callable[[str], Mapping[str, Any]]
    always: Mapping[str, Any] = field(default_factory=dict)
    forms: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    most_seeds: int = _SIGNED_SEEDS
    # Asks the server for token ids of a text: the body for a text.
    tokenize_path: str = ""
    tokenize_field: str = "prompt"
    # Asks it to leave in the answer what stopped it: it streams the beginning of a stop string before it has
    # found the string, and then nobody can tell how much of that was one. TensorRT-LLM's count falls without.
    keeps_stops: str = ""
    # Says with each answer how much of its prompt was cached, were it nothing.
    says_cached_tokens: bool = False
    # What starts it without its prefix cache.
    cache_off: str = ""


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_OPENAIS: Final = _same(
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "logit_bias"
)
_FURTHER: Final = _same("min_p", "top_k", "repetition_penalty", "ignore_eos")
_ENDINGS: Final = _same("min_tokens", "stop_token_ids")
_COUNTED: Final = {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}


def _pairs(bias: Mapping[int, float]) -> list[list[float]]:
    return [[token_id, value] for token_id, value in bias.items()]


KINDS: Final[Mapping[ServerKind, Kind]] = {
    ServerKind.VLLM: Kind(
        "vllm",
        _IDS | Feature.PREFIX_SALT | Feature.OUTPUT_TOKEN_IDS | Feature.LOGPROBS | Feature.LOAD,
        Metrics(
            "/metrics",
            "vllm:num_requests_running",
            "vllm:num_requests_waiting",
            "vllm:kv_cache_usage_perc",
            "vllm:num_preemptions_total",
            cached="vllm:prefix_cache_hits_total",
        ),
        _OPENAIS | _FURTHER | _ENDINGS,
        lambda grammar: {"structured_outputs": {"grammar": grammar}},
        _COUNTED,
        tokenize_path="/tokenize",
        cache_off="--no-enable-prefix-caching",
    ),
    ServerKind.SGLANG: Kind(
        "sglang",
        _IDS | Feature.PREFIX_SALT | Feature.OUTPUT_TOKEN_IDS | Feature.LOAD,
        Metrics(
            "/metrics",
            "sglang:num_running_reqs",
            "sglang:num_queue_reqs",
            "sglang:token_usage",
            "sglang:num_retracted_requests_total",
            # With its priority scheduling.
            part_label="priority",
            cached="sglang:cached_tokens_total",
        ),
        _OPENAIS | _FURTHER | _ENDINGS,
        # Its name for every grammar that is no schema and no expression.
        lambda grammar: {"ebnf": grammar},
        _COUNTED,
        # -1 is its whole vocabulary, and 0 refused.
        forms={"top_k": lambda top_k: top_k if top_k > 0 else -1},
        tokenize_path="/tokenize",
        keeps_stops="no_stop_trim",
        cache_off="--disable-radix-cache",
    ),
    ServerKind.TENSORRT_LLM: Kind(
        "tensorrt_llm",
        _IDS | Feature.LOAD,
        # With `return_perf_metrics` and `enable_iter_perf_stats`; its `/metrics` is JSON of another meaning.
        Metrics(
            "/prometheus/metrics",
            "trtllm_num_requests_running",
            "trtllm_num_requests_waiting",
            "trtllm_kv_cache_utilization",
        ),
        _OPENAIS | _FURTHER | _ENDINGS,
        lambda grammar: {"response_format": {"type": "ebnf", "ebnf": grammar}},
        _COUNTED,
        forms={"top_k": lambda top_k: max(0, top_k)},
        keeps_stops="include_stop_str_in_output",
        says_cached_tokens=True,
        cache_off="kv_cache_config.enable_block_reuse: false",
    ),
    ServerKind.LLAMA_CPP: Kind(
        "llama_cpp",
        _IDS,
        # How full its cache is, it does not say.
        Metrics("/metrics", "llamacpp:requests_processing", "llamacpp:requests_deferred"),
        _OPENAIS | _FURTHER | {"repetition_penalty": "repeat_penalty"},
        lambda grammar: {"grammar": grammar},
        {
            "stream_options": {"include_usage": True},
            # The count of each chunk, which it tells nowhere else.
            "timings_per_token": True,
            # It has no salt, and a prefix that stayed would be everybody's.
            "cache_prompt": False,
            # Of all tokens it takes no number, and keeps a place for each of this many.
            "repeat_last_n": 8192,
            # The temperature is the first of them at the others.
            "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
        },
        forms={
            "top_k": lambda top_k: max(0, top_k),
            "logit_bias": _pairs,
            # What is smaller is 0 to it, and refused.
            "repetition_penalty": lambda penalty: max(penalty, _SMALLEST_FLOAT),
        },
        most_seeds=_SEEDS_OF_LLAMA_CPP,
        tokenize_path="/tokenize",
        tokenize_field="content",
        says_cached_tokens=True,
        cache_off="--no-cache-prompt",
    ),
}
