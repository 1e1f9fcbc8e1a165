"""The engine before a canned server: a tokenizer of characters, and no model folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

from services.generator.adapters.grammars.grammars import Grammars
from services.generator.adapters.openai_server import engine as module
from services.generator.adapters.openai_server.engine import OpenAiServerEngine
from services.generator.adapters.openai_server.tokenizer import LoadedTokenizer
from services.generator.adapters.prompts.prompts import Prompts
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters
from services.kernel.clock import SystemClock
from tests.services.generator.adapters.openai_server.canned_server import CannedServer
from tests.services.generator.adapters.prompts.character_tokenizer import CharacterTokenizer

CONTEXT_TOKENS = 64


def tokenizer_of(_folder: str, context_tokens: int, *, has_chats: bool = True) -> LoadedTokenizer:
    assert has_chats
    prompts = Prompts(CharacterTokenizer(), lambda messages: messages, context_tokens)
    return LoadedTokenizer(prompts, lambda token_id: chr(token_id).encode(), 256, Grammars(lambda: ""))


@asynccontextmanager
async def engine_before(server: CannedServer, **told: object) -> AsyncIterator[OpenAiServerEngine]:
    """The engine, started; its connections are closed at the end."""
    parameters = OpenAiServerParameters.model_validate(
        {"url": server.url, "start_seconds": 20.0, "load_interval_seconds": 0.02, **told}
    )
    made = OpenAiServerEngine(ServedModel(CONTEXT_TOKENS, "folder"), parameters, SystemClock())
    with mock.patch.object(module, "load_tokenizer", tokenizer_of):
        await made.start()
    try:
        yield made
    finally:
        await made.close()
