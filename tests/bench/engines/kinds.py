"""The engines that are measured, by a table: how each is started, and how one answer is asked of it.

Another engine is another row of `ENGINES`.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters, VllmParameters
from services.generator.domain.foreign_engine import OpenAiServerParameters
from services.generator.domain.ports import Engine
from services.kernel.clock import Clock
from tests.bench.engine_path import MODEL, PROMPT, Load
from tests.bench.engines.figures import ASYNC_LLM, VLLM
from tests.services.generator.adapters.openai_server.vllm_server import vllm_server

_CONTEXT_TOKENS: Final = 1024


class BareLoad(Load):
    """The same answers from vLLM's AsyncLLM itself, as cheaply as it allows: deltas of token ids given."""

    def __init__(self, engine: Any, clock: Clock, output_tokens: int) -> None:
        from vllm.sampling_params import RequestOutputKind, SamplingParams  # noqa: PLC0415 - as the engine

        super().__init__(engine, clock, output_tokens)
        # The very engine behind the adapter, so that both have one configuration.
        self._llm = engine._llm
        self._params = SamplingParams(max_tokens=output_tokens, output_kind=RequestOutputKind.DELTA)
        self._tokenizer = self._llm.renderer.tokenizer

    async def _one(self) -> None:
        from vllm.inputs import tokens_input  # noqa: PLC0415 - as the engine

        began, is_first = time.perf_counter(), True
        messages = [{"role": "user", "content": PROMPT}]
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompt = tokens_input(self._tokenizer.encode(text, add_special_tokens=False))
        async for output in self._llm.generate(prompt, self._params, uuid.uuid4().hex):
            self._tokens += len(output.outputs[0].token_ids)
            if is_first:
                is_first = False
                self._ttfts.append(time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine: how it is made, and the loads that are measured on it, by name."""

    make: Callable[[Clock, str], Engine]
    loads: tuple[tuple[str, type[Load]], ...]
    # What has to run beside it, and the URL of that.
    server: Callable[[Path], AbstractContextManager[str]] = lambda _folder: nullcontext("")


def _vllm(clock: Clock, _url: str) -> Engine:
    return engine_from(ServedModel(_CONTEXT_TOKENS, str(MODEL)), VllmParameters(), clock)


def _simulated(clock: Clock, _url: str) -> Engine:
    return engine_from(ServedModel(_CONTEXT_TOKENS), SimulatedParameters(), clock)


def _openai_server(clock: Clock, url: str) -> Engine:
    return engine_from(ServedModel(_CONTEXT_TOKENS, str(MODEL)), OpenAiServerParameters(url=url), clock)


def _vllm_server(folder: Path) -> AbstractContextManager[str]:
    """vLLM's own server, with as much room as the engine in process has; the last of two options counts."""
    as_in_process = VllmParameters()
    return vllm_server(
        folder,
        *("--max-num-seqs", str(as_in_process.max_running_requests)),
        *("--kv-cache-memory-bytes", str(as_in_process.kv_cache_memory_bytes)),
        *("--max-num-batched-tokens", str(as_in_process.whole_prefill_tokens(_CONTEXT_TOKENS))),
    )


ENGINES: Final = (
    Kind(_vllm, ((VLLM, Load), (ASYNC_LLM, BareLoad))),
    Kind(_simulated, (("simulated", Load),)),
    Kind(_openai_server, (("openai_server, vLLM's", Load),), _vllm_server),
)
