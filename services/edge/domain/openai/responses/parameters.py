"""What becomes of the parameters of a request of Responses that are known and not served."""

from types import MappingProxyType
from typing import Final

from services.edge.domain.openai.parameters import NEUTRAL, Neutral

_ABSENT: Final = Neutral((), "absent")
_EMPTY: Final = Neutral(([], {}, "", 0, False), "absent or empty")
_OFF: Final = Neutral((False,), "absent or false")
# What Responses take and chats do not.
_SERVED_HERE: Final = frozenset({"input", "max_output_tokens", "reasoning"})

RESPONSES_NEUTRAL: Final = MappingProxyType(
    {
        **{name: rule for name, rule in NEUTRAL.items() if name not in _SERVED_HERE},
        # Nothing is kept for later, and nothing runs without its client.
        "background": _OFF,
        "background_options": _EMPTY,
        "context_management": _EMPTY,
        "conversation": Neutral((), "absent, since nothing is stored here: send the earlier items as input"),
        "previous_response_id": Neutral(
            (), "absent, since nothing is stored here: send the earlier items as input"
        ),
        "prompt": Neutral((), "absent, since no prompts are stored here: send the text as instructions"),
        "store": Neutral((False,), "absent or false, since nothing is stored here"),
        # Of vLLM: text.format is the way to say it here
        "guided_choice": _EMPTY,
        "guided_json": _EMPTY,
        "guided_regex": _EMPTY,
        "structured_outputs": _EMPTY,
        # Said elsewhere here
        "reasoning_effort": Neutral((), "absent; it is reasoning.effort here"),
        # Of vLLM: prompts as the engine had them
        "enable_response_messages": _OFF,
        "previous_input_messages": _EMPTY,
        # What belongs to chats
        "function_call": Neutral(("none", "auto"), "absent, none or auto; it is tool_choice here"),
        "functions": Neutral(_EMPTY.values, "absent or empty; they are tools here"),
        "logprobs": Neutral((False,), "absent or false; top_logprobs asks for them here"),
        "max_completion_tokens": Neutral((), "absent; it is max_output_tokens here"),
        "max_tokens": Neutral((), "absent; it is max_output_tokens here"),
        "messages": Neutral(([],), "absent or empty; they are input here"),
        "response_format": Neutral(({"type": "text"},), 'absent or {"type": "text"}; it is text.format here'),
    }
)
NEUTRAL_IN_REASONING: Final = MappingProxyType({"mode": Neutral(("standard",), "absent or standard")})
