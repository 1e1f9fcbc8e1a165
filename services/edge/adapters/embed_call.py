"""One call of Embed at a replica, as a generation whose deltas are vectors."""

from collections.abc import Callable
from typing import Any, Final

import grpc

from services.edge.adapters.call_errors import call_error
from services.edge.domain.generation import Counts, Delta, Vectors
from services.edge.domain.ports import Take
from services.kernel.errors import ComptoirError, Reason

# A call that ends as cancelled was ended by a replica that stops; an older replica makes no vectors.
_INSTEAD: Final = dict.fromkeys((Reason.CLIENT_CANCELLED, Reason.ROUTE_NOT_FOUND), Reason.UNAVAILABLE)


class EmbedCall:
    """The Generation port on one call; `ended` is called once, when nothing more is read."""

    def __init__(self, call: Any, ended: Callable[[], None]) -> None:
        self._call = call
        self._ended = ended
        self._is_open = True
        self.counts: Counts | None = None

    @property
    def is_delta_waiting(self) -> bool:
        """Vectors are not shown as they come."""
        return False

    async def start(self) -> None:
        """Waits until the replica accepted the ticket; raises ComptoirError."""
        await self._read()

    async def next_delta(self, _take: Take | None = None) -> Delta | None:
        """Returns the vectors of the next inputs, None when all have come; raises ComptoirError."""
        if self.counts is not None:
            return None
        message = await self._read()
        if message.HasField("vectors"):
            return Delta(vectors=Vectors(message.vectors.dimensions, message.vectors.values))
        self.counts = Counts(message.embedded.input_tokens, 0, 0)
        self._close()
        return None

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        if self._is_open:
            self._call.cancel()
            self._close()

    async def _read(self) -> Any:
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as failure:
            self._close()
            raise call_error(failure, _INSTEAD) from None
        if message is grpc.aio.EOF:
            # Without its counts an answer is not whole.
            self._close()
            raise ComptoirError(Reason.UNAVAILABLE)
        return message

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._ended()
