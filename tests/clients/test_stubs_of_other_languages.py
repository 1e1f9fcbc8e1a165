"""The recipes of docs/grpc.md for other languages: each is built as the page says, and asks a running stack.

Their libraries are those that the page names, by the locks of this tree.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.settings import environment
from tests.system.stack_process import REPOSITORY, Stack

# Go compiles gRPC for minutes, once on a machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

BINARIES = Path(sys.executable).parent
NODE_MODULES = REPOSITORY / "node_modules"
BUF = NODE_MODULES / "@bufbuild" / "buf-linux-x64" / "bin"
LOCKED_GO = Path(__file__).parent / "programs" / "go-grpc"
CHAPTER = re.compile(r"^## Go, TypeScript, .*?(?=^## )", re.DOTALL | re.MULTILINE)
# A block of code, and the name that the line before it begins with.
BLOCK = re.compile(r"^(?:`([\w.]+)`[^\n]*:\n\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Recipe:
    """What the page says for one language: files by their names, and commands to install and to build."""

    def __init__(self, language: str) -> None:
        page = (REPOSITORY / "docs" / "grpc.md").read_text(encoding="utf-8")
        found = CHAPTER.search(page)
        assert found is not None
        introduction, *sections = re.split(r"^### ", found[0], flags=re.MULTILINE)
        section = next(section for section in sections if section.startswith(f"{language}\n"))
        blocks = BLOCK.findall(section)
        self.files = {name: content for name, _, content in blocks if name}
        ((_, _, self.files["buf.yaml"]),) = BLOCK.findall(introduction)
        self.install, self.build = (content for _, kind, content in blocks if kind == "sh")

    def versions(self, sign: str) -> dict[str, str]:
        """The packages that it installs, each with its version."""
        named = (word.rpartition("@") for word in self.install.split() if "@" in word.lstrip("@"))
        return {package: version.removeprefix(sign) for package, _, version in named}

    def make(self, folder: Path) -> None:
        """Writes the project and builds it, but for what is installed."""
        for name, content in self.files.items():
            (folder / name).write_text(content, encoding="utf-8")
        for schemas in ("comptoir", "buf"):
            shutil.copytree(REPOSITORY / "protos" / schemas, folder / "protos" / schemas)
        built = run(folder, "bash", "-euc", self.build, seconds=800)
        assert built.returncode == 0, built.stdout + built.stderr


def run(folder: Path, *command: str, seconds: float = 90) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (BINARIES, BUF, environment()["PATH"])))
    # What is locked is installed; nothing else is fetched.
    variables = {
        "PATH": path,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "npm_config_offline": "true",
    }
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def check_asks(stack: Stack, folder: Path, *program: str) -> None:
    """A program is answered by a stream whose counts it reads, and reads why a wrong key is refused."""
    router = stack.description["grpc"]["router"]
    answered = run(folder, *program, router, stack.api_key, stack.model)
    assert answered.returncode == 0, answered.stderr
    assert re.search(r"\w[\s\S]*\n[1-9][0-9]* output tokens\n$", answered.stdout), answered.stdout
    refused = run(folder, *program, router, "cptr_wrong", stack.model)
    assert refused.returncode == 1
    assert re.fullmatch(r"(ERROR_REASON_)?KEY_INVALID, retryable: false\n", refused.stderr), refused.stderr
    assert refused.stdout == ""


def test_the_recipe_for_go_builds_and_asks(stack: Stack, tmp_path: Path) -> None:
    recipe = Recipe("Go")
    required = re.findall(r"^\s+(\S+) v(\S+)", (LOCKED_GO / "go.mod").read_text(), re.MULTILINE)
    locked = dict(required)
    for package, version in recipe.versions("v").items():
        module = max((name for name in locked if package.startswith(name)), key=len)
        assert version == locked[module], f"the page installs {package} {version}"
    for name in ("go.mod", "go.sum"):
        shutil.copy(LOCKED_GO / name, tmp_path)
    recipe.make(tmp_path)
    check_asks(stack, tmp_path, "./asking")


def test_the_recipe_for_typescript_builds_and_asks(stack: Stack, tmp_path: Path) -> None:
    recipe = Recipe("TypeScript")
    locked = json.loads((REPOSITORY / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    named = recipe.versions("")
    assert named.items() <= locked.items()
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    recipe.make(tmp_path)
    check_asks(stack, tmp_path, "node", "build/main.js")
