"""OpenAI's older words for tools: `functions` are tools, of which `function_call` has one called at most."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from services.edge.domain.openai.refusals import invalid
from services.edge.domain.openai.tools.bodies import (
    MAX_TOOLS,
    CalledFunctionBody,
    FunctionBody,
    ToolBody,
    ToolName,
)
from services.edge.domain.openai.tools.request import call_steps, tool_steps
from services.edge.domain.tools import ToolCall, Tools
from services.kernel.errors import ComptoirError
from services.kernel.steps import Steps

# A function as a replica and the tools of a chat name it.
_FUNCTION: Final = re.compile(r"tools(\[[0-9]{1,4}\])\.function\.")
_NAMES: Final = {"tools": "functions", "tool_choice": "function_call"}


class ChosenFunction(Struct, frozen=True):
    """The one function to call."""

    name: ToolName


FunctionBodies: TypeAlias = Annotated[
    list[FunctionBody],
    Meta(
        max_length=MAX_TOOLS,
        description=f"a list of up to {MAX_TOOLS} functions of different names, and only without tools",
    ),
]
FunctionChoice: TypeAlias = Annotated[
    Literal["none", "auto"] | ChosenFunction,
    Meta(description="none, auto or an object that names one of functions, and only beside those"),
]


def older_tool_steps(
    functions: Sequence[FunctionBody], choice: Literal["none", "auto"] | ChosenFunction | None
) -> Steps[Tools | None]:
    """Returns functions as tools, of which one is called at most; raises as `tool_steps`, by older names."""
    bodies = [ToolBody("function", function) for function in functions]
    named: str | dict[str, Any] | None = None if isinstance(choice, ChosenFunction) else choice
    if isinstance(choice, ChosenFunction):
        named = {"type": "function", "function": {"name": choice.name}}
    try:
        return (yield from tool_steps(bodies, named, is_parallel=False))
    except ComptoirError as error:
        error.field = named_in_older_words(error.field)
        raise


def check_alone(*, has_tools: bool, tool_choice: object, has_functions: bool, function_call: object) -> None:
    """Refuses a request that speaks of tools in both ways, by what does not belong to the other."""
    if has_functions and has_tools:
        invalid("functions")
    if has_functions and tool_choice is not None:
        invalid("tool_choice")
    is_named = isinstance(function_call, ChosenFunction)
    if not has_functions and (is_named or (has_tools and function_call is not None)):
        invalid("function_call")


def named_in_older_words(field: str) -> str:
    """Returns a name that a chat's tools have as a request with functions has it."""
    found = _FUNCTION.match(field)
    return _NAMES.get(field, field) if found is None else f"functions{found[1]}.{field[found.end() :]}"


class OlderCalls:
    """The calls of one history, which are told without ids: what a function brought belongs to the last."""

    def __init__(self) -> None:
        self._calls = 0

    @property
    def call_id(self) -> str:
        """The id of the last call; of the form that templates of all models take."""
        return f"call{self._calls:05d}"

    def call_steps(self, body: CalledFunctionBody, path: str) -> Steps[ToolCall]:
        """Returns the next call; raises as `call_steps` does."""
        self._calls += 1
        return (yield from call_steps(self.call_id, body.name, body.arguments, f"{path}.arguments"))
