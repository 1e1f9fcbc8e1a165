"""Any bytes as the body of a request: what every later process takes, or a refusal without a word of it."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct

from services.edge import wire
from services.edge.documents import decode_json
from services.edge.domain.codings import CodingBrokenError, CodingUnsupportedError, decode
from services.edge.domain.generation import GenerationRequest
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.completions.request import parse_completion
from services.edge.domain.openai.counts.bodies import InputTokensBody, TokenizeBody
from services.edge.domain.openai.counts.request import parse_input_tokens, parse_tokenize
from services.edge.domain.openai.embeddings.body import EmbeddingBody
from services.edge.domain.openai.embeddings.request import parse_embeddings
from services.edge.domain.openai.errors import error_json
from services.edge.domain.openai.ignored_fields import ignored_steps
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.ports import Offer
from services.edge.domain.timeline import Endpoint
from services.edge.wire.asked import count_steps, embed_steps, generate_steps
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.kernel.steps import finished
from tests.fuzz.composed_bodies import composed_body
from tests.fuzz.leaks import NAMES, check_no_leak
from tests.fuzz.slowness import within_bound

MAX_BODY_BYTES: Final = 64 * 1024
# The first byte of an input says how its body is compressed, or that it is to be made of known names; most
# are a body as it is.
_CODINGS: Final = {0x01: [b"gzip"], 0x02: [b"deflate"], 0x03: [b"gzip, br"]}
_COMPOSED: Final = b"\x04"
_OFFER: Final = Offer("127.0.0.1:1", b"", b"", 1)
WORDS: Final = (
    *NAMES,
    *('{"', '":', "[{", "}]", "null", "1e999", "-1", "1.0", "\\ud83d", "\\ude00", "\ufeff"),
    *('{"messages":[{"role":"user","content":"', '"system"', '"assistant"', '"type":"text"'),
)

Answer = tuple[GenerationRequest, ...] | bytes
Reader = Callable[[object], tuple[GenerationRequest, ...]]
# Each body is read by each endpoint: which one was meant, nobody knows.
_READERS: Final[dict[Endpoint, tuple[Reader, type[Struct]]]] = {
    Endpoint.CHAT_COMPLETIONS: (lambda value: (parse_chat(value).generation,), ChatBody),
    Endpoint.COMPLETIONS: (lambda value: parse_completion(value).generations, CompletionBody),
    Endpoint.EMBEDDINGS: (lambda value: (parse_embeddings(value).generation,), EmbeddingBody),
    Endpoint.RESPONSES: (lambda value: (parse_response(value).generation,), ResponsesBody),
    Endpoint.TOKENIZE: (lambda value: (parse_tokenize(value).generation,), TokenizeBody),
    Endpoint.INPUT_TOKENS: (lambda value: (parse_input_tokens(value).generation,), InputTokensBody),
}


def check(data: bytes) -> None:
    """Raises where a property does not hold for `data`."""
    if data[:1] == _COMPOSED:
        data = composed_body(data[1:])
    codings = _CODINGS.get(data[0], []) if data else []
    sent = data[1:] if codings else data
    try:
        body = decode(sent, codings, max_bytes=MAX_BODY_BYTES)
    except (CodingBrokenError, CodingUnsupportedError):
        return
    except ComptoirError as error:
        _check_refusal(error_json(error, Endpoint.CHAT_COMPLETIONS), sent)
        return
    for endpoint, (read, kind) in _READERS.items():
        answer = within_bound(partial(answer_of, endpoint, read, kind, body))
        if isinstance(answer, bytes):
            _check_refusal(answer, body)
        else:
            _check_requests(answer)


def answer_of(endpoint: Endpoint, read: Reader, kind: type[Struct], body: bytes) -> Answer:
    """Returns what an endpoint makes of a body: its generations, or the body of a refusal."""
    try:
        value = decode_json(body)
        generations = read(value)
    except ComptoirError as error:
        return error_json(error, endpoint)
    assert all(int(count) > 0 for _, count in finished(ignored_steps(value, kind)))
    return generations


def _check_refusal(error_body: bytes, sent: bytes) -> None:
    error: dict[str, Any] = json.loads(error_body)["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert error["message"]
    assert error["code"]
    check_no_leak(error_body, sent)


def _check_requests(requests: tuple[GenerationRequest, ...]) -> None:
    assert requests
    for request in requests:
        assert request.messages or request.prompt is not None or request.inputs
        assert wire.admit_request("", request, Identity(1, 1)).ByteSize()
        if request.inputs:
            asked = finished(embed_steps(_OFFER, request))
            assert len(asked.inputs) == len(request.inputs)
            assert type(asked).FromString(asked.SerializeToString()) == asked
            continue
        sent = finished(generate_steps(_OFFER, request))
        assert len(sent.messages) == len(request.messages)
        assert sent.HasField("prompt") == (request.prompt is not None)
        counted = finished(count_steps(_OFFER, request, returns_ids=True))
        for message in (sent, counted):
            assert type(message).FromString(message.SerializeToString()) == message
