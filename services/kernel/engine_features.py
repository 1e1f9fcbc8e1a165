"""What a request may need of an engine that not every engine has, as routers are told it."""

from collections.abc import Mapping
from enum import IntFlag
from types import MappingProxyType
from typing import Final


class EngineFeature(IntFlag):
    """The bits of `comptoir.router.v1.EngineFeature`."""

    OUTPUT_TOKEN_IDS = 1
    LOGPROBS = 2
    JSON_SCHEMA = 4
    TEXTS = 8
    PATTERN = 16
    TOOLS = 32
    THINKING_BUDGET = 64
    MIN_TOKENS = 128
    STOP_TOKEN_IDS = 256
    EFFORT_NONE = 512
    EFFORT_MINIMAL = 1024
    EFFORT_LOW = 2048
    EFFORT_MEDIUM = 4096
    EFFORT_HIGH = 8192
    EFFORT_XHIGH = 16384
    EFFORT_MAX = 32768


NO_FEATURE: Final = EngineFeature(0)
# Of a replica that does not say what its engine has: whatever a bit stands for.
ALL_FEATURES: Final = 2**32 - 1

# By the effort's name. Only the catalog says which of them need anything of an engine.
OF_EFFORT: Final[Mapping[str, EngineFeature]] = MappingProxyType(
    {
        feature.name.removeprefix("EFFORT_").lower(): feature
        for feature in EngineFeature
        if feature.name and feature.name.startswith("EFFORT_")
    }
)

# What asks for it, in a request for a generation.
_FIELDS: Final[Mapping[EngineFeature, str]] = MappingProxyType(
    {
        EngineFeature.OUTPUT_TOKEN_IDS: "returns_token_ids",
        EngineFeature.LOGPROBS: "sampling.logprobs",
        EngineFeature.JSON_SCHEMA: "structure.json_schema",
        EngineFeature.TEXTS: "structure.texts",
        EngineFeature.PATTERN: "structure.pattern",
        EngineFeature.TOOLS: "tools",
        EngineFeature.THINKING_BUDGET: "sampling.thinking_token_budget",
        EngineFeature.MIN_TOKENS: "sampling.min_tokens",
        EngineFeature.STOP_TOKEN_IDS: "sampling.stop_token_ids",
        **dict.fromkeys(OF_EFFORT.values(), "template.reasoning_effort"),
    }
)


def has_all(features: int, needs: int) -> bool:
    """Tells whether an engine has what a request needs; a bit that nobody here knows counts as any other."""
    return not needs & ~features


def field_of(missing: int) -> str:
    """Returns the field that asks for the first of some features; `needs` where none is known."""
    return next((field for feature, field in _FIELDS.items() if feature & missing), "needs")
