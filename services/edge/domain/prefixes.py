"""How a request's prompt begins, as digests under a secret: nobody without it can tell, or try, a text."""

import hashlib
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final

from services.contract.prefix import PREFIX_ENDS_BYTES
from services.edge.domain.generation import GenerationRequest, Message
from services.edge.domain.tools import Tools

PREFIX_SECRET_BYTES: Final = 32
_DIGEST_BYTES: Final = 8
# Of a chat with very short turns: about a millisecond.
_MOST_PIECES: Final = 1024
# Stands behind each text, so that two are not as one: no UTF-8 has it.
_END: Final = b"\xff"


class PrefixDigests:
    """Digests the first bytes of prompts: requests of one API key that begin alike share their first digests.

    Those of two keys have nothing in common: the holder of one cannot find out what the other's prompts are,
    not with the sight of all digests.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, key: str, request: GenerationRequest) -> list[int]:
        """Returns a digest of each beginning that the prompt is long enough for, the shortest first.

        A request for vectors has none: nothing of it is used again. The time is bounded by the longest
        beginning, however long the prompt is.
        """
        own = hashlib.blake2b(key.encode(), digest_size=PREFIX_SECRET_BYTES, key=self._secret).digest()
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=own)
        digests: list[int] = []
        done_bytes = 0
        for piece in islice(_pieces(request), _MOST_PIECES):
            left = memoryview(piece)
            while len(digests) < len(PREFIX_ENDS_BYTES):
                part = left[: PREFIX_ENDS_BYTES[len(digests)] - done_bytes]
                digest.update(part)
                done_bytes, left = done_bytes + len(part), left[len(part) :]
                if done_bytes < PREFIX_ENDS_BYTES[len(digests)]:
                    break
                digests.append(int.from_bytes(digest.digest()))
            else:
                break
        return digests


def _pieces(request: GenerationRequest) -> Iterator[bytes]:
    """Yields a prompt as bytes, in about the order in which a template writes it."""
    if isinstance(request.prompt, str):
        yield _bytes_of(request.prompt)
    elif request.prompt is not None:
        # Four bytes for each, as many as a token of text has.
        yield array("I", request.prompt[: PREFIX_ENDS_BYTES[-1] // 4]).tobytes()
    elif request.messages:
        told = sorted(request.template_arguments.items())
        yield _ended(request.reasoning_effort, *(f"{name} {value}" for name, value in told))
        yield from _tool_pieces(request.tools)
        for message in request.messages:
            yield from _message_pieces(message)


def _tool_pieces(tools: Tools | None) -> Iterator[bytes]:
    if tools is None:
        return
    for tool in tools.tools:
        yield _ended(tool.name, tool.description)
        yield _ended(tool.parameters_schema)


def _message_pieces(message: Message) -> Iterator[bytes]:
    yield _ended(message.role.value, message.tool_call_id)
    # What goes on behind a text that was the same so far begins alike up to there.
    yield _bytes_of(message.text)
    yield _END
    for call in message.tool_calls:
        yield _ended(call.name, call.arguments)


def _ended(*texts: str) -> bytes:
    return b"".join(_bytes_of(text) + _END for text in texts)


def _bytes_of(text: str) -> bytes:
    """Returns as much of a text as can matter; each character has a byte at least."""
    return text[: PREFIX_ENDS_BYTES[-1]].encode("utf-8", "surrogatepass")
