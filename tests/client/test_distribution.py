import sys
from pathlib import Path

import pytest

from tests.client.distributions import REPOSITORY, SECONDS, Installed, files_of, project, run

# An internal service as its authors write it, held against the types that the wheel brings.
CALLER = """
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import router_pb2

turn = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="Bonjour")
request = router_pb2.AdmitRequest(model="tiny-eu")
reveal_type(turn.text)
reveal_type(request.max_output_tokens)
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
def test_the_types_are_what_a_strict_checker_of_the_service_sees(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "caller.py").write_text(CALLER)
    done = run(
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        installed.python,
        "--cache-dir",
        tmp_path / "cache",
        "caller.py",
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    assert 'Revealed type is "str"' in done.stdout
    assert 'Revealed type is "int"' in done.stdout
