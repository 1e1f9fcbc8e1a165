"""Messages as a chat template reads them, found by trying the template and not by an engine's functions."""

import json
from typing import Any, Final

from jinja2.exceptions import TemplateError

from services.generator.adapters.prompts.chat_prompt import Converse
from services.generator.adapters.prompts.plain_text import Messages, Tokenizer

_SAID: Final = "probe"


def converse_as_told(tokenizer: Tokenizer) -> Converse:
    """Returns what makes a conversation of messages: strings or parts, as the template wants them.

    A template that goes through the parts of a content gets parts; any other gets one string, in which
    the parts stand on lines of their own. That is what vLLM's own server does too.
    """
    takes_parts = _takes_parts(tokenizer)

    def converse(messages: Messages) -> Messages:
        return [_message(message, takes_parts=takes_parts) for message in messages]

    return converse


def _takes_parts(tokenizer: Tokenizer) -> bool:
    """Tells whether the template writes a part's text, and nothing of the object that holds it."""
    asked: Messages = [{"role": "user", "content": [{"type": "text", "text": _SAID}]}]
    try:
        rendered = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=False)
    except (TemplateError, TypeError):
        return False
    return _SAID in rendered and "type" not in rendered[max(0, rendered.index(_SAID) - 40) :]


def _message(message: dict[str, Any], *, takes_parts: bool) -> dict[str, Any]:
    told = dict(message)
    content = told.get("content")
    if takes_parts and isinstance(content, str):
        told["content"] = [{"type": "text", "text": content}]
    elif not takes_parts and isinstance(content, list):
        told["content"] = "\n".join(part["text"] for part in content if part["text"])
    if "tool_calls" in told:
        told["tool_calls"] = [_call(call) for call in told["tool_calls"]]
    return told


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """Returns a call whose arguments are an object, which templates write by themselves."""
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"] or "{}")}}
