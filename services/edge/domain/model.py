"""A model under one of its names, as the router tells it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retirement:
    """A name should not be used since the one moment, and goes away at the other, if that is not 0."""

    deprecated_at_seconds: int
    sunset_at_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a key may use, under the name `name`; answers say `model_name`."""

    name: str
    model_name: str
    created_at_seconds: int
    context_tokens: int
    max_output_tokens: int
    retirement: Retirement | None = None
