"""Why a parameter of OpenAI's API is not served, for those that read the documentation."""

from types import MappingProxyType
from typing import Final

from services.edge.domain.openai.parameters import IGNORED

_STORED: Final = "nothing is stored here"
_WHO: Final = "who asks changes no answer, and is not kept"
_CACHE: Final = "a replica keeps what prompts have in common by itself, and for nobody longer"
_JUDGED: Final = "nothing that a request says is judged here"

# Of all endpoints that know the parameter.
WHY_UNSERVED: Final = MappingProxyType(
    {
        "access_programs": "there are no programs to be admitted to",
        "audio": "the models here write text alone",
        "background": "nothing runs without its client",
        "background_options": "nothing runs without its client",
        "context_management": "nothing of a prompt is cut or put in other words",
        "conversation": _STORED,
        "image": "the models here read text alone",
        "max_tool_calls": "it limits tools that OpenAI runs, and the caller runs those here",
        "metadata": "nothing is kept that it could stand beside",
        "modalities": "the models here write text alone",
        "moderation": _JUDGED,
        "personality": "a prompt says by itself how to answer",
        "prediction": "makes an answer faster at most, and never another one",
        "previous_response_id": _STORED,
        "prompt": _STORED,
        "prompt_cache_key": _CACHE,
        "prompt_cache_options": _CACHE,
        "prompt_cache_retention": _CACHE,
        "safety_identifier": _WHO,
        "store": _STORED,
        "suffix": "no model here fills gaps by itself",
        "user": _WHO,
        "verbosity": "no model here was trained on such a hint; the prompt says it",
        "web_search_options": "nothing is searched for",
    }
)


def why_refused(name: str) -> str | None:
    """Returns why a parameter of OpenAI's API is refused; None for one that is not known to be."""
    return WHY_UNSERVED.get(name)


def why_ignored(name: str) -> str | None:
    """Returns why a parameter of OpenAI's API has no effect; None for one that is not known to have none."""
    return WHY_UNSERVED.get(name) if name in IGNORED else None
