"""The process that tries to make a grammar of a schema: it may run out of time or memory, and be killed.

It reads the tokenizer, then a schema or a grammar per message, and answers with a line: empty where it can be
used, else the keyword that cannot, or a dash. Nothing of a schema is said or kept.
"""

import re
import resource
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

from llguidance import LLMatcher, LLTokenizer

LENGTH: Final = struct.Struct(">I")
UNNAMED: Final = "-"
_SCHEMA: Final = "s"
_GRAMMAR: Final = "g"
_MAX_MEMORY_BYTES: Final = 4 * 1024**3
# What llguidance says of a schema that it does not take: with the keyword, or in words that mean one.
_NAMING: Final = (
    re.compile(r'Unimplemented keys: \["([^"]*)"'),
    re.compile(r"Expected .{1,40} for '([a-zA-Z$]*)'"),
    re.compile(r"(?:^|schema: )([a-zA-Z$]+) (?:must be an? |constraints are not supported)"),
)
_MEANING: Final = (
    (re.compile(r"(?:^|schema: )(?:Invalid type: |type must be )"), "type"),
    (re.compile(r"(?:^|schema: )Unknown format: "), "format"),
    (re.compile(r"(?:^|schema: )(?:regex parse error|lookarounds? not supported)|in regex /"), "pattern"),
    (re.compile(r"(?:^|schema: )(?:Pointer|Resource) '"), "$ref"),
    (re.compile(r"(?:^|schema: )invalid multiple of"), "multipleOf"),
)


def question(json_schema: str, grammar: str) -> bytes:
    """Returns a structure as it is asked for: what it is, and then that."""
    return (_GRAMMAR + grammar if grammar else _SCHEMA + json_schema).encode()


def fault_of(asked: str, tokenizer: LLTokenizer) -> str:
    """Returns what of a structure cannot be used, as it is said on the pipe; empty for nothing."""
    grammar = asked[1:]
    if asked.startswith(_SCHEMA):
        try:
            grammar = LLMatcher.grammar_from_json_schema(grammar, defaults={"whitespace_flexible": False})
        except ValueError:
            return UNNAMED
    error = LLMatcher(tokenizer, grammar, log_level=0).get_error()
    return _keyword_of(error) if error else ""


def _keyword_of(error: str) -> str:
    """Returns the keyword that an error is about; what it quotes of a schema is none, whoever asks."""
    for naming in _NAMING:
        if (named := naming.search(error)) is not None:
            return named[1]
    return next((keyword for meaning, keyword in _MEANING if meaning.search(error)), UNNAMED)


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Answers until nobody asks any more."""
    tokenizer = LLTokenizer(next(_messages(asked)))
    for structure in _messages(asked):
        fault = fault_of(structure, tokenizer)
        # Nothing of it is left while the next one is waited for.
        del structure
        # A line: a keyword is one word, and what is none of them is not said.
        answered.write((fault if fault.isprintable() else UNNAMED).encode() + b"\n")
        answered.flush()


def _messages(asked: BinaryIO) -> Iterator[str]:
    while len(head := asked.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        yield asked.read(length).decode()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)
