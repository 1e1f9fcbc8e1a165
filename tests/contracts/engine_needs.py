"""What a part of the engines' contract needs: an engine that has it not is not asked for it.

A class of the contract declares `features` and `lacks`; a test of it checks them against the engine, so that
nothing is left out that an engine has.
"""

from typing import Final

import pytest

from services.generator.domain.ports import Feature

_NONE: Final = Feature(0)


def needs(feature: Feature = _NONE, *, parameter: str = "") -> pytest.MarkDecorator:
    """Marks a test for engines with a feature, or with a sampling parameter."""
    return pytest.mark.needs(feature, parameter)


def is_asked_live(item: pytest.Item, kind: str | None) -> bool:
    """True but for the contract on a server that the command line has not told of."""
    own: str | None = getattr(getattr(item, "cls", None), "live_kind", None)
    return own is None or own == kind


def has_needs(item: pytest.Item) -> bool:
    """True for a test that its class's engine can pass."""
    owner = getattr(item, "cls", None)
    declared: Feature | None = getattr(owner, "features", None)
    lacks: frozenset[str] = getattr(owner, "lacks", frozenset())
    for mark in item.iter_markers("needs"):
        feature, parameter = mark.args
        if (declared is not None and feature not in declared) or parameter in lacks:
            return False
    return True
