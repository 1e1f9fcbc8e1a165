"""vLLM as a maker of vectors: token ids in, one vector out, by its pooling runner."""

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from torch._dynamo import config as compiler
from vllm import __version__ as vllm_version
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import GracefulHTTPError, VLLMClientError
from vllm.inputs import tokens_input
from vllm.platforms import current_platform
from vllm.pooling_params import PoolingParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from services.generator.adapters.prompts.chat_prompt import is_short
from services.generator.adapters.prompts.text_prompt import TextPrompt
from services.generator.adapters.vllm.arguments import embedding_arguments
from services.generator.adapters.vllm.dtype import log_dtype
from services.generator.adapters.vllm.engine import VllmEngine
from services.generator.adapters.vllm.environment import fork_workers
from services.generator.adapters.vllm.frames import read_directly
from services.generator.adapters.vllm.processors import tell_processors
from services.generator.adapters.vllm.stats import stat_logger
from services.generator.adapters.vllm.tokenizer import direct
from services.generator.domain.ports import (
    Capabilities,
    EngineFailedError,
    EngineRequest,
    Feature,
    Receive,
    RequestFailedError,
    VectorRequest,
)
from services.generator.domain.prompt import Chat, Text
from services.kernel.errors import ComptoirError, Reason

_TOKENIZER_THREADS: Final = 2
_FEATURES: Final = Feature.TOKEN_IDS | Feature.PRIORITY | Feature.EMBEDDING | Feature.LOAD


class VllmEmbeddingEngine(VllmEngine):
    """One AsyncLLM that pools; it starts, is watched and stops as one that generates."""

    _texts: TextPrompt | None = None
    _threads: ThreadPoolExecutor | None = None

    def _load(self) -> None:
        is_cpu = current_platform.is_cpu()
        arguments = AsyncEngineArgs(**embedding_arguments(self._model, self._parameters, is_cpu=is_cpu))
        config = arguments.create_engine_config()
        dtype = log_dtype(config.model_config)
        if is_cpu:
            # As for one that generates: to compile takes a C++ compiler.
            compiler.disable = True
            tell_processors()
        fork_workers()
        self._llm = AsyncLLM.from_vllm_config(
            config, stat_loggers=[stat_logger(self._stats)], disable_log_stats=True
        )
        read_directly(self._llm.engine_core)
        self._threads = ThreadPoolExecutor(_TOKENIZER_THREADS, thread_name_prefix="tokenizer")
        self._tokenizer = direct(self._llm.renderer.tokenizer)
        self._texts = TextPrompt(self._tokenizer, self._model.context_tokens)
        model = config.model_config
        # No blocks: nothing of an input stays in a cache.
        self._capabilities = Capabilities(
            self._model.context_tokens,
            0,
            0,
            _FEATURES,
            model.get_vocab_size(),
            "vllm",
            vllm_version,
            _sizes(model),
            dtype=dtype,
        )

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns a text's token ids; REQUEST_INVALID for a chat, of which the model has no template."""
        if self._texts is None:
            raise EngineFailedError
        if isinstance(prompt, Chat):
            raise ComptoirError(Reason.REQUEST_INVALID, field="messages")
        ids = self._texts.ordinary_ids(prompt.text) if is_short(prompt) else None
        if ids is not None:
            return ids
        # A long text takes long, and everything else of this process would wait for it.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._texts.token_ids, prompt.text)

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        """Returns the text of token ids, in which control tokens have none or their spelling."""
        loop = asyncio.get_running_loop()
        text = partial(self._text_of, ids, spells_controls=spells_controls)
        return await loop.run_in_executor(self._threads, text)

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Refuses: this engine answers nothing."""
        del request, receive
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def embed(self, request: VectorRequest) -> bytes:
        """Returns the vector of an input; vLLM takes a cancelled one out of its queue and its batch."""
        if self._llm is None:
            raise EngineFailedError
        whole = self._capabilities.vector_sizes[0]
        # A model that cannot cut its vectors takes no size at all.
        params = PoolingParams(task="embed", dimensions=request.size if request.size != whole else None)
        prompt = tokens_input(list(request.ids))
        steps = self._llm.encode(prompt, params, request.request_id, priority=request.priority or 0)
        try:
            async with aclosing(steps):
                async for output in steps:
                    return _bytes_of(output.outputs.data)
        except EngineDeadError:
            raise EngineFailedError from None
        except GracefulHTTPError:
            raise ComptoirError(Reason.REPLICA_OVERLOADED) from None
        except (VLLMClientError, ValueError):
            raise ComptoirError(Reason.REQUEST_INVALID, field="inputs") from None
        except EngineGenerateError:
            raise RequestFailedError from None
        raise RequestFailedError

    def shutdown(self) -> None:
        """Stops; blocks."""
        super().shutdown()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _text_of(self, ids: Sequence[int], *, spells_controls: bool) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=not spells_controls)


def _sizes(model: Any) -> Sequence[int]:
    """Returns how many numbers vectors can have, the whole ones first."""
    whole = int(model.embedding_size)
    if model.matryoshka_dimensions:
        return (whole, *(size for size in model.matryoshka_dimensions if size != whole))
    return range(whole, 0, -1) if model.is_matryoshka else (whole,)


def _bytes_of(vector: Any) -> bytes:
    numbers = vector.float().cpu().numpy()
    values: bytes = (numbers if sys.byteorder == "little" else numbers.byteswap()).tobytes()
    return values
