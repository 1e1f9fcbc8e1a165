"""The fields that OpenAI's SDK and vLLM's server know."""

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import get_type_hints


def fields_of_params(*params: type) -> set[str]:
    """Those of the SDK's types."""
    return {name for each in params for name in get_type_hints(each)}


def fields_of_class(module: str, name: str) -> set[str]:
    """Those of vLLM, read from the source: importing it takes seconds, and its names stand in the class."""
    spec = find_spec("vllm")
    assert spec is not None
    assert spec.origin is not None
    protocol = Path(spec.origin).parent / "entrypoints" / "openai" / module / "protocol.py"
    (request,) = [
        node
        for node in ast.parse(protocol.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return {
        node.target.id
        for node in request.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_"
    }
