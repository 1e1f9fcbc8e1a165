"""What the client may import: its stubs, gRPC, protobuf and Python; nothing else comes with it."""

import ast
import sys

from tests.client.distributions import REPOSITORY

CLIENT = REPOSITORY / "protos" / "client"
ALLOWED = ("comptoir.", "google.protobuf.", "grpc")


def test_the_client_imports_its_stubs_grpc_protobuf_and_python_alone() -> None:
    found = []
    for path in CLIENT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [(path.name, name) for name in names if not is_allowed(name)]
    assert found == []


def is_allowed(name: str) -> bool:
    return name.startswith(ALLOWED) or name.partition(".")[0] in sys.stdlib_module_names
