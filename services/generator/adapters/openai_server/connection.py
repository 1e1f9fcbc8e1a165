"""The HTTP client of one server: where it is, who it is, and how long it is waited for."""

import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from services.generator.domain.foreign_engine import OpenAiServerParameters
from services.runtime.settings import SettingsError

_CONNECT_SECONDS: Final = 5.0
_MOST_ANSWER_BYTES: Final = 8 * 1024 * 1024
_OK: Final = 200


class Connection:
    """Opens a connection for each request: a kept one may be closed just as a request goes out on it."""

    def __init__(self, parameters: OpenAiServerParameters) -> None:
        parts = urlsplit(parameters.url)
        is_unix = parts.scheme == "unix"
        self._base = "http://localhost" if is_unix else parameters.url.rstrip("/")
        self._headers = {"Accept-Encoding": "identity", **_authorization(parameters)}
        self._silence_seconds = parameters.silence_seconds
        self._unix_path = parts.path if is_unix else ""
        self._tls = _tls(parameters) if parts.scheme == "https" else None
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The client; made in the loop that uses it."""
        if self._session is None:
            connector: aiohttp.BaseConnector
            if self._unix_path:
                connector = aiohttp.UnixConnector(self._unix_path, limit=0, force_close=True)
            else:
                connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._tls or True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                # A proxy of the environment would read every prompt.
                trust_env=False,
            )
        return self._session

    async def stream(self, path: str, body: Mapping[str, Any]) -> aiohttp.ClientResponse:
        """Asks for a stream, which may be silent for a bounded time; its reader closes it."""
        return await self.session.post(
            f"{self._base}{path}",
            data=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=self._silence_seconds),
            allow_redirects=False,
        )

    async def get(self, path: str, *, seconds: float) -> bytes | None:
        """Returns what stands at a path; None where nothing does. Raises ServerAwayError."""
        return await self._whole(self.session.get, path, seconds)

    async def post(self, path: str, body: Mapping[str, Any], *, seconds: float) -> bytes | None:
        """Returns the answer to a body; None where the server has none. Raises ServerAwayError."""
        data, headers = msgspec.json.encode(body), {"Content-Type": "application/json"}
        return await self._whole(self.session.post, path, seconds, data=data, headers=headers)

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()

    async def _whole(self, method: Any, path: str, seconds: float, **told: Any) -> bytes | None:
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        try:
            async with method(
                f"{self._base}{path}", timeout=timeout, allow_redirects=False, **told
            ) as response:
                if response.status in (401, 403):
                    raise KeyRefusedError
                if response.status >= 500:  # noqa: PLR2004 - servers say so while they load
                    raise ServerAwayError
                if response.status != _OK:
                    return None
                content: bytes = await response.content.read(_MOST_ANSWER_BYTES)
                while not response.content.at_eof():
                    if len(content) >= _MOST_ANSWER_BYTES:
                        return None
                    content += await response.content.read(_MOST_ANSWER_BYTES)
                return content
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise ServerAwayError from None


class ServerAwayError(Exception):
    """The server does not answer, or says that it cannot."""


class KeyRefusedError(Exception):
    """The server does not know the key."""


def _authorization(parameters: OpenAiServerParameters) -> dict[str, str]:
    if parameters.api_key_file is None:
        return {}
    try:
        key = parameters.api_key_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"cannot read {parameters.api_key_file}.") from None
    if not key.isascii() or not key.isprintable() or not key:
        raise SettingsError(f"{parameters.api_key_file} holds no key of one line.")
    return {"Authorization": f"Bearer {key}"}


def _tls(parameters: OpenAiServerParameters) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if parameters.ca_file is not None:
        try:
            context.load_verify_locations(parameters.ca_file)
        except OSError:
            raise SettingsError(f"{parameters.ca_file} is no certificate of an authority.") from None
    return context
