"""Reads from the sources of OpenAI's SDK which endpoints it knows and what each takes."""

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args, get_type_hints

import openai

from docs.openai_fields import Field

_PACKAGE: Final = Path(openai.__file__).parent
_VERBS: Final = {
    "_get": "GET",
    "_get_api_list": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
}
# The classes of the asynchronous client say the same, and to parse them takes as long.
_ASYNCHRONOUS: Final = re.compile(r"^class Async.*?(?=^class |\Z)", re.MULTILINE | re.DOTALL)
_BETA: Final = _PACKAGE / "resources" / "beta"


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """An endpoint, by the path below the base URL."""

    path: str
    verb: str


def version() -> str:
    """Returns the SDK's own."""
    return openai.__version__


def routes() -> frozenset[Route]:
    """Returns every endpoint of the SDK."""
    return frozenset(_callers())


def parameters(route: Route) -> tuple[Field, ...]:
    """Returns the parameters of an endpoint's body by their names, but for those of a beta."""
    found: dict[str, list[Any]] = {}
    for file, method in _callers()[route]:
        if not file.is_relative_to(_BETA):
            for name, hint in _of_types(file, method):
                found.setdefault(name, []).append(hint)
    return tuple(Field(name, tuple(found[name])) for name in sorted(found))


@functools.cache
def _callers() -> dict[Route, list[tuple[Path, ast.FunctionDef]]]:
    """Returns the methods of the SDK, and their files, that ask for each endpoint."""
    found: dict[Route, list[tuple[Path, ast.FunctionDef]]] = {}
    for file in sorted((_PACKAGE / "resources").rglob("*.py")):
        tree = ast.parse(_ASYNCHRONOUS.sub("", file.read_text(encoding="utf-8")))
        for method in _methods(tree):
            for route in _called(method):
                found.setdefault(route, []).append((file, method))
    return found


def _methods(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            yield from (node for node in each.body if isinstance(node, ast.FunctionDef))


def _called(method: ast.FunctionDef) -> Iterator[Route]:
    """Yields what a method asks the client for, such as `self._post("/completions", …)`."""
    for node in ast.walk(method):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in _VERBS and ast.unparse(node.func.value) == "self":
            verb = _VERBS[node.func.attr]
            for keyword in node.keywords:
                if keyword.arg == "method":
                    verb = ast.literal_eval(keyword.value).upper()
            yield Route(_path(node.args[0]), verb)


def _path(node: ast.expr) -> str:
    # A path with names in it is `path_template("/models/{model}", model=model)`.
    text = ast.literal_eval(node.args[0] if isinstance(node, ast.Call) else node)
    return str(text).partition("?")[0]


def _of_types(file: Path, method: ast.FunctionDef) -> Iterator[tuple[str, Any]]:
    """Yields the fields of the types that a method makes its body of, such as `CompletionCreateParams…`."""
    module = _module(file)
    types = {
        ast.unparse(node)
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and "Params" in node.attr and isinstance(node.value, ast.Name)
    }
    for each in sorted(types):
        yield from _fields(_named(module, each))


def _fields(hint: Any) -> Iterator[tuple[str, Any]]:  # a TypedDict, or a union of some
    if parts := get_args(hint):
        for part in parts:
            yield from _fields(part)
    else:
        yield from get_type_hints(hint).items()


def _module(file: Path) -> ModuleType:
    steps = file.relative_to(_PACKAGE.parent).with_suffix("").parts
    return importlib.import_module(".".join(step for step in steps if step != "__init__"))


def _named(module: ModuleType, name: str) -> Any:  # a type of the SDK
    holder, _, attribute = name.partition(".")
    return getattr(getattr(module, holder), attribute)
