"""Reads from the sources of OpenAI's SDK which endpoints it knows and what each takes."""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args, get_type_hints

import openai

_PACKAGE: Final = Path(openai.__file__).parent
_VERBS: Final = {
    "_get": "GET",
    "_get_api_list": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
}
# The classes of both clients say the same.
_OTHER_CLIENT: Final = "Async"
_BETA: Final = _PACKAGE / "resources" / "beta"


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """An endpoint, by the path below the base URL."""

    path: str
    verb: str


def version() -> str:
    """Returns the SDK's own."""
    return openai.__version__


def routes() -> dict[Route, frozenset[str]]:
    """Returns every endpoint of the SDK with the parameters of its body, but for those of a beta."""
    found: dict[Route, frozenset[str]] = {}
    for file in sorted((_PACKAGE / "resources").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for method in _methods(tree):
            for route in _called(method):
                names = frozenset() if file.is_relative_to(_BETA) else _parameters(file, method, route)
                found[route] = found.get(route, frozenset()) | names
    return found


def _methods(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for each in tree.body:
        if isinstance(each, ast.ClassDef) and not each.name.startswith(_OTHER_CLIENT):
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


def _parameters(file: Path, method: ast.FunctionDef, route: Route) -> frozenset[str]:
    """Returns the names of the types that a method makes its body of, such as `CompletionCreateParams…`."""
    if route.verb == "GET":
        return frozenset()
    module = _module(file)
    types = {
        ast.unparse(node)
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and "Params" in node.attr and isinstance(node.value, ast.Name)
    }
    return frozenset().union(*(_fields(_named(module, each)) for each in types))


def _fields(hint: Any) -> frozenset[str]:  # a TypedDict, or a union of some
    if parts := get_args(hint):
        return frozenset().union(*(_fields(part) for part in parts))
    return frozenset(get_type_hints(hint))


def _module(file: Path) -> ModuleType:
    steps = file.relative_to(_PACKAGE.parent).with_suffix("").parts
    return importlib.import_module(".".join(step for step in steps if step != "__init__"))


def _named(module: ModuleType, name: str) -> Any:  # a type of the SDK
    holder, _, attribute = name.partition(".")
    return getattr(getattr(module, holder), attribute)
