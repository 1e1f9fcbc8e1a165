"""An upstream that costs a proxy next to nothing: the same whole chat completion to every request."""

import asyncio
import json
import sys
from typing import Any, Final, cast

import uvloop

MODEL: Final = "canned"
_ANSWER: Final[dict[str, Any]] = {
    "id": "chatcmpl-0",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": MODEL,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Le"}, "finish_reason": "length"},
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14},
}
_BODY: Final = json.dumps(_ANSWER).encode()
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_WHOLE: Final = _HEAD % len(_BODY) + _BODY


class Upstream(asyncio.Protocol):
    """One connection: it knows where a request ends, and looks at nothing else."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        # uvloop's transports have the methods and not the class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answers every request that is whole."""
        self._received += data
        while (end := end_of_request(self._received)) is not None:
            self._received = self._received[end:]
            if self._transport is not None:
                self._transport.write(_WHOLE)


def end_of_request(received: bytes) -> int | None:
    """Returns where the first request ends; None where it is not whole. Bodies have a length."""
    head, found, _ = received.partition(b"\r\n\r\n")
    if not found:
        return None
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    end = len(head) + len(found) + length
    return end if len(received) >= end else None


async def main(port: int) -> None:
    """Serves until it is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
