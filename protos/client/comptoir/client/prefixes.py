"""How a prompt begins, as digests under a secret: a router finds the replica by them that has it cached."""

import hashlib
import secrets
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from comptoir.generator.v1.generator_pb2 import (
    ChatMessage,
    GenerateRequest,
    ReasoningEffort,
    Role,
    TemplateOptions,
    TemplateValue,
    Tools,
)

# What edges do, so that those with the same secret agree: `AdmitRequest.prefix_digests` says what for.
_ENDS_BYTES: Final = tuple(
    512 * halves for halves in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128)
)
_SECRET_BYTES: Final = 32
_DIGEST_BYTES: Final = 8
_MOST_PIECES: Final = 1024
# Stands behind each text, so that two are not as one: no UTF-8 has it.
_END: Final = b"\xff"


class PrefixDigests:
    """Digests the first bytes of the prompts of one API key; without a secret, under one of its own."""

    def __init__(self, api_key: str, secret: bytes | None = None) -> None:
        secret = secrets.token_bytes(_SECRET_BYTES) if secret is None else secret
        if len(secret) != _SECRET_BYTES:
            raise ValueError(f"the secret of prefixes has {_SECRET_BYTES} bytes")
        self._key = hashlib.blake2b(api_key.encode(), digest_size=_SECRET_BYTES, key=secret).digest()

    def of(self, request: GenerateRequest) -> list[int]:
        """Returns a digest of each beginning that the prompt is long enough for, the shortest first."""
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=self._key)
        digests: list[int] = []
        done_bytes = 0
        for piece in islice(_pieces(request), _MOST_PIECES):
            left = memoryview(piece)
            while len(digests) < len(_ENDS_BYTES):
                part = left[: _ENDS_BYTES[len(digests)] - done_bytes]
                digest.update(part)
                done_bytes, left = done_bytes + len(part), left[len(part) :]
                if done_bytes < _ENDS_BYTES[len(digests)]:
                    break
                digests.append(int.from_bytes(digest.digest(), "big"))
            else:
                break
        return digests


def _pieces(request: GenerateRequest) -> Iterator[bytes]:
    """Yields a prompt as bytes, in about the order in which a template writes it."""
    if request.prompt.HasField("token_ids"):
        yield array("I", request.prompt.token_ids.ids[: _ENDS_BYTES[-1] // 4]).tobytes()
    elif request.HasField("prompt"):
        yield _bytes_of(request.prompt.text)
    else:
        yield _template_piece(request.template)
        yield from _tool_pieces(request.tools)
        for message in request.messages:
            yield from _message_pieces(message)


def _template_piece(template: TemplateOptions) -> bytes:
    effort = _word(ReasoningEffort, template.reasoning_effort, "REASONING_EFFORT_")
    told = sorted((name, _value(value)) for name, value in template.arguments.items())
    return _ended(effort, *(f"{name} {value}" for name, value in told))


def _word(kind: Any, number: int, prefix: str) -> str:
    """Returns an edge's word for a value; what the schema does not know, a replica refuses."""
    return kind.Name(number).removeprefix(prefix).lower() if number and number in kind.values() else ""


def _value(value: TemplateValue) -> object:
    kind = value.WhichOneof("kind")
    return getattr(value, kind) if kind else ""


def _tool_pieces(tools: Tools) -> Iterator[bytes]:
    for tool in tools.tools:
        yield _ended(tool.name, tool.description)
        yield _ended(tool.parameters_schema)


def _message_pieces(message: ChatMessage) -> Iterator[bytes]:
    yield _ended(_word(Role, message.role, "ROLE_"), message.tool_call_id)
    yield _bytes_of(message.text or "\n".join(message.parts))
    yield _END
    for call in message.tool_calls:
        yield _ended(call.name, call.arguments)


def _ended(*texts: str) -> bytes:
    return b"".join(_bytes_of(text) + _END for text in texts)


def _bytes_of(text: str) -> bytes:
    """Returns as much of a text as can matter; each character has a byte at least."""
    return text[: _ENDS_BYTES[-1]].encode("utf-8", "surrogatepass")
