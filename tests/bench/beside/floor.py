"""vLLM's AsyncLLM in the process of its only caller: the floor, with no server between the two.

Started by the benchmark, with the engine's arguments as JSON; it gives orders on the standard input.
"""

import asyncio
import gc
import json
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

import uvloop
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.inputs import tokens_input
from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.v1.engine.async_llm import AsyncLLM

from tests.bench.beside.chat import Said
from tests.bench.beside.closed_loop import PROMPTS, Ask, Load, closed_loop
from tests.bench.beside.window import Answer
from tests.bench.beside.worker import orders, say


class Floor:
    """One engine, asked with token ids, as cheaply as vLLM allows: deltas, no statistics, no logger."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        config = AsyncEngineArgs(**arguments).create_engine_config()
        self.dtype = str(config.model_config.dtype).removeprefix("torch.")
        self._llm: Any = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        self._tokenizer: Any = self._llm.renderer.tokenizer

    def outputs(self, prompt: str, max_tokens: int) -> tuple[list[int], AsyncGenerator[Any, None]]:
        """Returns the prompt's token ids and the answer's steps."""
        messages = [{"role": "user", "content": prompt}]
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = self._tokenizer.encode(text, add_special_tokens=False)
        params = SamplingParams(temperature=0, max_tokens=max_tokens, output_kind=RequestOutputKind.DELTA)
        return ids, self._llm.generate(tokens_input(ids), params, uuid.uuid4().hex)

    async def answer(self, prompt: str, max_tokens: int) -> Answer:
        """Generates, and says when the first text and the end came."""
        sent, first, tokens = time.monotonic(), None, 0
        _, outputs = self.outputs(prompt, max_tokens)
        async for output in outputs:
            completion = output.outputs[0]
            tokens += len(completion.token_ids)
            if first is None and completion.text:
                first = time.monotonic()
        return Answer(sent, first, time.monotonic(), tokens)

    async def whole(self, prompt: str, max_tokens: int) -> Said:
        """Generates a whole answer."""
        ids, outputs = self.outputs(prompt, max_tokens)
        texts, tokens, finish = [], 0, ""
        async for output in outputs:
            completion = output.outputs[0]
            texts.append(completion.text)
            tokens += len(completion.token_ids)
            finish = completion.finish_reason or finish
        return Said("".join(texts), finish, len(ids), tokens)

    async def obey(self, order: dict[str, Any]) -> None:
        """Does what one order says."""
        if order["do"] == "load":
            load = Load(**order["load"])
            seen = await closed_loop([self._asking(load)] * load.streams, load, say)
            say("done", seen=asdict(seen))
        elif order["do"] == "answer":
            answers = [await self.whole(prompt, order["max_tokens"]) for prompt in PROMPTS]
            say("answers", answers=[asdict(answer) for answer in answers])

    def _asking(self, load: Load) -> Ask:
        async def ask(prompt: str) -> Answer:
            return await self.answer(prompt, load.max_tokens)

        return ask

    def shutdown(self) -> None:
        """Stops the engine's process."""
        self._llm.shutdown(timeout=5.0)


async def main(arguments: dict[str, Any]) -> None:
    """Obeys until the benchmark ends."""
    floor = Floor(arguments)
    gc.collect()
    gc.freeze()
    say("ready", dtype=floor.dtype)
    try:
        async for order in orders():
            await floor.obey(order)
    finally:
        await asyncio.to_thread(floor.shutdown)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
