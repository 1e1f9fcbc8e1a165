"""Tests of which tests share a process."""

import ast
from pathlib import Path

import pytest

from tests.side_by_side import LONGEST, REPOSITORY, asks_stack, scope_of


@pytest.mark.parametrize(
    ("file", "scope"),
    [
        ("tests/clients/test_tools.py", "tests/clients"),
        ("tests/clients/test_budgets.py", "tests/clients"),
        ("tests/clients/test_keda.py", "tests/clients/test_keda.py"),
        ("tests/system/test_semantics.py", "tests/system"),
        ("tests/system/test_one_request.py", "tests/system"),
        # Its tests start one, by helpers that are given it.
        ("tests/system/test_replicas.py", "tests/system/test_replicas.py"),
        ("tests/system/usage/test_kill.py", "tests/system/usage/test_kill.py"),
        ("tests/test_shape.py", "tests/test_shape.py"),
    ],
)
def test_files_that_ask_one_stack_share_its_process(file: str, scope: str) -> None:
    assert scope_of(file) == scope


@pytest.mark.parametrize(
    ("content", "asks"),
    [
        ("def test_a(stack: Stack) -> None: ...", True),
        ("async def test_a(tmp_path: Path, stack: Stack) -> None: ...", True),
        ("class TestA:\n    def test_a(self, stack: Stack) -> None: ...", True),
        ("@pytest.fixture\ndef client(stack: Stack) -> Client: ...", True),
        ("def _ask(stack: Stack) -> str: ...\ndef test_a(tmp_path: Path) -> None: ...", False),
        ("@pytest.fixture\ndef stack() -> Stack: ...\ndef test_a(stack: Stack) -> None: ...", False),
    ],
)
def test_whoever_is_given_the_stack_asks_it(tmp_path: Path, content: str, asks: bool) -> None:
    file = tmp_path / "test_a.py"
    file.write_text(content)
    assert asks_stack(file) is asks


def test_what_begins_first_is_there() -> None:
    assert [scope for scope in LONGEST if not (REPOSITORY / scope).exists()] == []
    files = [REPOSITORY / scope for scope in LONGEST if scope.endswith(".py")]
    alone = [file.name for file in files if "mark.alone" in file.read_text(encoding="utf-8")]
    assert alone == [], "they run afterwards, one by one"


def test_what_is_built_beside_the_other_phases_is_asked_for_alone() -> None:
    asking = {
        path
        for path in REPOSITORY.joinpath("tests").rglob("test_*.py")
        if {"small_kubernetes", "images", "pods", "image"} & parameters(path)
    }
    assert {"test_install.py", "test_pods.py", "test_inside.py"} <= {path.name for path in asking}
    assert [path for path in asking if "mark.alone" not in path.read_text(encoding="utf-8")] == []


def parameters(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {
        argument.arg
        for function in functions
        if function.name.startswith("test_") or function.decorator_list
        for argument in function.args.args
    }
