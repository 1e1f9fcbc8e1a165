"""Which tests run in one process where tests run side by side, and which of them begin first.

A stack costs up to 27 s of CPU until it serves, and 6 % of a core while nobody asks. Tests that ask one which
is there for all of them are not spread: each process would start its own, and keep it to its end.
"""

import ast
import functools
from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

REPOSITORY: Final = Path(__file__).resolve().parents[1]
STACK: Final = "stack"
# What takes longest: begun last, it would leave the other processes nothing to do.
LONGEST: Final = (
    "tests/clients",
    "tests/system",
    "tests/system/test_answers_beside_vllm.py",
    "tests/system/test_lease_histories.py",
    "tests/system/test_up.py",
    "tests/system/test_replicas.py",
    "tests/system/test_secured_kafka.py",
    "tests/services/edge/server/test_described_requests.py",
    "tests/system/test_failover.py",
    "tests/system/test_leases.py",
    "tests/system/test_holding.py",
    "tests/system/usage/test_kill.py",
    "tests/system/usage/test_wrong_clocks_and_newer_programs.py",
)


class OneStackScheduling(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Gives a process a file, or all files that share a stack."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid.partition("::")[0])


@functools.cache
def scope_of(file: str) -> str:
    """The folder whose stack a file's tests ask; the file itself where it has parts of its own, or none."""
    parents = Path(file).parts[:2]
    is_shared = (REPOSITORY.joinpath(*parents) / "conftest.py").is_file() and asks_stack(REPOSITORY / file)
    return "/".join(parents) if is_shared else file


def asks_stack(path: Path) -> bool:
    """Whether a test of the file, or a fixture of it, is given the stack of its folder."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    has_own = any(function.name == STACK for function in functions)
    return not has_own and any(
        argument.arg == STACK
        for function in functions
        if function.name.startswith("test_") or function.decorator_list
        for argument in function.args.args
    )


def longest_first(items: list[pytest.Item]) -> None:
    """Sorts what a process collected, as every other one does."""
    begins = {scope: position for position, scope in enumerate(LONGEST)}

    def position(item: pytest.Item) -> int:
        return begins.get(scope_of(item.nodeid.partition("::")[0]), len(begins))

    items.sort(key=position)


def scheduling(config: pytest.Config, log: Any) -> OneStackScheduling:
    """The schedule for pytest-xdist."""
    # Its own order has files of many tests first, of which most take no time at all.
    config.option.loadscopereorder = False
    return OneStackScheduling(config, log)
