"""Paths as clients spell them, whose base URL has one slash or one `/v1` too many or too few."""

import re
from typing import Final

CHAT_PATH: Final = "/v1/chat/completions"
MODELS_PATH: Final = "/v1/models"
_VERSION: Final = "/v1"
_SLASHES: Final = re.compile(r"/{2,}")
_VERSIONS: Final = re.compile(r"(?:/v1){2,}(?=/)")
_WITHOUT_VERSION: Final = re.compile(r"/(?:chat/completions|models(?:/.*)?)", re.DOTALL)


def served_path(path: str) -> str:
    """The path that is meant: slashes once and none at the end, `/v1` once and in front of the API."""
    single = _VERSIONS.sub(_VERSION, _SLASHES.sub("/", path), count=1)
    if len(single) > 1:
        single = single.removesuffix("/")
    return _VERSION + single if _WITHOUT_VERSION.fullmatch(single) else single
