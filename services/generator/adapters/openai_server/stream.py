"""One choice on its way from the server: a connection, and a task that reads it."""

from collections.abc import Callable
from typing import Any, Final

import aiohttp

from services.generator.adapters.openai_server.chunks import chunk_of
from services.generator.adapters.openai_server.connection import Connection
from services.generator.adapters.openai_server.events import EventReader, LineTooLongError
from services.generator.adapters.openai_server.reading import BUSY, BrokenStreamError, ChoiceReader, Fault
from services.generator.domain.delta import Delta
from services.generator.domain.ports import RequestFailedError
from services.kernel.errors import ComptoirError, Reason
from services.runtime.logs import get_logger

_log = get_logger(__name__)
_PATH: Final = "/v1/completions"
_DONE: Final = b"[DONE]"
_OK: Final = 200
# Of the request as it was sent; the rest is the server's own.
INVALID: Final = (400, 413, 422)
# Twenty likely tokens in each place, and what stands around them.
_BYTES_PER_TOKEN: Final = 16 * 1024
_BYTES_BESIDE: Final = 16 * 1024 * 1024


class ChoiceStream:
    """A choice of a request. `open` it, then `read` it once; `close` frees the server at once, any time."""

    def __init__(
        self, connection: Connection, body: dict[str, Any], reader: ChoiceReader, most_tokens: int
    ) -> None:
        self._connection = connection
        self._body = body
        self._reader = reader
        self._most_bytes = _BYTES_BESIDE + most_tokens * _BYTES_PER_TOKEN
        self._response: aiohttp.ClientResponse | None = None

    async def open(self) -> None:
        """Sends the request; raises ComptoirError where it is refused, RequestFailedError where it failed."""
        try:
            response = await self._connection.stream(_PATH, self._body)
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise _failed(Fault.DISCONNECTED) from None
        if response.status == _OK:
            self._response = response
            return
        status = response.status
        response.close()
        if status in INVALID:
            raise ComptoirError(Reason.REQUEST_INVALID, field="sampling")
        if status in BUSY:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        _log.warning("engine_refused", http_status=status)
        raise RequestFailedError

    async def read(self, receive: Callable[[Delta], None]) -> None:
        """Tells each delta, the last with its finish; raises RequestFailedError, whose fault is logged.

        REPLICA_OVERLOADED comes from a server that found no room once it had answered.
        """
        try:
            await self._read(receive)
        except BrokenStreamError as broken:
            if broken.fault is Fault.OVERLOADED:
                raise ComptoirError(Reason.REPLICA_OVERLOADED) from None
            raise _failed(broken.fault) from None
        except LineTooLongError:
            raise _failed(Fault.TOO_LONG) from None
        except TimeoutError:
            raise _failed(Fault.SILENT) from None
        except (aiohttp.ClientError, OSError):
            raise _failed(Fault.DISCONNECTED) from None
        finally:
            self.close()

    def close(self) -> None:
        """Closes the connection, by which the server knows that nobody wants the rest."""
        if self._response is not None:
            self._response.close()

    async def _read(self, receive: Callable[[Delta], None]) -> None:
        if self._response is None:
            raise BrokenStreamError(Fault.DISCONNECTED)
        events, left_bytes = EventReader(), self._most_bytes
        async for piece in self._response.content.iter_any():
            left_bytes -= len(piece)
            if left_bytes < 0:
                raise BrokenStreamError(Fault.TOO_LONG)
            for data in events.read(piece):
                if data == _DONE:
                    receive(self._reader.end())
                    return
                delta = self._delta(data)
                if delta is not None:
                    receive(delta)
        # A server that leaves the mark out has closed all the same.
        receive(self._reader.end())

    def _delta(self, data: bytes) -> Delta | None:
        try:
            chunk = chunk_of(data)
        except ValueError:
            raise BrokenStreamError(Fault.NO_EVENT) from None
        return self._reader.read(chunk)


def _failed(fault: Fault) -> RequestFailedError:
    _log.warning("engine_stream_failed", kind=fault.value)
    return RequestFailedError()
