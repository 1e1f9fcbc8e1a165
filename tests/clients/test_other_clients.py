"""What others built on OpenAI's API, for chats and for responses.

Each program asks for a chat, a stream, a structured answer and a call of a tool with the defaults of its
library, and prints what it read. Those of Python have environments of their own, whose OpenAI clients are
other versions.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.runtime.settings import environment
from tests.clients.conftest import KNOWN
from tests.system.stack_process import REPOSITORY, Stack

# Go compiles its client for minutes, once on a machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

PROGRAMS = Path(__file__).parent / "programs"
BINARIES = Path(sys.executable).parent
NODE = BINARIES / "node"


def python_of(group: str) -> Path:
    """The Python of an environment of `make setup`."""
    return REPOSITORY / ".clients" / group / "bin" / "python"


def run(variables: dict[str, str], *command: str | Path, seconds: float = 240, cwd: Path = REPOSITORY) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def check_said(stack: Stack, *command: str | Path) -> dict[str, Any]:
    """Runs a program; it was answered, by a stream too, and what it asked for fits its schema."""
    variables = {"OPENAI_BASE_URL": stack.base_url, "OPENAI_API_KEY": stack.api_key}
    # Whatever a person's own environment has LangChain tell others.
    variables["LANGSMITH_TRACING"] = "false"
    said: dict[str, Any] = json.loads(run(variables, *command))
    assert said["chat"].strip()
    assert said["streamed"].strip()
    assert said["parts"] >= 1
    for opening in (said["structured"], said["called"]):
        assert set(opening) == {"day", "is_open"}
        assert opening["day"] in {"lundi", "mardi"}
        assert isinstance(opening["is_open"], bool)
    return said


@pytest.mark.parametrize(
    ("group", "program", "kind"),
    [
        ("agents", "langchain_client.py", []),
        ("agents", "langchain_client.py", ["responses"]),
        ("agents", "pydantic_ai_client.py", []),
        ("agents", "pydantic_ai_client.py", ["responses"]),
        ("instructor", "instructor_client.py", []),
    ],
)
def test_a_library_for_python_is_answered(stack: Stack, group: str, program: str, kind: list[str]) -> None:
    check_said(stack, python_of(group), PROGRAMS / program, stack.model, *kind)


def test_llama_index_is_answered_by_the_name_that_it_knows_and_as_a_server_like_openai(stack: Stack) -> None:
    program = PROGRAMS / "llama_index_client.py"
    said = check_said(stack, python_of("llama-index"), program, stack.model, KNOWN)
    # A prompt without a template may be the end of what this model has to say.
    assert isinstance(said["completed"], str)


@pytest.mark.parametrize("provider", ["openai", "openai-chat", "openai-compatible"])
def test_the_vercel_ai_sdk_is_answered(stack: Stack, provider: str) -> None:
    said = check_said(stack, NODE, PROGRAMS / "vercel_ai_client.mjs", stack.model, provider)
    # What it had called and what that brought were understood.
    assert said["answered"] in ("stop", "length")


def test_the_official_go_client_is_answered(stack: Stack, tmp_path: Path) -> None:
    client = tmp_path / "client"
    build = (BINARIES / "go", "build", "-mod=readonly", "-o", client, ".")
    run({"GOTOOLCHAIN": "local"}, *build, seconds=800, cwd=PROGRAMS / "go")
    check_said(stack, client, stack.model)
    check_said(stack, client, stack.model, "responses")
