"""A maker of vectors behind an OpenAI-compatible server: token ids of one input out, its vector in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import aiohttp

from services.generator.adapters.openai_server.engine import OpenAiServerEngine
from services.generator.adapters.openai_server.reading import BUSY, BrokenStreamError, Fault
from services.generator.adapters.openai_server.stream import INVALID
from services.generator.adapters.openai_server.vectors import BYTES_PER_NUMBER, are_alike, body_of, vectors_of
from services.generator.domain.foreign_engine import PrefixCache
from services.generator.domain.ports import (
    EngineRequest,
    Feature,
    Receive,
    RequestFailedError,
    VectorRequest,
)
from services.generator.domain.prompt import Chat, Text
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
_PATH: Final = "/v1/embeddings"
_OK: Final = 200
_WORD: Final = "Bonjour"
# More than most servers have places.
_AT_ONCE: Final = 16
_OF_VECTORS: Final = Feature.TOKEN_IDS | Feature.LOAD
# A text of four letters is three bytes, and something stands around it.
_MOST_BYTES: Final = 8 * 1024 * 1024


class OpenAiServerEmbeddingEngine(OpenAiServerEngine):
    """One server of vectors; it starts, is watched and stops as one that answers."""

    _has_chats = False
    _inputs = 0

    async def tokenize(self, prompt: Chat | Text) -> list[int]:
        """Returns a text's token ids; REQUEST_INVALID for a chat, of which the model has no template."""
        if isinstance(prompt, Chat):
            raise ComptoirError(Reason.REQUEST_INVALID, field="messages")
        return list(await super().tokenize(prompt))

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Refuses: this engine answers nothing."""
        del request, receive
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def embed(self, request: VectorRequest) -> bytes:
        """Returns the vector of an input; one that is cancelled closes its connection, as an abort does."""
        context_tokens = self._model.context_tokens
        if len(request.ids) > context_tokens:
            numbers = Numbers(context_tokens, len(request.ids))
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field="inputs", numbers=numbers)
        (vector,) = await self._asked([request.ids])
        if len(vector) != request.size * BYTES_PER_NUMBER:
            raise _failed(Fault.NO_VECTOR)
        return vector

    def unfinished_requests(self) -> int:
        """Returns how many inputs the server has; exact."""
        return self._inputs

    async def _try_out(self) -> None:
        """Learns how many numbers a vector has; SettingsError where the server makes none."""
        ids = await self.tokenize(Text(_WORD))
        try:
            (vector,) = await self._asked([ids])
            is_apart = await self._keeps_inputs_apart(ids)
        except (ComptoirError, RequestFailedError):
            raise SettingsError(
                "the server makes no vector of a first word: start it for an embedding model, as "
                "docs/engines.md says; its own log says more."
            ) from None
        if not is_apart:
            raise SettingsError(
                "the server mixes the inputs that it has at once: a vector was another one among others. "
                "Start it with --kv-unified or with --parallel 1, as docs/engines.md says."
            )
        features = self._capabilities.features & _OF_VECTORS | Feature.EMBEDDING
        # Nothing of an input stays, so there are no blocks.
        self._capabilities = replace(
            self._capabilities,
            kv_block_tokens=0,
            kv_blocks=0,
            features=features,
            vector_sizes=(len(vector) // BYTES_PER_NUMBER,),
            lacks=frozenset(),
        )
        if self._parameters.prefix_cache is PrefixCache.OFF:
            _log.warning("engine_prefix_cache_unchecked")

    async def _keeps_inputs_apart(self, ids: Sequence[int]) -> bool:
        """Whether inputs of several lengths have the same vectors together, in one request, as alone."""
        repeats = min(_AT_ONCE, self._model.context_tokens // len(ids))
        inputs = [list(ids) * times for times in range(1, repeats + 1)]
        together = await self._asked(inputs)
        for one, among_others in zip(inputs, together, strict=True):
            (alone,) = await self._asked([one])
            if not are_alike(alone, among_others):
                return False
        return True

    async def _asked(self, inputs: Sequence[Sequence[int]]) -> list[bytes]:
        self._inputs += len(inputs)
        try:
            body = body_of(inputs, served_model=self._server.served_model)
            async with await self._connection.stream(_PATH, body) as response:
                if response.status != _OK:
                    raise _refused(response.status)
                content = await _whole(response)
            vectors = vectors_of(content, inputs)
        except BrokenStreamError as broken:
            raise _failed(broken.fault) from None
        except TimeoutError:
            raise _failed(Fault.SILENT) from None
        except (aiohttp.ClientError, OSError):
            raise _failed(Fault.DISCONNECTED) from None
        finally:
            self._inputs -= len(inputs)
        self._stepped(0)
        return vectors


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Returns all of an answer, which is bounded."""
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > _MOST_BYTES:
            raise BrokenStreamError(Fault.TOO_LONG)
    return bytes(content)


def _refused(status: int) -> ComptoirError | RequestFailedError:
    if status in INVALID:
        return ComptoirError(Reason.REQUEST_INVALID, field="inputs")
    if status in BUSY:
        return ComptoirError(Reason.REPLICA_OVERLOADED)
    _log.warning("engine_refused", http_status=status)
    return RequestFailedError()


def _failed(fault: Fault) -> RequestFailedError:
    _log.warning("engine_stream_failed", kind=fault.value)
    return RequestFailedError()
