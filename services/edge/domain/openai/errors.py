"""What an OpenAI client sees of a reason: its row, with the refusal's numbers in words that clients know."""

import json
import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from services.edge.domain.body_faults import BodyError
from services.edge.domain.codings import SERVED_CODINGS
from services.edge.domain.openai.limit_messages import UNKNOWN_WAIT_SECONDS, limit_message, too_large_message
from services.edge.domain.openai.public_names import expectation, name_for
from services.edge.domain.openai.rate_limits import quota_headers
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import wait_milliseconds
from services.kernel.rows import Retry, Row

_REQUEST: Final = "invalid_request_error"
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class PublicError:
    """A failure as a client sees it; `code` is the word that programs branch on."""

    status: int
    type: str
    code: str
    message: str
    # True if the same request may succeed later without a change by the caller.
    is_retryable: bool = False


@dataclass(frozen=True, slots=True)
class _Words:
    """What an endpoint calls its input and the most tokens of an answer."""

    input: str
    limit: str
    has_answer: bool = True
    # A stream holds its answer too, to repeat it at its end.
    repeats_answer: bool = False


_CHAT_WORDS: Final = _Words("messages", "max_completion_tokens")
_WORDS: Final = MappingProxyType(
    {
        Endpoint.COMPLETIONS: _Words("prompt", "max_tokens"),
        Endpoint.EMBEDDINGS: _Words("input", "", has_answer=False),
        Endpoint.INPUT_TOKENS: _Words("input", "", has_answer=False),
        Endpoint.TOKENIZE: _Words("messages", "", has_answer=False),
        Endpoint.RESPONSES: _Words("input", "max_output_tokens", repeats_answer=True),
    }
)


def _public(row: Row) -> PublicError:
    # The edge asks for a new ticket with every request, so that one that was refused is no reason to stop.
    return PublicError(row.http_status, row.type, row.code, row.sentence, row.retry is not Retry.NEVER)


PUBLIC_ERRORS: Final = MappingProxyType({reason: _public(reason.row) for reason in Reason})

METHOD_NOT_ALLOWED: Final = PublicError(
    405, _REQUEST, "method_not_allowed", "The path does not take this method; the header Allow names those."
)


def endpoint_not_offered(why: str) -> PublicError:
    """Returns the refusal of an endpoint of OpenAI's API that is not offered, for the reason `why`."""
    message = f"This endpoint of OpenAI's API is not offered: {why}."
    return PublicError(404, _REQUEST, Reason.ROUTE_NOT_FOUND.row.code, message)


def headers_too_large(max_bytes: int) -> PublicError:
    """Returns the refusal of headers that are larger than `max_bytes`."""
    return PublicError(
        431,
        _REQUEST,
        "headers_too_large",
        f"Path and headers are larger than the {max_bytes} bytes that the server accepts, or too many. "
        "Leave out what Authorization and the body do not need.",
    )


def body_too_slow(within_seconds: float) -> PublicError:
    """Returns the refusal of a body that did not come `within_seconds`."""
    return PublicError(
        408,
        _REQUEST,
        "body_too_slow",
        f"The body did not arrive within {within_seconds:g} s. Send it faster, or a shorter one.",
    )


REQUEST_MALFORMED: Final = PublicError(400, _REQUEST, "malformed_http", "The request is not valid HTTP/1.1.")
HTTP_VERSION_UNSUPPORTED: Final = PublicError(
    505, _REQUEST, "http_version_unsupported", "HTTP/1.1 and HTTP/1.0 are served here, and no other version."
)
BODY_WASTEFUL: Final = PublicError(
    400, _REQUEST, "chunks_too_small", "The body came in too many tiny chunks. Send fewer, larger ones."
)
CODING_UNSUPPORTED: Final = PublicError(
    415,
    _REQUEST,
    "content_encoding_unsupported",
    f"This content-encoding is not served. Send the body with one of: {SERVED_CODINGS}.",
)
CODING_BROKEN: Final = PublicError(
    400, _REQUEST, "content_encoding_broken", "The body is not what its content-encoding says."
)
TOO_MANY_CONNECTIONS: Final = PublicError(
    503,
    "server_error",
    "too_many_connections",
    "The server has as many connections as it takes. Keep yours open and use them again.",
    is_retryable=True,
)

# Refusals that only HTTP knows; the numbers in their words are a setting's.
HTTP_ERRORS: Final = (
    METHOD_NOT_ALLOWED,
    headers_too_large(0),
    body_too_slow(0),
    REQUEST_MALFORMED,
    HTTP_VERSION_UNSUPPORTED,
    BODY_WASTEFUL,
    CODING_UNSUPPORTED,
    CODING_BROKEN,
    TOO_MANY_CONNECTIONS,
)


def public_error(reason: Reason) -> PublicError:
    """Returns what a client sees of `reason`."""
    return PUBLIC_ERRORS[reason]


def error_json(error: ComptoirError, endpoint: Endpoint = Endpoint.CHAT_COMPLETIONS) -> bytes:
    """Returns the body `{"error": {message, type, param, code}}` of a refusal or failure."""
    param = name_for(error, endpoint)
    message = _elsewhere(error) or _message(error, param, endpoint)
    return public_json(public_error(error.reason), message=message, param=param)


def public_json(public: PublicError, *, message: str = "", param: str | None = None) -> bytes:
    """Returns the body of a public error, with its own message unless another is given."""
    body = {"message": message or public.message, "type": public.type, "param": param, "code": public.code}
    return json.dumps({"error": body}, ensure_ascii=False, separators=(",", ":")).encode()


