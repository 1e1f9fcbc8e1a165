"""The tools of one generation: what its answer may be because of them, and what each choice calls."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

from services.generator.domain.closed_schema import closed
from services.generator.domain.delta import Delta
from services.generator.domain.structure import FIELD, Structure
from services.generator.domain.tools import Tool, ToolCallReader, ToolFormat, Tools, grammar
from services.kernel.errors import ComptoirError, Reason


class CalledTools:
    """Stands between the engine's deltas and the caller's; it changes nothing where no tool can be called."""

    def __init__(self, tools: Tools | None, form: ToolFormat | None) -> None:
        self._tools = tools
        self._form = form
        self._readers: dict[int, ToolCallReader] = {}

    def structure(self, asked: Structure | None) -> Structure | None:
        """Returns what the answer must be: as it is `asked`, or a call.

        Raises PARAMETER_UNSUPPORTED for a model whose calls nobody could read.
        """
        said = None if asked is None else Structure(closed(asked.json_schema, FIELD))
        if self._tools is None:
            return said
        if self._form is None:
            raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="tools")
        if not self._tools.callable_tools:
            return said
        tools = replace(self._tools, tools=tuple(self._closed_tools()))
        return Structure(grammar=grammar(tools, self._form, said.json_schema if said else ""))

    def schemas(self) -> Iterator[tuple[str, str]]:
        """Yields the schema of each tool that may be called, and the name of the field that it stands in."""
        for index, tool in enumerate(self._closed_tools()):
            if tool.parameters_schema:
                yield tool.parameters_schema, _field_of(index)

    def _closed_tools(self) -> Iterator[Tool]:
        for index, tool in enumerate(() if self._tools is None else self._tools.tools):
            schema = tool.parameters_schema
            yield replace(tool, parameters_schema=closed(schema, _field_of(index)) if schema else "")

    def has_calls(self, index: int) -> bool:
        """Whether a choice called a tool."""
        return index in self._readers and self._readers[index].has_calls

    def shown(self, delta: Delta) -> Iterator[Delta]:
        """Yields what a caller is shown of a delta."""
        if self._tools is None or self._form is None or not self._tools.callable_tools:
            if delta.is_visible:
                yield delta
            return
        reader = self._readers.setdefault(delta.index, ToolCallReader(self._form, _new_call_id))
        tokens = delta.tokens
        for piece in reader.read(delta.text, is_last=delta.finish is not None):
            if isinstance(piece, str):
                yield Delta(piece, index=delta.index, tokens=tokens)
            else:
                yield Delta(index=delta.index, tool_call=piece, tokens=tokens)
            tokens = ()
        if tokens:
            yield Delta(index=delta.index, tokens=tokens)


def _field_of(index: int) -> str:
    return f"tools[{index}].parameters_schema"


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"
