"""What becomes of fields and values within OpenAI's parameters, for those that read the documentation.

Paths are as `public_names.py` has them. What a type says by itself is not repeated here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.edge.domain.openai.responses.tools import LEFT_OUT
from services.edge.domain.timeline import Endpoint

_CACHE: Final = "a replica keeps what prompts have in common by itself, and for nobody longer"
_TEXT: Final = "the models here read text alone"
_FUNCTIONS: Final = "functions alone are called here"
_CALLER: Final = "nothing but the caller runs tools"
_STORED: Final = "nothing is stored here"
_AS_IT_IS: Final = "an item is read as it is, wherever it comes from"
_ONCE: Final = "a model is told of every function at once"

# What is read without a type, or has no words in it.
SERVED_WITHIN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input[].content[].text": "a string",
        "input[].content[].refusal": "a string, in place of text",
        "input[].content[].type": "input_text, output_text or refusal",
        "input[].output[].text": "a string",
        "input[].output[].type": "input_text",
        "messages[].content[].text": "a string",
        "messages[].content[].refusal": "a string, in place of text",
        "messages[].content[].type": "text or refusal",
        "tool_choice.allowed_tools": "an object with a mode and tools",
        "tool_choice.allowed_tools.mode": "auto or required",
        "tool_choice.allowed_tools.tools": "a list of functions of tools, one at least",
        "tool_choice.function": "an object with the name of a function of tools",
        "tool_choice.function.name": "the name of a function of tools",
        "tool_choice.mode": "auto or required",
        "tool_choice.name": "the name of a function of tools",
        "tool_choice.tools": "a list of functions of tools, one at least",
        "tool_choice.type": "function or allowed_tools",
    }
)
# Of all endpoints that know the field.
WHY_UNSERVED_WITHIN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input[].async": _CALLER,
        "input[].caller": _CALLER,
        "input[].content[].annotations": "no part of the prompt",
        "input[].content[].logprobs": "no part of the prompt",
        "input[].content[].prompt_cache_breakpoint": _CACHE,
        "input[].namespace": "functions have no namespaces here",
        "input[].output[].prompt_cache_breakpoint": _CACHE,
        "input[].phase": "no part of the prompt",
        "input[].status": _AS_IT_IS,
        "messages[].audio": _TEXT,
        "messages[].content[].prompt_cache_breakpoint": _CACHE,
        "messages[].name": "no part of the prompt",
        "messages[].refusal": "no part of the prompt",
        "reasoning.context": "what an earlier answer thought is no part of the prompt",
        "reasoning.generate_summary": "an older word for reasoning.summary",
        "reasoning.mode": "a model reasons in one way here; how much is its effort",
        "response_format.json_schema.description": "the schema alone says what an answer must fit",
        "stream_options.include_obfuscation": "nothing is put into a stream to hide how long its parts are",
        "text.verbosity": "no model here was trained on such a hint; the prompt says it",
        "tools[].allowed_callers": _CALLER,
        "tools[].async": _CALLER,
        "tools[].defer_loading": _ONCE,
        "tools[].output_schema": "what a call brings is taken as it comes",
    }
)
# Where a type takes any string.
SERVED_VALUES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "include[]": frozenset({"message.output_text.logprobs"}),
        "input[].content[].type": frozenset({"input_text", "output_text", "refusal"}),
        "input[].output[].type": frozenset({"input_text"}),
        "input[].type": frozenset({"message", "function_call", "function_call_output"}),
        "messages[].content[].type": frozenset({"text", "refusal"}),
        "tool_choice": frozenset({"none", "auto", "required"}),
        "tool_choice.allowed_tools.mode": frozenset({"auto", "required"}),
        "tool_choice.mode": frozenset({"auto", "required"}),
        "tool_choice.type": frozenset({"function", "allowed_tools"}),
        "tools[].type": frozenset({"function"}),
    }
)
REFUSED: Final = "refused"
IGNORED: Final = "ignored"
# OpenAI's own: those that a choice may name, and further ones.
_CHOSEN_TOOLS: Final = (
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "mcp",
    "programmatic_tool_calling",
    "shell",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)
_OWN_TOOLS: Final = (
    *_CHOSEN_TOOLS,
    "local_shell",
    "namespace",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
)
_LEFT_OUT_WORDS: Final = "left out beside functions, refused alone"
# What becomes of a value, and why.
UNSERVED_VALUES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        "include[]": dict.fromkeys(
            (
                "code_interpreter_call.outputs",
                "computer_call_output.output.image_url",
                "file_search_call.results",
                "message.input_image.image_url",
                "reasoning.encrypted_content",
                "web_search_call.action.sources",
                "web_search_call.results",
            ),
            (IGNORED, "what it would include does not exist here"),
        ),
        "input[].content[].type": dict.fromkeys(("input_file", "input_image"), (REFUSED, _TEXT)),
        "input[].output[].type": dict.fromkeys(("input_file", "input_image"), (REFUSED, _TEXT)),
        "input[].type": {
            "reasoning": (IGNORED, "what an earlier answer thought is no part of the prompt"),
            **dict.fromkeys(
                ("compaction", "compaction_trigger", "configuration_update"),
                (REFUSED, _STORED),
            ),
            "item_reference": (REFUSED, f"{_STORED}, unless its id holds the item"),
            "additional_tools": (REFUSED, "a request has its tools in tools"),
            **dict.fromkeys(
                (
                    "apply_patch_call",
                    "apply_patch_call_output",
                    "code_interpreter_call",
                    "computer_call",
                    "computer_call_output",
                    "custom_tool_call",
                    "custom_tool_call_output",
                    "file_search_call",
                    "image_generation_call",
                    "local_shell_call",
                    "local_shell_call_output",
                    "mcp_approval_request",
                    "mcp_approval_response",
                    "mcp_call",
                    "mcp_list_tools",
                    "program",
                    "program_output",
                    "shell_call",
                    "shell_call_output",
                    "tool_search_call",
                    "tool_search_output",
                    "web_search_call",
                ),
                (REFUSED, _FUNCTIONS),
            ),
        },
        "messages[].content[].type": dict.fromkeys(("file", "image_url", "input_audio"), (REFUSED, _TEXT)),
        "messages[].tool_calls[].type": {"custom": (REFUSED, _FUNCTIONS)},
        "tool_choice.type": dict.fromkeys((*_CHOSEN_TOOLS, "computer_use"), (REFUSED, _CALLER)),
        "tools[].type": {
            name: (_LEFT_OUT_WORDS if name in LEFT_OUT else REFUSED, _CALLER) for name in _OWN_TOOLS
        },
    }
)
# Chats leave none out.
_IN_CHATS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {"tools[].type": {"custom": (REFUSED, _FUNCTIONS)}}
)


def value_unserved(place: str, value: str, endpoint: Endpoint) -> tuple[str, str] | None:
    """Returns what becomes of a value in its place, and why; None for one that is served or not known."""
    here = _IN_CHATS if endpoint is Endpoint.CHAT_COMPLETIONS else {}
    return here.get(place, {}).get(value) or UNSERVED_VALUES.get(place, {}).get(value)
