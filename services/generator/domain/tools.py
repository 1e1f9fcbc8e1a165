"""Tools that a model may call: what it may write to call one, and how that is read again."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from services.generator.domain.delta import ToolCallPart
from services.generator.domain.marks import begun
from services.generator.domain.structure import Structure
from services.kernel.steps import Steps, finished

# About a millisecond, and two where one schema is as long as it may be.
SCHEMA_BYTES_PER_STEP: Final = 16 * 1024
_ANY_OBJECT: Final = '{"type":"object"}'


class ToolUse(Enum):
    """Whether tools are called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function by its name; its parameters are a JSON schema, as JSON, or empty for any object."""

    name: str
    description: str = ""
    parameters_schema: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools that a chat tells of; `permitted` names those that may be called, all if it is empty."""

    tools: tuple[Tool, ...]
    use: ToolUse = ToolUse.AUTO
    permitted: tuple[str, ...] = ()
    is_one_call: bool = False

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """Those that the answer may call."""
        if self.use is ToolUse.NONE:
            return ()
        return tuple(tool for tool in self.tools if not self.permitted or tool.name in self.permitted)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that a caller wrote."""
        return tuple(
            text for tool in self.tools for text in (tool.name, tool.description, tool.parameters_schema)
        )


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How a model writes a call: what stands before its name, between name and arguments, and behind them.

    `mark` is the beginning of `before` by which a call is known.
    """

    mark: str
    before: str
    between: str
    behind: str


# Nous' Hermes and Alibaba's Qwen write calls so.
HERMES: Final = ToolFormat("<tool_call>", '<tool_call>\n{"name": "', '", "arguments": ', "}\n</tool_call>")
# By the names of the catalog.
FORMATS: Final = MappingProxyType({"hermes": HERMES})


def grammar(tools: Tools, form: ToolFormat, said: Structure | None = None) -> str:
    """Returns what `grammar_steps` does, at once."""
    return finished(grammar_steps(tools, form, said))


def grammar_steps(tools: Tools, form: ToolFormat, said: Structure | None = None) -> Steps[str]:
    """Returns the grammar, in llguidance's Lark, of an answer that may call the tools.

    What is no call is any text, or what `said` demands; an answer calls tools at its end, and each
    call's arguments fit the tool's schema.
    """
    called = tools.callable_tools
    rest = _quoted(form.before.removeprefix(form.mark))
    mark, more = _quoted(form.mark), "" if tools.is_one_call else f'("\\n"? {_quoted(form.mark)} call)*'
    rules = [
        f"call: {rest} ({' | '.join(f'tool_{index}' for index in range(len(called)))}) {_quoted(form.behind)}"
    ]
    schema_bytes = 0
    for index, tool in enumerate(called):
        schema_bytes += len(tool.parameters_schema)
        if schema_bytes > SCHEMA_BYTES_PER_STEP:
            schema_bytes = len(tool.parameters_schema)
            yield
        schema = _embedded(tool.parameters_schema)
        rules.append(f"tool_{index}: {_quoted(tool.name + form.between)} %json {schema}")
    if tools.use is ToolUse.REQUIRED:
        return "\n".join([f"start: {mark} call {more}", *rules])
    if said is not None:
        rule = f"said: %json {_embedded(said.json_schema)}"
        if said.grammar:
            rule = said.grammar.replace("start:", "said:", 1)
        return "\n".join([f"start: said | {mark} call {more}", rule, *rules])
    inside = re.escape(form.mark).replace("/", "\\/")
    text = [
        f"start: TEXT | before call {more}",
        f"TEXT: /(.|\\n)*/ & ~/(.|\\n)*{inside}(.|\\n)*/",
        f"before[lazy]: /(.|\\n)*{inside}/",
    ]
    return "\n".join([*text, *rules])


def _quoted(text: str) -> str:
    return json.dumps(text)


def _embedded(schema: str) -> str:
    """Returns a schema as it stands in a grammar, for JSON without white space."""
    own = json.loads(schema or _ANY_OBJECT)
    return json.dumps(own | {"x-guidance": {"whitespace_flexible": False}})


Piece = str | ToolCallPart


class ToolCallReader:
    """Reads the text of one choice, as it comes: what is said, and what is called.

    White space before a call, and the beginnings of its marks, are held until it is known what they are.
    Without `has_text` nothing but calls is expected.
    """

    def __init__(self, form: ToolFormat, new_call_id: Callable[[], str], *, has_text: bool = True) -> None:
        self._form = form
        self._has_text = has_text
        self._new_call_id = new_call_id
        self._held = ""
        self._calls = 0
        # Of the last call.
        self._arguments: list[str] = []
        self._step: Callable[[list[Piece]], bool] = self._read_text

    @property
    def has_calls(self) -> bool:
        """Whether a tool was called."""
        return self._calls > 0

    @property
    def ends_with_calls(self) -> bool:
        """Whether tools were called, and the last call is whole."""
        return self.has_calls and self._step == self._read_text

    def read(self, text: str, *, is_last: bool) -> list[Piece]:
        """Returns what is new; with the last text, what was held too."""
        self._held += text
        pieces: list[Piece] = []
        while self._step(pieces):
            pass
        if is_last and self._step == self._read_arguments:
            self._end_arguments(pieces)
        if is_last and self._step == self._read_text and not self.has_calls:
            # A call that was cut within its marks says nothing.
            if self._has_text and self._held and self._form.mark not in self._held:
                pieces.append(self._held)
            self._held = ""
        return pieces

    def _read_text(self, pieces: list[Piece]) -> bool:
        found = self._held.find(self._form.before)
        said = self._held if found < 0 else self._held[:found]
        kept = said.rstrip()
        if found < 0:
            kept = said[: len(said) - begun(said, self._form.before)].rstrip()
        # Between two calls there is white space at most.
        if kept and not self.has_calls:
            pieces.append(kept)
        self._held = self._held[len(kept) :]
        if found < 0:
            return False
        self._held = self._held.lstrip().removeprefix(self._form.before)
        self._step = self._read_name
        return True

    def _read_name(self, pieces: list[Piece]) -> bool:
        name, between, rest = self._held.partition(self._form.between)
        if not between:
            return False
        pieces.append(ToolCallPart(self._calls, self._new_call_id(), name))
        self._calls += 1
        self._arguments = []
        self._held = rest
        self._step = self._read_arguments
        return True

    def _read_arguments(self, pieces: list[Piece]) -> bool:
        found = self._held.find(self._form.behind)
        end = len(self._held) - begun(self._held, self._form.behind) if found < 0 else found
        if end:
            self._add_arguments(self._held[:end], pieces)
        self._held = self._held[end:]
        if found < 0:
            return False
        self._held = self._held.removeprefix(self._form.behind)
        self._step = self._read_text
        return True

    def _end_arguments(self, pieces: list[Piece]) -> None:
        """Tells what was held of a call that was cut, where that is not what stands behind arguments."""
        if self._held and not _is_json("".join(self._arguments)):
            self._add_arguments(self._held, pieces)
        self._held = ""

    def _add_arguments(self, text: str, pieces: list[Piece]) -> None:
        self._arguments.append(text)
        pieces.append(ToolCallPart(self._calls - 1, arguments=text))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
