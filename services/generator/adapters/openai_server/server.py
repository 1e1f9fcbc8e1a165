"""The server that is asked: waited for at the start, checked against the settings, and then watched."""

import asyncio
from typing import Any, Final

import msgspec

from services.generator.adapters.openai_server.connection import (
    Connection,
    KeyRefusedError,
    ServerAwayError,
)
from services.generator.adapters.openai_server.kinds import Kind
from services.generator.adapters.openai_server.load import UNKNOWN, LoadSnapshot, Numbers, numbers_of
from services.generator.adapters.prompts.prompts import Prompts
from services.generator.domain.foreign_engine import OpenAiServerParameters, PrefixCache
from services.generator.domain.ports import Feature, Sleep
from services.generator.domain.prompt import Text
from services.kernel.clock import Clock
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
_ANSWER_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 0.5
# Accents, a letter of several tokens, and a number: tokenizers differ in them.
_PROBE: Final = "Où est l'hôtel ? Žluťoučký kůň, 42 🚆"


class Server:
    """Knows whether the server can be reached, and what it says of itself."""

    def __init__(
        self,
        connection: Connection,
        kind: Kind,
        parameters: OpenAiServerParameters,
        snapshot: LoadSnapshot,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._kind = kind
        self._parameters = parameters
        self._snapshot = snapshot
        self._clock = clock
        self._sleep = sleep
        self._answered_seconds = clock.monotonic_seconds()
        self.served_model = parameters.served_model

    @property
    def is_reachable(self) -> bool:
        """Whether it has answered lately, or an answer went on: who is busy may leave a look waiting."""
        answered_seconds = max(self._answered_seconds, self._snapshot.said_seconds)
        silent_seconds = self._clock.monotonic_seconds() - answered_seconds
        return silent_seconds <= self._parameters.unreachable_seconds

    async def wait(self, context_tokens: int, prompts: Prompts) -> None:
        """Returns once it serves the model; SettingsError where it does not in time, or serves another."""
        told = await self._models()
        named = {str(model.get("id")): model for model in told if isinstance(model, dict)}
        if not self.served_model and len(named) == 1:
            self.served_model = next(iter(named))
        if self.served_model not in named:
            raise SettingsError(
                f"the server serves {', '.join(sorted(named)) or 'no model'}; set "
                "generator.openai_server.served_model to one of them."
            )
        holds = named[self.served_model].get("max_model_len")
        if isinstance(holds, int) and holds < context_tokens:
            raise SettingsError(
                f"the server's context is {holds} tokens and the catalog's {context_tokens}; start the "
                "server with a longer one, or lower the model's context_tokens in the catalog."
            )
        await self._check_tokenizer(prompts)
        await self._check_salt()
        self._answered_seconds = self._clock.monotonic_seconds()

    async def follow(self) -> None:
        """Looks at its health and its numbers again and again, for ever; neither waits for the other."""
        async with asyncio.TaskGroup() as looks:
            looks.create_task(self._follow_health())
            looks.create_task(self._follow_numbers())

    async def look(self) -> Numbers:
        """Returns its numbers now, as far as it says any."""
        metrics = self._kind.metrics
        try:
            content = await self._connection.get(metrics.path, seconds=_ANSWER_SECONDS)
            numbers = UNKNOWN if content is None else numbers_of(content.decode(), metrics)
        except (ServerAwayError, KeyRefusedError, ValueError):
            numbers = UNKNOWN
        self._snapshot.looked(numbers, self._clock.monotonic_seconds())
        return numbers

    async def _follow_health(self) -> None:
        """Looks often enough that one look may be lost."""
        unreachable_seconds = self._parameters.unreachable_seconds
        interval_seconds = min(self._parameters.load_interval_seconds, unreachable_seconds / 4)
        answer_seconds = min(_ANSWER_SECONDS, unreachable_seconds / 3)
        while True:
            await self._sleep(interval_seconds)
            try:
                if await self._connection.get("/health", seconds=answer_seconds) is not None:
                    self._answered_seconds = self._clock.monotonic_seconds()
            except (ServerAwayError, KeyRefusedError):
                pass

    async def _follow_numbers(self) -> None:
        while True:
            await self._sleep(self._parameters.load_interval_seconds)
            await self.look()

    async def _models(self) -> list[Any]:
        """Returns what the server says that it serves, once it says anything."""
        end_seconds = self._clock.monotonic_seconds() + self._parameters.start_seconds
        is_told = False
        while True:
            try:
                told = _object(await self._connection.get("/v1/models", seconds=_ANSWER_SECONDS))
            except KeyRefusedError:
                raise SettingsError(
                    "the server refuses the key; see generator.openai_server.api_key_file."
                ) from None
            except ServerAwayError:
                told = None
            if told is not None and isinstance(told.get("data"), list):
                return list(told["data"])
            if self._clock.monotonic_seconds() >= end_seconds:
                raise SettingsError(
                    f"no OpenAI-compatible server answers at {self._parameters.url}; start it, or set "
                    "generator.openai_server.url."
                )
            if not is_told:
                is_told = True
                _log.info("engine_awaited")
            await self._sleep(_RETRY_SECONDS)

    async def _check_salt(self) -> None:
        """Raises SettingsError where tenants are kept apart by a salt of which the server does not know.

        One that does not describe what it takes is believed, and the log says so.
        """
        is_salted = Feature.PREFIX_SALT in self._kind.features
        if not is_salted or self._parameters.prefix_cache is not PrefixCache.PER_REQUEST:
            return
        try:
            content = await self._connection.get("/openapi.json", seconds=_ANSWER_SECONDS)
        except (ServerAwayError, KeyRefusedError):
            content = None
        if _object(content) is None:
            _log.warning("engine_salt_unchecked")
        elif b'"cache_salt"' not in (content or b""):
            raise SettingsError(
                "the server knows no cache_salt, so its prefix cache would show one tenant what another "
                "asked: take a later release, or set generator.openai_server.prefix_cache to off and start "
                "it without the cache, or to one_tenant together with generator.tenant."
            )

    async def _check_tokenizer(self, prompts: Prompts) -> None:
        """Raises SettingsError where the server reads a text as other tokens than the model folder does.

        A server that does not say how it reads texts is believed.
        """
        if not self._kind.tokenize_path:
            return
        body = {"model": self.served_model, self._kind.tokenize_field: _PROBE, "add_special_tokens": False}
        try:
            content = await self._connection.post(self._kind.tokenize_path, body, seconds=_ANSWER_SECONDS)
        except (ServerAwayError, KeyRefusedError):
            return
        told = _object(content)
        ids = None if told is None else told.get("tokens")
        if not isinstance(ids, list):
            return
        ours = list(await prompts.token_ids(Text(_PROBE)))
        # A tokenizer may put marks around every text, which the server was asked to leave out.
        if ids != ours[len(ours) - len(ids) :] and ids != ours[: len(ids)]:
            raise SettingsError(
                "the server reads text as other tokens than generator.model_path; set that to the folder of "
                "the model that the server serves."
            )


def _object(content: bytes | None) -> dict[str, Any] | None:
    try:
        decoded = None if content is None else msgspec.json.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