def error_headers(error: ComptoirError, *, is_spent: bool) -> list[tuple[bytes, bytes]]:
    """Returns the headers that tell an SDK whether and when to try again, and what is left of the quota.

    `is_spent` says that the edge has tried other replicas itself, or gave up an answer that is counted: the
    SDK's tries on top would multiply load just when there is too much of it, and what is paid for it.
    """
    return [
        *retry_headers(
            public_error(error.reason), retry_after_seconds=error.retry_after_seconds, is_spent=is_spent
        ),
        *(quota_headers(error.quota) if error.quota else ()),
    ]


def retry_headers(
    public: PublicError, *, retry_after_seconds: float, is_spent: bool
) -> list[tuple[bytes, bytes]]:
    """Returns the headers of a retry alone."""
    if not public.is_retryable and public.status == _TOO_MANY:
        # The wait is for people: nothing sent again within minutes is let through.
        waiting = _wait_headers(retry_after_seconds) if retry_after_seconds else []
        return [*waiting, (b"x-should-retry", b"false")]
    if is_spent or (not public.is_retryable and public.status >= 500):  # noqa: PLR2004 - server's fault
        return [(b"x-should-retry", b"false")]
    if not public.is_retryable:
        return []
    return [*_wait_headers(retry_after_seconds or UNKNOWN_WAIT_SECONDS), (b"x-should-retry", b"true")]


def _wait_headers(seconds: float) -> list[tuple[bytes, bytes]]:
    milliseconds = wait_milliseconds(seconds)
    return [
        (b"retry-after", b"%d" % math.ceil(milliseconds / 1000)),
        (b"retry-after-ms", b"%d" % milliseconds),
    ]


def _elsewhere(error: ComptoirError) -> str:
    """Returns the sentence of an error that another region would not make; empty for any other."""
    return f"{error.reason.row.what} Use its base URL: {error.base_url}" if error.base_url else ""


def _message(error: ComptoirError, param: str | None, endpoint: Endpoint) -> str:
    """Returns the sentence of an error; empty for that of its row."""
    if isinstance(error, BodyError):
        return error.sentence(param)
    if param and error.reason is Reason.REQUEST_INVALID:
        return f"Invalid '{param}': expected {expectation(param, endpoint)}.{_bound(error)}"
    if param and error.reason is Reason.PARAMETER_UNSUPPORTED:
        expected = expectation(param, endpoint)
        return f"Unsupported parameter: '{param}' is not supported; it must be {expected}.{_bound(error)}"
    if not error.numbers.limit and error.reason is not Reason.BATCH_HELD_BACK:
        return ""
    if error.reason.row.rate or error.reason is Reason.BATCH_HELD_BACK:
        return limit_message(error)
    write = _WITH_NUMBERS.get(error.reason)
    words = _WORDS.get(endpoint, _CHAT_WORDS)
    if endpoint is Endpoint.TOKENIZE and param == "prompt":
        words = replace(words, input=param)
    return write(error, words) if write else ""


def _bound(error: ComptoirError) -> str:
    """Returns the numbers of a refusal of a parameter, where another process or the key's quota said them."""
    numbers = error.numbers
    if not (numbers.limit and numbers.requested):
        return ""
    return f" The limit here is {numbers.limit}, and {numbers.requested} was sent."


def _context_message(error: ComptoirError, words: _Words) -> str:
    numbers = error.numbers
    # Programs look for these words: OpenAI's and vLLM's.
    text = f"This model's maximum context length is {numbers.limit} tokens. "
    if numbers.requested:
        text += f"However, your {words.input} resulted in {numbers.requested} tokens"
        # A prompt of exactly the context would be a riddle without this.
        text += ", and an answer needs at least 1 more. " if words.has_answer else ". "
    return text + f"Please reduce the length of the {words.input}."


def _quota_message(error: ComptoirError, words: _Words) -> str:
    numbers = error.numbers
    text = (
        f"{too_large_message(numbers)}, "
        f"where each byte of the {words.input} counts as a token until they are tokenized. "
    )
    if numbers.available:
        return text + f"Set {words.limit} to at most {numbers.available}, or shorten the {words.input}."
    return text + f"Please reduce the length of the {words.input}, or ask the operator for a larger quota."


def _size_message(error: ComptoirError, words: _Words) -> str:
    limit = error.numbers.limit
    return f"The body is larger than {limit} bytes. Please reduce the length of the {words.input}."


def _answer_message(error: ComptoirError, words: _Words) -> str:
    limit = error.numbers.limit
    text = f"The answer is larger than the {limit} bytes that are held until it is whole. "
    if words.repeats_answer:
        return text + f"Ask for fewer logprobs, or lower {words.limit}."
    return text + f"Set stream to true, ask for fewer logprobs or choices, or lower {words.limit}."


def _room_message(error: ComptoirError, words: _Words) -> str:
    numbers = error.numbers
    if not numbers.requested:
        return ""
    text = (
        f"The request is expected to fill {numbers.requested} of the {numbers.limit} blocks of a replica's "
        "KV cache, and so many are free on none. Send it again in a moment"
    )
    return f"{text}, or shorten the {words.input} or lower {words.limit}: it then needs fewer."


_WITH_NUMBERS: Final = MappingProxyType(
    {
        Reason.CONTEXT_TOO_LONG: _context_message,
        Reason.QUOTA_TOO_SMALL: _quota_message,
        Reason.REQUEST_TOO_LARGE: _size_message,
        Reason.ANSWER_TOO_LARGE: _answer_message,
        # Only a request that finds no room in the caches has numbers.
        Reason.REPLICA_OVERLOADED: _room_message,
    }
)
