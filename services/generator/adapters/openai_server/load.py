"""A server's numbers about itself, under its own names; what it does not say is not known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.generator.adapters.openai_server.kinds import Metrics
from services.generator.domain.ports import EngineLoad

_CACHE_OF_VLLM: Final = "vllm:cache_config_info"
# Older numbers are not known any more.
_LATELY_SECONDS: Final = 15.0
# More is no count of anything that a server holds.
_MOST: Final = 2**31
# All that a server ever read.
_MOST_TOKENS: Final = 2.0**53
# A server has a series for each engine, and a line for each series; more would be parsed while streams wait.
_MOST_SERIES: Final = 1024
_MOST_LINE_LETTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one look at the metrics found."""

    running_requests: int | None = None
    waiting_requests: int | None = None
    kv_usage: float | None = None
    preempted_requests_total: int | None = None
    kv_block_tokens: int = 0
    kv_blocks: int = 0
    cached_tokens_total: int | None = None

    @property
    def says_load(self) -> bool:
        """Whether the server says how many requests run and wait."""
        return self.running_requests is not None and self.waiting_requests is not None


UNKNOWN: Final = Numbers()


def numbers_of(text: str, metrics: Metrics) -> Numbers:
    """Returns a server's numbers from its metrics; raises ValueError for what are none.

    Only its own lines are parsed: the others are many, and streams wait meanwhile.
    """
    told = (metrics.running, metrics.waiting, metrics.kv_usage, metrics.preempted, metrics.cached)
    names = (*filter(None, told), _CACHE_OF_VLLM)
    lines = [line for line in text.splitlines() if line.startswith(names)]
    if len(lines) > _MOST_SERIES or any(len(line) > _MOST_LINE_LETTERS for line in lines):
        raise ValueError("more series than a server has")
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            is_of_requests = sample.name in (metrics.running, metrics.waiting)
            if is_of_requests and sample.labels.get(metrics.part_label):
                continue
            samples.setdefault(sample.name, []).append(sample)
    # Each engine of a server has a series of its own.
    usages = _values(samples, metrics.kv_usage)
    blocks = _blocks(samples)
    return Numbers(
        _total(samples, metrics.running),
        _total(samples, metrics.waiting),
        max(usages) if usages else None,
        _total(samples, metrics.preempted),
        *blocks,
        _total(samples, metrics.cached, _MOST_TOKENS),
    )


def _total(samples: Mapping[str, list[Sample]], name: str, most: float = _MOST) -> int | None:
    found = _values(samples, name, most)
    return round(sum(found)) if found else None


def _values(samples: Mapping[str, list[Sample]], name: str, most: float = _MOST) -> list[float]:
    """Returns the values of a name; none where one is no number, or cannot be: then nothing is known."""
    values = [sample.value for sample in samples.get(name, [])]
    return values if all(math.isfinite(value) and 0 <= value < most for value in values) else []


def _blocks(samples: Mapping[str, list[Sample]]) -> tuple[int, int]:
    """Returns the tokens of a block, and the blocks of all of vLLM's engines."""
    tokens = blocks = 0
    for sample in samples.get(_CACHE_OF_VLLM, []):
        size, count = sample.labels.get("block_size", ""), sample.labels.get("num_gpu_blocks", "")
        if not (size.isdecimal() and count.isdecimal() and int(size) < _MOST and int(count) < _MOST):
            return 0, 0
        tokens, blocks = int(size), blocks + int(count)
    return tokens, blocks


class LoadSnapshot:
    """The last numbers, when they came, and when any answer last went on."""

    def __init__(self, now_seconds: float) -> None:
        self._numbers = UNKNOWN
        self._looked_seconds = now_seconds
        self._stepped_seconds = now_seconds
        self.said_seconds = now_seconds
        """When any answer last went on, whether or not others wait."""
        self._output_tokens_total = 0

    def looked(self, numbers: Numbers, now_seconds: float) -> None:
        """Takes what a look found."""
        self._numbers, self._looked_seconds = numbers, now_seconds

    def stepped(self, output_tokens: int, now_seconds: float) -> None:
        """Notes that an answer went on, and by how many tokens."""
        self._stepped_seconds = self.said_seconds = now_seconds
        self._output_tokens_total += output_tokens

    def read(self, unfinished_requests: int, now_seconds: float) -> EngineLoad:
        """Returns the load; the server is this generator's, so it runs nothing while that has nothing.

        Its age is that of the last step: metrics that are late are no engine that hangs.
        """
        is_known = now_seconds - self._looked_seconds <= _LATELY_SECONDS
        numbers, is_idle = self._numbers if is_known else UNKNOWN, unfinished_requests == 0
        if is_idle:
            self._stepped_seconds = now_seconds
        age_seconds = now_seconds - self._stepped_seconds
        return EngineLoad(
            running_requests=0 if is_idle else numbers.running_requests,
            waiting_requests=0 if is_idle else numbers.waiting_requests,
            kv_usage=0.0 if is_idle and numbers.kv_usage is not None else numbers.kv_usage,
            age_seconds=age_seconds,
            output_tokens_total=self._output_tokens_total,
            preempted_requests_total=numbers.preempted_requests_total,
        )
