"""Requests to an OpenAI endpoint as a load sends them: many at once, each timed, none repeated."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp

from services.cli.bench.answers import BROKEN_OFF, NOT_OPENAI, AnswerReader, CountTokens, refusal
from services.cli.bench.errors import BenchError
from services.cli.bench.exchange import Exchange
from services.cli.bench.sse import EventReader, EventTooLong
from services.cli.loading.driver import Now
from services.cli.loading.orders import Order

Api = Literal["chat", "completions"]
NOT_CONNECTED: Final = "not_connected"
TIMED_OUT: Final = "timed_out"
_PATHS: Final[Mapping[Api, str]] = {"chat": "/chat/completions", "completions": "/completions"}
_LIST_SECONDS: Final = 30.0
# Uvicorn closes what is idle for 5 s; a request on a connection that just closes would count as a failure.
_KEEP_ALIVE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and how; `api_key` is empty where the endpoint wants none."""

    base_url: str
    model: str
    api: Api = "chat"
    is_streamed: bool = True
    api_key: str = ""
    timeout_seconds: float = 600.0
    extra_body: Mapping[str, Any] | None = None


class OpenAiEndpoint:
    """One endpoint behind one pool of connections. No proxy of the environment stands between."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        target: Target,
        now: Now,
        count_tokens: CountTokens | None = None,
    ) -> None:
        self._session = session
        self._now = now
        self._count_tokens = count_tokens
        self.ask(target)

    def ask(self, target: Target) -> None:
        """Asks this from now on: the same endpoint, of which a model is known meanwhile."""
        self._target = target
        self._url = target.base_url.rstrip("/") + _PATHS[target.api]

    async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
        """Sends one request and returns what was seen of its answer."""
        reader = AnswerReader(self._count_tokens)
        body = self._body(order)
        sent = self._now()
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                if response.status != 200:  # noqa: PLR2004 - OK
                    reader.failure = refusal(response.status, await response.read())
                elif self._target.is_streamed:
                    await self._read_stream(response, reader)
                else:
                    reader.take_whole(await response.read())
        except TimeoutError:
            reader.failure = TIMED_OUT
        except aiohttp.ClientConnectorError:
            reader.failure = NOT_CONNECTED
        except (aiohttp.ClientError, OSError):
            reader.failure = reader.failure or BROKEN_OFF
        except EventTooLong:
            reader.failure = NOT_OPENAI
        ended = self._now()
        counted = reader.counted()
        return Exchange(
            scheduled_seconds,
            sent,
            ended,
            reader.token_seconds,
            counted.input_tokens,
            counted.output_tokens,
            counted.by,
            reader.failure,
        )

    async def models(self) -> list[str]:
        """Returns the names that the endpoint lists; none where it lists none."""
        url = self._target.base_url.rstrip("/") + "/models"
        timeout = aiohttp.ClientTimeout(total=_LIST_SECONDS)
        try:
            async with self._session.get(url, allow_redirects=False, timeout=timeout) as response:
                content = json.loads(await response.read())
            return [str(model["id"]) for model in content["data"]]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, LookupError, TypeError):
            return []

    async def _read_stream(self, response: aiohttp.ClientResponse, reader: AnswerReader) -> None:
        events = EventReader()
        async for received in response.content.iter_any():
            at = self._now()
            for data in events.take(received):
                reader.take(data, at)
        reader.end()

    def _body(self, order: Order) -> bytes:
        target = self._target
        content: dict[str, Any] = {"model": target.model}
        if target.api == "chat":
            content["messages"] = [{"role": "user", "content": order.prompt}]
        else:
            content["prompt"] = order.prompt
        content["max_tokens"] = order.output_tokens
        if target.is_streamed:
            content |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(content | dict(target.extra_body or {})).encode()


def _trust(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise BenchError(f"{ca_file} holds no certificates that can be read; check --ca-file.") from None


@asynccontextmanager
async def endpoint_at(
    target: Target,
    now: Callable[[], float],
    count_tokens: CountTokens | None = None,
    ca_file: Path | None = None,
) -> AsyncIterator[OpenAiEndpoint]:
    """Opens connections as they are needed, without a bound, and closes them at the end."""
    headers = {"Content-Type": "application/json"}
    if target.api_key:
        headers["Authorization"] = f"Bearer {target.api_key}"
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        ssl=_trust(ca_file) if ca_file else True,
    )
    timeout = aiohttp.ClientTimeout(total=target.timeout_seconds)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        yield OpenAiEndpoint(session, target, now, count_tokens)
        # TLS connections need a turn of the loop to close.
        await asyncio.sleep(0)
