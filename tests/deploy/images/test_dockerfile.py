"""The Dockerfile without a build: its linter, its targets, their libraries, and the base that it refuses."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.images.build import CUDA, DOCKERFILE, REPOSITORY, TARGETS, image, version

SECONDS = 60
TEXT = DOCKERFILE.read_text(encoding="utf-8")
STAGES = re.findall(r"^FROM (\S+) AS (\S+)$", TEXT, re.MULTILINE)
DIGEST = "0123456789abcdef" * 4


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        (Path(sys.executable).parent / "hadolint", DOCKERFILE),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("base", "is_taken"),
    [
        ("localhost/comptoir-base:bookworm", True),
        (f"debian:12-slim@sha256:{DIGEST}", True),
        (f"registry.example.eu/debian@sha256:{DIGEST}", True),
        ("debian:12-slim", False),
        ("debian@sha256:0123", False),
        (f"debian@sha256:{DIGEST}0", False),
        ("", False),
    ],
)
def test_a_base_without_a_digest_is_refused(base: str, *, is_taken: bool) -> None:
    found = re.search(r"^RUN (case .*?esac)$", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    script = found[1].replace("\\\n", "")
    done = subprocess.run(
        ("/bin/sh", "-c", script), env={"BASE": base}, capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == (0 if is_taken else 2)
    assert is_taken or b"give it with its digest" in done.stderr


def test_every_image_begins_empty_and_has_its_own_libraries() -> None:
    stages = dict(reversed(one) for one in STAGES)
    assert [name for base, name in STAGES if base == "${BASE}"] == ["builder"]
    for target in TARGETS:
        base = stages[target]
        while base in stages:
            base = stages[base]
        assert base == "scratch"
        root = {CUDA: "process-with-compilers", "generator-cpu": "process-with-numa"}.get(target, "process")
        assert stages[f"{target}-libraries"] == root
        assert f"COPY requirements/{target}.txt " in body(f"{target}-libraries")
        assert stages[target] == f"{target}-libraries"
        assert re.findall(r"--from=(\S+)", body(target)) == ["own", f"{target}-bill"]
        assert "USER 65532:65532" in body(target)


def body(stage: str) -> str:
    found = re.search(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_every_target_is_an_extra_that_is_locked_with_hashes() -> None:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    for target in (*TARGETS, "images"):
        assert target in extras
        locked = (REPOSITORY / "requirements" / f"{target}.txt").read_text()
        for requirement in re.split(r"\n(?=[a-z0-9])", locked):
            if "==" in requirement:
                assert "--hash=sha256:" in requirement


def test_images_are_called_as_the_chart_calls_them() -> None:
    assert image("edge", prefix="registry.example.eu/comptoir") == (
        f"registry.example.eu/comptoir/comptoir-edge:{version()}"
    )
