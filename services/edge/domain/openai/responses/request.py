"""A request of OpenAI's Responses as JSON becomes a ResponseRequest, or a refusal that names one parameter.

Every request stands for itself: nothing of an earlier one is kept, and what is not read here goes nowhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.edge.domain.generation import Form, GenerationRequest, SamplingValue
from services.edge.domain.openai.answers import on_one_line, quoted
from services.edge.domain.openai.chat.request import MAX_OUTPUT_TOKENS, sampling_of
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.parameters import refuse_unsupported
from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.responses.body import ResponsesBody, TextFormat
from services.edge.domain.openai.responses.items import message_steps
from services.edge.domain.openai.responses.parameters import (
    NEUTRAL_IN_REASONING,
    RESPONSES_NEUTRAL,
)
from services.edge.domain.openai.responses.ports import ItemSeal
from services.edge.domain.openai.responses.references import resolved_steps
from services.edge.domain.openai.responses.tools import function_steps, functions_of
from services.edge.domain.openai.thinking import names_as_sent, template_arguments, thinking_budget
from services.edge.domain.openai.tools.bodies import ToolBody
from services.edge.domain.openai.tools.request import schema_text
from services.edge.domain.timeline import Endpoint
from services.edge.domain.tools import Tools
from services.kernel.steps import Steps, finished

LOGPROBS: Final = "message.output_text.logprobs"
_ANY_OBJECT: Final = '{"type":"object"}'


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """What a request asks a replica for, and what its answer repeats of it, as JSON.

    `without_effect` counts tools that were left out and things to include that there are not; `tool_places`
    are the places of its functions among its tools, `names_as_sent` as `ChatRequest` has them.
    """

    generation: GenerationRequest
    echoed: str
    without_effect: int
    tool_places: tuple[int, ...]
    service_tier: str | None = None
    includes_reasoning: bool = True
    is_reasoning_summary: bool = False
    names_as_sent: Mapping[str, str] = field(default_factory=dict)
    # Whether the caller says that it keeps items itself, and so sends them whole.
    keeps_items: bool = False


def parse_response(value: object) -> ResponseRequest:
    """Returns what `response_steps` does, at once."""
    return finished(response_steps(value))


def response_steps(value: object, seal: ItemSeal | None = None) -> Steps[ResponseRequest]:
    """Returns what `value`, any decoded JSON, asks for; `seal` opens what its references hold.

    Raises ComptoirError with REQUEST_INVALID or PARAMETER_UNSUPPORTED and a public name.
    """
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, RESPONSES_NEUTRAL)
    yield
    body = converted(value, ResponsesBody)
    yield
    if body.n not in (None, 1):
        unsupported("n")
    refuse_unsupported(value.get("reasoning") or {}, NEUTRAL_IN_REASONING, "reasoning.")
    places, functions = functions_of(body.tools)
    form = None if body.text is None else body.text.format
    items = yield from resolved_steps(body.input, seal)
    messages = yield from message_steps(body.instructions, items)
    yield
    generation = GenerationRequest(
        model=body.model or "",
        messages=messages,
        endpoint=Endpoint.RESPONSES,
        max_output_tokens=min(max(body.max_output_tokens or 0, 0), MAX_OUTPUT_TOKENS),
        sampling=sampling_of(body) | thinking_budget(body) | _logprobs(body),
        is_streamed=bool(body.stream),
        form=Form(_json_schema(form)),
        tools=(
            yield from function_steps(
                functions, places, body.tool_choice, is_parallel=body.parallel_tool_calls is not False
            )
        ),
        reasoning_effort=(body.reasoning.effort or "") if body.reasoning else "",
        template_arguments=template_arguments(body.chat_template_kwargs, body.enable_thinking),
    )
    yield
    echoed = yield from _echo_steps(body, generation, functions)
    included = sum(1 for name in body.include or () if name != LOGPROBS)
    without_effect = len(body.tools or ()) - len(places) + included
    return ResponseRequest(
        generation,
        echoed,
        without_effect,
        places,
        service_tier=body.service_tier,
        includes_reasoning=body.include_reasoning is not False,
        is_reasoning_summary=_summary(body) is not None,
        names_as_sent=names_as_sent(body),
        keeps_items=value.get("store") is False,
    )


def _summary(body: ResponsesBody) -> str | None:
    """Returns which summary of what the model thinks is asked for; None for none."""
    asked = None if body.reasoning is None else body.reasoning.summary
    return None if asked == "none" else asked


def _logprobs(body: ResponsesBody) -> dict[str, SamplingValue]:
    if not body.top_logprobs and LOGPROBS not in (body.include or ()):
        return {}
    return {"logprobs": body.top_logprobs or 0}


def _json_schema(form: TextFormat | None) -> str:
    """Returns the schema that the text must fit, as JSON; empty for any text."""
    if form is None or form.type == "text":
        return ""
    if form.type == "json_object":
        return _ANY_OBJECT
    if form.name is None:
        invalid("text.format.name")
    if form.schema is None:
        invalid("text.format.schema")
    return schema_text(form.schema, "text.format.schema")


def _echo_steps(
    body: ResponsesBody, generation: GenerationRequest, functions: Sequence[ToolBody]
) -> Steps[str]:
    """Returns the members of an answer that repeat its request; of its input and instructions nothing."""
    tools = []
    for function in functions:
        tools.append(_tool(function))
        yield
    most = body.max_output_tokens if body.max_output_tokens and body.max_output_tokens > 0 else None
    members = {
        "max_output_tokens": _json(most),
        "parallel_tool_calls": _json(body.parallel_tool_calls is not False),
        "reasoning": _json({"effort": generation.reasoning_effort or None, "summary": _summary(body)}),
        "temperature": _json(body.temperature),
        "text": f'{{"format":{_format(body)},"verbosity":"medium"}}',
        "tool_choice": _json(_choice(body.tool_choice, generation.tools)),
        "tools": f"[{','.join(tools)}]",
        "top_logprobs": _json(body.top_logprobs or 0),
        "top_p": _json(body.top_p),
    }
    return ",".join(f'"{name}":{value}' for name, value in members.items())


def _format(body: ResponsesBody) -> str:
    form = None if body.text is None else body.text.format
    if form is None or form.type != "json_schema":
        return '{"type":"text"}' if form is None else f'{{"type":"{form.type}"}}'
    described = {"name": form.name, "description": form.description, "strict": bool(form.strict)}
    return on_one_line(_json({"type": "json_schema", **described, "schema": form.schema}))


def _tool(function: ToolBody) -> str:
    said = function.function
    parameters = "null" if said.parameters is None else on_one_line(_json(said.parameters))
    description = "null" if said.description is None else quoted(said.description)
    # All calls fit their schema.
    strict = _json(said.strict is not False)
    return (
        f'{{"type":"function","name":{quoted(said.name)},"description":{description},'
        f'"parameters":{parameters},"strict":{strict}}}'
    )


def _choice(choice: str | dict[str, Any] | None, tools: Tools | None) -> object:
    if tools is None or choice is None or isinstance(choice, str):
        return choice if isinstance(choice, str) else "auto"
    if choice.get("type") == "function":
        return {"type": "function", "name": tools.permitted[0]}
    named = [{"type": "function", "name": name} for name in tools.permitted]
    return {"type": "allowed_tools", "mode": choice["mode"], "tools": named}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
