"""An engine behind an OpenAI-compatible server: prompts as token ids out, deltas in."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from services.generator.adapters.openai_server.answer import Answer
from services.generator.adapters.openai_server.body import PARAMETERS, body_of, check_parameters
from services.generator.adapters.openai_server.connection import Connection
from services.generator.adapters.openai_server.kinds import KINDS, Kind
from services.generator.adapters.openai_server.load import LoadSnapshot
from services.generator.adapters.openai_server.prefix_probe import check_no_prefix_cache
from services.generator.adapters.openai_server.reading import ChoiceReader
from services.generator.adapters.openai_server.server import Server
from services.generator.adapters.openai_server.stream import ChoiceStream
from services.generator.adapters.openai_server.tokenizer import LoadedTokenizer, load_tokenizer
from services.generator.adapters.openai_server.trial import check_grammars
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters, PrefixCache
from services.generator.domain.ports import (
    Capabilities,
    EngineFailedError,
    EngineLoad,
    EngineRequest,
    Feature,
    Receive,
    VectorRequest,
)
from services.generator.domain.prompt import Chat, Text, TokenIds, field_of
from services.generator.domain.structure import FIELD, Structure
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
_CLOSE_SECONDS: Final = 5.0


class OpenAiServerEngine:
    """One server, which is this generator's alone. Each choice is a connection; closing it is its abort."""

    # Whether the model has a chat template.
    _has_chats = True

    def __init__(self, model: ServedModel, parameters: OpenAiServerParameters, clock: Clock) -> None:
        self._model = model
        self._parameters = parameters
        self._clock = clock
        self._kind = KINDS[parameters.kind]
        self._connection = Connection(parameters)
        self._snapshot = LoadSnapshot(clock.monotonic_seconds())
        self._server = Server(self._connection, self._kind, parameters, self._snapshot, clock)
        self._tokenizer: LoadedTokenizer | None = None
        self._open: dict[str, Answer] = {}
        self._watch: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        features = _features(self._kind, parameters)
        self._capabilities = Capabilities(model.context_tokens, 0, 0, features)

    async def start(self) -> None:
        """Waits for the server; SettingsError where it is not the one that the settings tell of."""
        self._loop = asyncio.get_running_loop()
        told = (self._model.path, self._model.context_tokens)
        load = partial(load_tokenizer, *told, has_chats=self._has_chats)
        tokenizer = self._tokenizer = await self._loop.run_in_executor(None, load)
        try:
            await self._server.wait(self._model.context_tokens, tokenizer.prompts)
        except BaseException:
            await self.close()
            raise
        numbers = await self._server.look()
        features = self._capabilities.features
        if not numbers.says_load:
            features &= ~Feature.LOAD
            _log.warning("engine_load_unknown")
        self._capabilities = Capabilities(
            self._model.context_tokens,
            numbers.kv_block_tokens,
            numbers.kv_blocks,
            features,
            tokenizer.vocabulary_tokens,
            self._kind.engine_name,
            lacks=frozenset(PARAMETERS) - self._kind.parameters.keys(),
        )
        await self._check_settings()
        self._watch = asyncio.create_task(self._server.follow())

    @property
    def capabilities(self) -> Capabilities:
        """Known once the engine has started."""
        return self._capabilities

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns the prompt's token ids; raises REQUEST_INVALID if the template refuses the roles."""
        return await self._loaded().prompts.token_ids(prompt)

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        """Returns the text of token ids, in which control tokens have none or their spelling."""
        return await self._loaded().prompts.text(ids, spells_controls=spells_controls)

    async def check_structure(self, structure: Structure, field: str = FIELD, tenant: int = 0) -> None:
        """Raises PARAMETER_UNSUPPORTED for a structure of which no grammar can be made in time."""
        await self._loaded().grammars.check(structure, field, tenant)

    async def embed(self, request: VectorRequest) -> bytes:
        """Refuses: this engine answers."""
        del request
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Sends a request for each choice, and reads all once the server has taken them."""
        prompt = request.prompt
        ids = prompt.ids if isinstance(prompt, TokenIds) else await self.tokenize(prompt)
        self._check(ids, request)
        streams = [self._stream(request, ids, index) for index in range(request.sampling.n)]
        answer = Answer(streams, receive, self._stepped, partial(self._open.pop, request.request_id, None))
        self._open[request.request_id] = answer
        await answer.open()

    async def abort(self, request_id: str) -> None:
        """Closes the connections of a request; does nothing for an unknown one."""
        answer = self._open.pop(request_id, None)
        if answer is not None:
            answer.abort()

    def load(self) -> EngineLoad:
        """Returns how busy it is, from memory."""
        return self._snapshot.read(self.unfinished_requests(), self._clock.monotonic_seconds())

    def unfinished_requests(self) -> int:
        """Returns how many choices are open; exact."""
        return sum(answer.open_choices for answer in self._open.values())

    async def check_health(self) -> None:
        """Raises EngineFailedError if the server has not answered for too long."""
        if not self._server.is_reachable:
            raise EngineFailedError

    def shutdown(self) -> None:
        """Closes the connections; blocks. The server goes on: it is not this process's."""
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.close(), self._loop).result(_CLOSE_SECONDS)

    async def _check_settings(self) -> None:
        """Raises SettingsError where the server does not do as the settings say."""
        try:
            async with asyncio.timeout(self._parameters.start_seconds):
                await self._try_out()
        except TimeoutError:
            await self.close()
            raise SettingsError(
                "the server does not end its first answers within generator.openai_server.start_seconds; its "
                "own log says why."
            ) from None
        except BaseException:
            await self.close()
            raise

    async def _try_out(self) -> None:
        if self._parameters.prefix_cache is PrefixCache.OFF:
            await check_no_prefix_cache(self, self._kind, self._server.look, asyncio.sleep)
        if self._parameters.has_llguidance:
            await check_grammars(self)

    def _stepped(self, output_tokens: int) -> None:
        self._snapshot.stepped(output_tokens, self._clock.monotonic_seconds())

    async def close(self) -> None:
        """Closes the connections, and ends what still comes."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        for request_id in tuple(self._open):
            await self.abort(request_id)
        await self._connection.close()
        if self._tokenizer is not None:
            self._tokenizer.prompts.close()
            self._tokenizer.grammars.close()

    def _stream(self, request: EngineRequest, ids: Sequence[int], index: int) -> ChoiceStream:
        body = body_of(request, ids, index, self._kind, served_model=self._server.served_model)
        reader = ChoiceReader(
            request,
            index,
            self._loaded().token_bytes,
            input_tokens=len(ids),
            keeps_stops=bool(self._kind.keeps_stops),
        )
        return ChoiceStream(self._connection, body, reader, request.max_output_tokens)

    def _check(self, ids: Sequence[int], request: EngineRequest) -> None:
        check_parameters(request.sampling, self._kind)
        if not ids:
            raise ComptoirError(Reason.REQUEST_INVALID, field=field_of(request.prompt))
        if len(ids) + request.max_output_tokens > self._model.context_tokens:
            numbers = Numbers(self._model.context_tokens, len(ids))
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field=field_of(request.prompt), numbers=numbers)

    def _loaded(self) -> LoadedTokenizer:
        if self._tokenizer is None:
            raise EngineFailedError
        return self._tokenizer


def _features(kind: Kind, parameters: OpenAiServerParameters) -> Feature:
    features = kind.features
    if parameters.prefix_cache is PrefixCache.OFF:
        # There is nothing to keep apart.
        features &= ~Feature.PREFIX_SALT
    if parameters.has_llguidance:
        features |= Feature.STRUCTURE
    return features | Feature.PRIORITY if parameters.is_priority_scheduled else features
