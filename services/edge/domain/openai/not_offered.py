"""The endpoints of OpenAI's API that are not offered, by the begin of their paths, and why."""

from types import MappingProxyType
from typing import Final

_STORED: Final = "nothing of a request is stored here"
_TEXT: Final = "the models here read and write text alone"
_OPERATOR: Final = "keys, limits and usage are the operator's matter, with the command comptoir"
_JUDGED: Final = "nothing that a request says is judged here"

# Each stands for all that goes on behind it; of two that fit, the longer one counts.
NOT_OFFERED: Final = MappingProxyType(
    {
        "/v1/agents": _STORED,
        "/v1/assistants": _STORED,
        "/v1/audio": _TEXT,
        "/v1/batches": _STORED,
        "/v1/chat/completions": _STORED,
        "/v1/chatkit": _STORED,
        "/v1/containers": "no code is run and nothing is stored here",
        "/v1/content_provenance_checks": _TEXT,
        "/v1/conversations": _STORED,
        "/v1/decisions": _JUDGED,
        "/v1/evals": _STORED,
        "/v1/files": _STORED,
        "/v1/fine_tuning": "models are not trained here",
        "/v1/images": _TEXT,
        "/v1/live": _TEXT,
        "/v1/models": "which models there are is the operator's matter",
        "/v1/moderations": _JUDGED,
        "/v1/organization": _OPERATOR,
        "/v1/projects": _OPERATOR,
        "/v1/realtime": _TEXT,
        "/v1/responses": _STORED,
        "/v1/safety": _JUDGED,
        "/v1/skills": _STORED,
        "/v1/threads": _STORED,
        "/v1/uploads": _STORED,
        "/v1/vaults": _STORED,
        "/v1/vector_stores": _STORED,
        "/v1/videos": _TEXT,
        "/v1/webhook_endpoints": "no request goes on after its answer, so that there is nothing to report",
        "/v1/webhook_event_types": "no request goes on after its answer, so that there is nothing to report",
    }
)
_VERSION: Final = "/v1"
# Of a path behind its version, with the empty one before its first slash.
_MOST_STEPS: Final = max(path.count("/") for path in NOT_OFFERED)


def why_not_offered(path: str) -> str | None:
    """Returns why an endpoint of OpenAI's API is not offered, with or without `/v1`; None for other paths."""
    # No more than some path here has: any path comes without a key, and may be long.
    steps = path.removeprefix(_VERSION).split("/", _MOST_STEPS)[:_MOST_STEPS]
    for length in range(len(steps), 1, -1):
        if why := NOT_OFFERED.get(_VERSION + "/".join(steps[:length])):
            return why
    return None
