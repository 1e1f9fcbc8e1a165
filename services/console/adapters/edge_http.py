"""The edge over HTTP, asked with a key that is an operator's own and is kept nowhere."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

import httpx

from services.console.domain.errors import SourceAwayError
from services.console.domain.ports import Answering
from services.console.domain.trial import Trial

_CONNECT_SECONDS: Final = 5.0
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class EdgeHttp:
    """The edge that answers what is tried out; each answer ends where its reader leaves."""

    def __init__(
        self, client: httpx.AsyncClient, *, answer_seconds: float, extensions: Mapping[str, str] = _NONE
    ) -> None:
        self._client = client
        self._extensions = dict(extensions)
        self._timeout = httpx.Timeout(answer_seconds, connect=_CONNECT_SECONDS)

    @asynccontextmanager
    async def answer(self, trial: Trial, api_key: str) -> AsyncIterator[Answering]:
        """Returns the answer; to leave it ends the request. SourceAwayError where the edge is silent."""
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "text/event-stream"}
        request = self._client.build_request(
            "POST",
            "/v1/chat/completions",
            json=trial.chat(),
            headers=headers,
            timeout=self._timeout,
            extensions=self._extensions,
        )
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.HTTPError:
            raise SourceAwayError("The edge does not answer.") from None
        try:
            kind = answer.headers.get("content-type", "application/octet-stream")
            yield Answering(answer.status_code, kind, answer.aiter_bytes())
        finally:
            await answer.aclose()
