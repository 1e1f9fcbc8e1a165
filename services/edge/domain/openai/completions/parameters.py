"""What becomes of the parameters of a completion request that are known and not served."""

from types import MappingProxyType
from typing import Final

from services.edge.domain.openai.parameters import NEUTRAL, Neutral

_ABSENT: Final = Neutral((), "absent")
_EMPTY: Final = Neutral(([], {}, "", 0, False), "absent or empty")
_NO_CHOICE: Final = Neutral(("none", "auto"), "absent, none or auto")
# What completions take and chats do not.
_SERVED_HERE: Final = frozenset({"best_of", "echo", "prompt"})

COMPLETION_NEUTRAL: Final = MappingProxyType(
    {
        **{name: rule for name, rule in NEUTRAL.items() if name not in _SERVED_HERE},
        # A prompt gets what the tokenizer adds to a text.
        "add_special_tokens": Neutral((True,), "absent or true"),
        # No template renders a prompt, and none of it is reasoning.
        "chat_template_kwargs": _EMPTY,
        "enable_thinking": _ABSENT,
        "thinking_budget": _ABSENT,
        "include_reasoning": Neutral((True, False), "absent, true or false"),
        # The text behind the answer, for models that fill gaps.
        "suffix": _EMPTY,
        # What belongs to chats
        "function_call": _NO_CHOICE,
        "functions": _EMPTY,
        "max_completion_tokens": _ABSENT,
        "messages": _EMPTY,
        "reasoning_effort": _ABSENT,
        "response_format": Neutral(({"type": "text"},), 'absent or {"type": "text"}'),
        "tool_choice": _NO_CHOICE,
        "tools": _EMPTY,
        "top_logprobs": Neutral((0,), "absent or 0"),
    }
)
