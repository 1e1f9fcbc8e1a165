"""The tools of one generation: what its answer may be because of them, and what each choice calls."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from services.generator.domain.closed_schema import closed_steps
from services.generator.domain.delta import Delta
from services.generator.domain.structure import FIELD, Structure
from services.generator.domain.tools import (
    SCHEMA_BYTES_PER_STEP,
    Tool,
    ToolCallReader,
    ToolFormat,
    Tools,
    ToolUse,
    grammar_steps,
)
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.steps import Steps, finished

# They are read in the event loop.
_MOST_SCHEMA_BYTES: Final = 256 * 1024


class CalledTools:
    """Stands between the engine's deltas and the caller's; it changes nothing where no tool can be called."""

    def __init__(self, tools: Tools | None, form: ToolFormat | None) -> None:
        self._tools = tools
        self._form = form
        self._schemas: list[tuple[str, str]] = []
        self._readers: dict[int, ToolCallReader] = {}
        self._are_called = bool(tools and tools.callable_tools)

    def structure(self, asked: Structure | None) -> Structure | None:
        """Returns what `structure_steps` does, at once."""
        return finished(self.structure_steps(asked))

    def structure_steps(self, asked: Structure | None) -> Steps[Structure | None]:
        """Returns what the answer must be: as it is `asked`, or a call. Raises as `checked_steps`."""
        said = asked
        if asked is not None and asked.json_schema:
            said = Structure((yield from closed_steps(asked.json_schema, FIELD)))
            if len(asked.json_schema) > SCHEMA_BYTES_PER_STEP:
                yield
        if self._tools is None:
            return said
        tools = yield from checked_steps(self._tools, self._form)
        if not self._are_called or self._form is None:
            return said
        schemas = ((tool.parameters_schema, _field_of(index)) for index, tool in enumerate(tools))
        self._schemas = [(schema, field) for schema, field in schemas if schema]
        if said is not None and said.json_schema:
            self._schemas.append((said.json_schema, FIELD))
        told = replace(self._tools, tools=tools)
        return Structure(grammar=(yield from grammar_steps(told, self._form, said)))

    def schemas(self) -> list[tuple[str, str]]:
        """Returns the schemas that stand within the structure, each with its field, once they are known."""
        return self._schemas

    def ends_with_calls(self, index: int) -> bool:
        """Whether a choice called tools, and the last call is whole."""
        return index in self._readers and self._readers[index].ends_with_calls

    def shown(self, delta: Delta) -> Iterator[Delta]:
        """Yields what a caller is shown of a delta."""
        if self._tools is None or self._form is None or not self._are_called:
            if delta.is_visible:
                yield delta
            return
        tokens, ids = delta.tokens, delta.token_ids
        reader = self._reader(delta.index, self._tools, self._form)
        for piece in reader.read(delta.text, is_last=delta.finish is not None):
            if isinstance(piece, str):
                yield Delta(piece, index=delta.index, tokens=tokens, token_ids=ids)
            else:
                yield Delta(index=delta.index, tool_call=piece, tokens=tokens, token_ids=ids)
            tokens, ids = (), ()
        if tokens or ids:
            yield Delta(index=delta.index, tokens=tokens, token_ids=ids)

    def _reader(self, index: int, tools: Tools, form: ToolFormat) -> ToolCallReader:
        reader = self._readers.get(index)
        if reader is None:
            reader = ToolCallReader(form, _new_call_id, has_text=tools.use is not ToolUse.REQUIRED)
            self._readers[index] = reader
        return reader


def checked_steps(tools: Tools, form: ToolFormat | None) -> Steps[tuple[Tool, ...]]:
    """Returns tools that a model with calls of this form can be told of, each with its closed schema.

    Raises PARAMETER_UNSUPPORTED for a model whose calls nobody could read and for a schema that is none,
    REQUEST_INVALID for names that are not those of tools.
    """
    if form is None:
        raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="tools")
    _check(tools)
    return (yield from _closed_steps(tools.tools))


def _check(tools: Tools) -> None:
    names = {tool.name for tool in tools.tools}
    if len(names) < len(tools.tools) or not names.issuperset(tools.permitted):
        raise ComptoirError(Reason.REQUEST_INVALID, field="tools")
    schema_bytes = sum(len(tool.parameters_schema) for tool in tools.tools)
    if schema_bytes > _MOST_SCHEMA_BYTES:
        numbers = Numbers(limit=_MOST_SCHEMA_BYTES, requested=schema_bytes)
        raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="tools", numbers=numbers)


def _closed_steps(tools: Sequence[Tool]) -> Steps[tuple[Tool, ...]]:
    closed_tools = []
    schema_bytes = 0
    for index, tool in enumerate(tools):
        schema_bytes += len(tool.parameters_schema)
        if schema_bytes > SCHEMA_BYTES_PER_STEP:
            schema_bytes = len(tool.parameters_schema)
            yield
        if tool.parameters_schema:
            closed = yield from closed_steps(tool.parameters_schema, _field_of(index))
            tool = replace(tool, parameters_schema=closed)  # noqa: PLW2901 - the same tool
        closed_tools.append(tool)
    return tuple(closed_tools)


def _field_of(index: int) -> str:
    return f"tools[{index}].parameters_schema"


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"
