"""Paths as clients spell them, whose base URL has one slash or one `/v1` too many or too few."""

import re
from types import MappingProxyType
from typing import Final

from services.edge.domain.timeline import Endpoint

CHAT_PATH: Final = "/v1/chat/completions"
COMPLETIONS_PATH: Final = "/v1/completions"
EMBEDDINGS_PATH: Final = "/v1/embeddings"
INPUT_TOKENS_PATH: Final = "/v1/responses/input_tokens"
MODELS_PATH: Final = "/v1/models"
RESPONSES_PATH: Final = "/v1/responses"
# vLLM's is `/tokenize`, which reads as this.
TOKENIZE_PATH: Final = "/v1/tokenize"
PATHS: Final = MappingProxyType(
    {
        Endpoint.CHAT_COMPLETIONS: CHAT_PATH,
        Endpoint.COMPLETIONS: COMPLETIONS_PATH,
        Endpoint.EMBEDDINGS: EMBEDDINGS_PATH,
        Endpoint.INPUT_TOKENS: INPUT_TOKENS_PATH,
        Endpoint.MODELS: MODELS_PATH,
        Endpoint.RESPONSES: RESPONSES_PATH,
        Endpoint.TOKENIZE: TOKENIZE_PATH,
    }
)
_BY_PATH: Final = MappingProxyType({path: endpoint for endpoint, path in PATHS.items()})
# The endpoints whose path may go on with a name.
_NAMED: Final = (Endpoint.MODELS,)
_VERSION: Final = "/v1"
_SLASHES: Final = re.compile(r"/{2,}")
_VERSIONS: Final = re.compile(r"(?:/v1){2,}(?=/)")


def served_path(path: str) -> str:
    """Returns the path that is meant: slashes once and none at the end, `/v1` once, in front of the API."""
    single = _VERSIONS.sub(_VERSION, _SLASHES.sub("/", path), count=1)
    if len(single) > 1:
        single = single.removesuffix("/")
    return _VERSION + single if endpoint_of(_VERSION + single) is not Endpoint.OTHER else single


def endpoint_of(path: str) -> Endpoint:
    """Returns the endpoint that a served path is of; OTHER for what is no part of the API."""
    named = (endpoint for endpoint in _NAMED if path.startswith(PATHS[endpoint] + "/"))
    return _BY_PATH.get(path) or next(named, Endpoint.OTHER)
