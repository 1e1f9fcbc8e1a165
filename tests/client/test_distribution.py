import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.client.distributions import REPOSITORY, SECONDS, Installed, files_of, project, run

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Internal services as their authors write them, held against the types that the wheel brings.
BLOCKING = """
from comptoir.client import Client, ComptoirError, ErrorReason, Sampling, system, user

with Client("127.0.0.1:8401", api_key="cptr_x") as client:
    try:
        with client.generate(
            model="tiny-eu",
            messages=[system("Bref."), user("Bonjour")],
            max_output_tokens=100,
            sampling=Sampling(temperature=0.5),
        ) as generation:
            for delta in generation:
                reveal_type(delta.text)
        reveal_type(generation.finished.output_tokens)
    except ComptoirError as error:
        if error.reason == ErrorReason.ERROR_REASON_TOKENS_EXHAUSTED:
            reveal_type(error.retry_after_seconds)
"""
ASYNCIO = """
from comptoir.client import user
from comptoir.client.aio import Client

async def ask() -> None:
    async with Client("127.0.0.1:8401", api_key="cptr_x") as client:
        async for delta in client.generate(model="tiny-eu", messages=[user("Bonjour")]):
            reveal_type(delta.text)
        answer = await client.answer(model="tiny-eu", messages=[user("Bonjour")], timeout_seconds=10.0)
        reveal_type(answer.finished.output_tokens)
        reveal_type(answer.request_id.hex)
"""
STUBS = """
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import router_pb2

turn = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="Bonjour")
request = router_pb2.AdmitRequest(model="tiny-eu")
reveal_type(turn.text)
reveal_type(request.max_output_tokens)
"""
WRONG = """
from comptoir.client import Client

Client("127.0.0.1:8401", api_key="cptr_x").answer(model="tiny-eu", messages=["Bonjour"], tokens=9)
"""


def test_both_distributions_are_of_one_version_and_the_application_asks_for_that() -> None:
    version = project("comptoir")["version"]
    assert project("comptoir-client")["version"] == version
    assert f"comptoir-client=={version}" in project("comptoir")["dependencies"]


def test_the_client_asks_for_grpcio_and_protobuf_and_nothing_else() -> None:
    names = [requirement.partition(">=")[0] for requirement in project("comptoir-client")["dependencies"]]
    assert names == ["grpcio", "protobuf"]
    assert "optional-dependencies" not in project("comptoir-client")


def test_no_file_is_installed_twice_and_the_client_stays_in_its_namespace(wheels: dict[str, Path]) -> None:
    client, application = files_of(wheels["comptoir-client"]), files_of(wheels["comptoir"])
    assert {name.partition("/")[0] for name in client} == {"comptoir"}
    assert not any(name.startswith("comptoir/") for name in application)
    assert client & application == set()


def test_the_consoles_page_is_in_the_wheel_with_the_licence_of_its_charts(wheels: dict[str, Path]) -> None:
    page = REPOSITORY / "services" / "console" / "page"
    files = {str(path.relative_to(REPOSITORY)) for path in page.rglob("*") if path.is_file()}
    assert files <= files_of(wheels["comptoir"])
    assert "services/console/page/static/uPlot.LICENSE" in files


def test_every_stub_is_in_the_wheel_with_its_types(wheels: dict[str, Path]) -> None:
    generated = REPOSITORY / "protos" / "gen"
    stubs = {
        str(path.relative_to(generated))
        for path in (generated / "comptoir").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    installed = files_of(wheels["comptoir-client"])
    assert stubs <= installed
    assert all(f"{name}i" in installed for name in stubs if name.endswith(("_pb2.py", "_pb2_grpc.py")))
    packages = {Path(name).parts[1] for name in installed}
    assert {f"comptoir/{package}/py.typed" for package in packages} <= installed


def test_a_service_that_installs_the_client_gets_no_package_of_ours_beside_it(installed: Installed) -> None:
    found = installed.runs(
        "import importlib.util as u; "
        "print([name for name in ('services', 'pipelines', 'deploy', 'buf') if u.find_spec(name)])"
    )
    assert found.strip() == "[]"


def test_every_module_of_the_client_loads_with_grpcio_and_protobuf_alone(
    installed: Installed, wheels: dict[str, Path]
) -> None:
    sources = sorted(name for name in files_of(wheels["comptoir-client"]) if name.endswith(".py"))
    names = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in sources]
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    done = run(installed.python, "-I", "-c", program, *names)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(SECONDS)
def test_a_service_that_is_checked_strictly_gets_every_type_and_is_told_what_is_wrong(
    installed: Installed, tmp_path: Path
) -> None:
    programs = {"blocking.py": BLOCKING, "on_loop.py": ASYNCIO, "stubs.py": STUBS, "wrong.py": WRONG}
    page = (REPOSITORY / "docs" / "grpc.md").read_text()
    examples = [example for example in PYTHON.findall(page) if "comptoir.client" in example]
    programs |= {f"example_{number}.py": example for number, example in enumerate(examples, 1)}
    assert len(examples) == 2
    for name, program in programs.items():
        (tmp_path / name).write_text(program)
    options = ("--strict", "--python-executable", installed.python, "--cache-dir", tmp_path / "cache")
    told = run(sys.executable, "-m", "mypy", *options, *programs, folder=tmp_path).stdout
    types = Counter(re.findall(r'Revealed type is "(.+)"', told))
    assert types == {"str": 4, "int": 3, "float": 1}, told
    errors = re.findall(r"^(.+?):\d+: error: (.+)", told, re.MULTILINE)
    assert {name for name, _ in errors} == {"wrong.py"}, told
    assert [word for word in ("tokens", "incompatible type") if word not in str(errors)] == []
