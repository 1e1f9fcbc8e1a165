"""Every process runs with the versions that are tested: what `make lock` writes is one choice, not twelve."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from deploy.local.stack.options import REPOSITORY

LOCKED: Final = REPOSITORY / "requirements"
TESTED: Final = "dev"
PINNED: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)
# What vLLM for GPUs pins for itself, and its build for processors otherwise.
OTHERWISE: Final = {"generator-cuda": {"apache-tvm-ffi"}}


def versions_in(file: Path) -> dict[str, set[str]]:
    """A package may have one for each of two Pythons."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, version in PINNED.findall(file.read_text(encoding="utf-8")):
        found[name].add(version)
    return found


def extras() -> list[str]:
    """Those of the project; clients of others have environments of their own, which do not agree."""
    names = sorted(file.stem for file in LOCKED.glob("*.txt"))
    return [name for name in names if name != TESTED and not name.startswith("clients-")]


@pytest.mark.parametrize("extra", extras())
def test_each_process_is_locked_to_the_versions_that_are_tested(extra: str) -> None:
    tested, locked = versions_in(LOCKED / f"{TESTED}.txt"), versions_in(LOCKED / f"{extra}.txt")
    assert {"grpcio", "pydantic", "pyyaml"} & set(locked) or extra == "images"
    shared = set(locked) & set(tested) - OTHERWISE.get(extra, set())
    assert {name: locked[name] for name in shared if not locked[name] <= tested[name]} == {}
