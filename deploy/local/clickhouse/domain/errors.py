"""ClickHouse's numbered errors: how they read and which HTTP status carries them."""

import re
from typing import Final

SYNTAX_ERROR: Final = 62
READONLY: Final = 164
QUERY_IS_TOO_LARGE: Final = 619
NOT_IMPLEMENTED: Final = 48
BAD_ARGUMENTS: Final = 36
TOO_LARGE_BODY: Final = 131
UNKNOWN_SETTING: Final = 115
SOCKET_TIMEOUT: Final = 209
TOO_MANY_QUERIES: Final = 202
MEMORY_LIMIT_EXCEEDED: Final = 241
SESSION_NOT_FOUND: Final = 372
SESSION_IS_LOCKED: Final = 373
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516
UNKNOWN_EXCEPTION: Final = 1002
INVALID_SESSION_TIMEOUT: Final = 374
UNKNOWN_COMPRESSION_METHOD: Final = 89
CHECKSUM_DOESNT_MATCH: Final = 40

_NAMES: Final = {
    36: "BAD_ARGUMENTS",
    40: "CHECKSUM_DOESNT_MATCH",
    48: "NOT_IMPLEMENTED",
    62: "SYNTAX_ERROR",
    89: "UNKNOWN_COMPRESSION_METHOD",
    115: "UNKNOWN_SETTING",
    131: "TOO_LARGE_STRING_SIZE",
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",
    209: "SOCKET_TIMEOUT",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    241: "MEMORY_LIMIT_EXCEEDED",
    372: "SESSION_NOT_FOUND",
    373: "SESSION_IS_LOCKED",
    374: "INVALID_SESSION_TIMEOUT",
    452: "SETTING_CONSTRAINT_VIOLATION",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
    619: "QUERY_IS_TOO_LARGE",
    1002: "UNKNOWN_EXCEPTION",
}
_FORBIDDEN: Final = frozenset({192, 193, 497, 512, 516})
# With those that a server answers with 500 although asking again is no use: too deep (306), too slow to
# parse (718).
_BAD_REQUEST: Final = frozenset(
    {
        6,
        8,
        15,
        25,
        26,
        27,
        36,
        38,
        41,
        44,
        62,
        69,
        72,
        117,
        167,
        168,
        223,
        224,
        376,
        427,
        441,
        53,
        321,
        675,
        306,
        718,
    }
)
_NOT_FOUND: Final = frozenset({46, 47, 50, 56, 60, 63, 73, 78, 81, 106, 115, 336, 511})
_STATUS: Final = {
    131: 413,
    619: 413,
    48: 501,
    209: 503,
    76: 503,
    439: 503,
    202: 503,
    159: 408,
    194: 401,
}
_NAME_AT_THE_END: Final = re.compile(r" \([A-Z_]+\)\s*\Z")
_HINT: Final = re.compile(r"Consider rising \w+ parameter")
_CODE: Final = re.compile(r"Code: (\d+)\.")


class StoreError(Exception):
    """A failure as ClickHouse reports it: a number and one line for the client that asked."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message

    @classmethod
    def refused(cls, code: int, sentence: str) -> "StoreError":
        """Returns an error of this front, worded as the engine words its own."""
        return cls(code, f"Code: {code}. DB::Exception: {sentence} ({_NAMES[code]})")

    @classmethod
    def of_engine(cls, text: str) -> "StoreError":
        """Returns an error that the engine raised; its first code counts, its text goes on as it is."""
        start = text.find("Code: ")
        match = _CODE.search(text)
        if match is None:
            return cls(UNKNOWN_EXCEPTION, f"Code: {UNKNOWN_EXCEPTION}. DB::Exception: {text}")
        return cls(int(match.group(1)), text[start:].strip())


def of_the_parser(error: StoreError) -> StoreError:
    """Returns an error of parsing a client's text, without this front's query around it and its copy.

    Its hint to raise a bound is dropped: the bounds of parsing are constant, and a shorter query helps.
    """
    head, scope, tail = error.message.partition(": In scope SELECT formatQuery(")
    if scope:
        name = _NAME_AT_THE_END.search(tail)
        head = f"{head}.{name[0] if name else ''}"
    return StoreError(error.code, _HINT.sub("Shorten or flatten the query", head))


def too_large(max_bytes: int, setting: str = "") -> StoreError:
    """Returns the error of a body over its bound, called `setting` if one setting alone decides it."""
    bound = f"{setting} = {max_bytes}" if setting else f"{max_bytes} bytes"
    return StoreError.refused(TOO_LARGE_BODY, f"The body of the request is larger than {bound}.")


def http_status(code: int) -> int:
    """Returns the HTTP status with which a ClickHouse server carries the error `code`."""
    if code in _FORBIDDEN:
        return 403
    if code in _BAD_REQUEST:
        return 400
    if code in _NOT_FOUND:
        return 404
    return _STATUS.get(code, 500)
