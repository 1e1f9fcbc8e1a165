"""The commands of docs/kubernetes.md that need no cluster do what the page says, in its order."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.runtime.settings import environment
from tests.cluster.chart import CHART, PRODUCTION, REPOSITORY, SMALL, Helm
from tests.cluster.wheel_programs import unpacked

pytestmark = [pytest.mark.system, pytest.mark.cluster]

PAGE: Final = REPOSITORY / "docs" / "kubernetes.md"
BLOCK: Final = re.compile(r"^```(sh[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS: Final = 300
# What asks a cluster is said and not done; the chart is rendered and linted.
ALONE: Final = """
kubectl() { echo "kubectl $*"; }
helm() { case $1 in lint|template) command helm "$@";; *) echo "helm $*";; esac; }
"""


def blocks() -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in BLOCK.finditer(PAGE.read_text())]


def test_its_secrets_fit_one_another_and_its_values_the_chart(tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    given = dict.fromkeys(("KAFKA_CA", "KAFKA_CERTIFICATE", "KAFKA_KEY", "CLICKHOUSE_CA"), "file")
    variables = {
        **environment(),
        **given,
        "CLICKHOUSE_PASSWORD": "secret",
        "PATH": os.pathsep.join((str(unpacked()), environment()["PATH"])),
        "HOME": str(tmp_path),
    }
    script = ALONE + "\n".join(text for info, text in blocks() if info == "sh")
    done = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", script),  # noqa: S607 - as a reader's
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout
    made = tmp_path / "comptoir-secrets"
    seed = bytes.fromhex((made / "signing-key").read_text())
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert (made / "ticket-1.pub").read_text() == public.hex()
    for name in ("pepper", "cache-salt", "prompt-prefixes", "pseudonym-epoch-1"):
        assert len(bytes.fromhex((made / name).read_text())) == 32
    created = "kubectl -n comptoir create secret generic comptoir-router "
    folder = "--from-file=comptoir-secrets"
    assert f"{created}{folder}/pepper {folder}/signing-key" in done.stdout


def test_what_cannot_be_run_here_says_so() -> None:
    assert {info for info, _ in blocks()} == {"sh", "sh needs pods that run"}
    assert SMALL.read_text().count("model-tiny-eu") == 1


def test_whoever_installs_it_is_told_what_comes_next(helm: Helm) -> None:
    said = helm.run(
        *("install", "my", CHART, "--namespace", "llm", "--values", PRODUCTION, "--dry-run=client")
    ).partition("NOTES:")[2]
    for line in (
        "kubectl -n llm rollout status deployment/my-comptoir-edge --timeout=30m",
        "kubectl -n comptoir-acme logs statefulset/my-comptoir-pool-acme",
        "kubectl -n llm port-forward my-comptoir-router-1 8444 &",
        "https://fr.example.eu/v1",
    ):
        assert line in said
