"""What a request says of a model's thinking, in the words of several servers, as one of them says it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta

from services.edge.domain.generation import SamplingValue
from services.edge.domain.openai.parameters import Flag, SamplingParameters, whole_number
from services.edge.domain.openai.refusals import JsonObject, unsupported

MAX_ARGUMENT_BYTES: Final = 256
MAX_ARGUMENT: Final = 2**63
_ARGUMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
# The argument by which templates are told, and the field of Qwen's own API.
_SWITCH: Final = "enable_thinking"

TemplateArguments: TypeAlias = Annotated[
    dict[str, Any],
    Meta(
        max_length=32,
        description="an object of arguments that the model's chat template permits, with such values",
    ),
]
Switch: TypeAlias = Annotated[
    bool, Meta(description=f"true or false, for a model whose chat template permits {_SWITCH}")
]
ReasoningEffort: TypeAlias = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    Meta(description="one of none, minimal, low, medium, high, xhigh and max, for a model that reasons so"),
]


class ThinkingParameters(SamplingParameters, frozen=True):
    """How a model thinks before it answers, and whether that is told.

    `enable_thinking` is said in `chat_template_kwargs` too, and `thinking_budget` in `thinking_token_budget`.
    """

    include_reasoning: Flag | None = None
    chat_template_kwargs: TemplateArguments | None = None
    enable_thinking: Switch | None = None
    thinking_budget: Annotated[int, whole_number(0, 2**20)] | None = None


def template_arguments(
    values: JsonObject | None, is_thinking: bool | None = None
) -> dict[str, bool | int | str]:
    """Returns what a body tells the chat template, by the object or by the one field.

    The object prevails, and a null is as good as absent. The replica knows which arguments the model permits.
    What none can permit is refused here.
    """
    told: dict[str, bool | int | str] = {} if is_thinking is None else {_SWITCH: is_thinking}
    told |= {name: value for name, value in (values or {}).items() if value is not None}
    for name, value in told.items():
        is_short = not isinstance(value, str) or len(value.encode()) <= MAX_ARGUMENT_BYTES
        is_number = isinstance(value, int) and abs(value) < MAX_ARGUMENT
        if not _ARGUMENT.fullmatch(name) or not (is_number or isinstance(value, str)) or not is_short:
            unsupported("chat_template_kwargs")
    return told


def thinking_budget(body: ThinkingParameters) -> dict[str, SamplingValue]:
    """Returns the smaller one of both bounds, by the replica's name for it; nothing for none."""
    budgets = [bound for bound in (body.thinking_token_budget, body.thinking_budget) if bound is not None]
    return {"thinking_token_budget": min(budgets)} if budgets else {}


def names_as_sent(body: ThinkingParameters) -> Mapping[str, str]:
    """Returns the request's own names for what a replica refuses by others, where it has not both."""
    is_bound = body.thinking_budget is not None and body.thinking_token_budget is None
    bound = {"thinking_token_budget": "thinking_budget"} if is_bound else {}
    return bound | switch_as_sent(body.chat_template_kwargs, body.enable_thinking)


def switch_as_sent(values: JsonObject | None, is_thinking: bool | None) -> dict[str, str]:
    """Returns the name of the one field for the object, where it alone tells the template something."""
    return {"chat_template_kwargs": _SWITCH} if is_thinking is not None and not values else {}
