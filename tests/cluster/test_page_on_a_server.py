"""docs/kubernetes.md, followed literally from a new folder against a real API server."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from services.runtime.settings import environment
from tests.cluster.chart import REPOSITORY
from tests.cluster.small_cluster import SmallCluster
from tests.cluster.test_page import blocks
from tests.cluster.wheel_programs import unpacked

# The programs may have to be built first.
pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.cluster, pytest.mark.timeout(6000)]

SECONDS: Final = 900


def test_every_command_of_the_page_works_in_its_order(small_kubernetes: SmallCluster, tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    (tmp_path / "file").write_text("of the stores' owners")
    given = dict.fromkeys(("KAFKA_CA", "KAFKA_CERTIFICATE", "KAFKA_KEY", "CLICKHOUSE_CA"), "file")
    variables = {
        **environment(),
        **given,
        "CLICKHOUSE_PASSWORD": "secret",
        "PATH": os.pathsep.join((str(unpacked()), environment()["PATH"])),
        "KUBECONFIG": str(small_kubernetes.kubeconfig),
        "HOME": str(tmp_path),
    }
    script = "\n".join(text for info, text in blocks() if info == "sh")
    done = subprocess.run(
        ("bash", "-euxo", "pipefail", "-c", script),  # noqa: S607 - as a reader's
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        assert done.returncode == 0, done.stderr[-3000:]
        assert "comptoir-pool-tiny-1" in done.stdout
        left = small_kubernetes.list("persistentvolumeclaims", "comptoir")
        assert {it["metadata"]["name"] for it in left} == {
            "data-comptoir-emitter-0",
            "data-comptoir-router-1",
            "model-tiny-eu",
        }
    finally:
        small_kubernetes.kubectl("delete", "namespace", "comptoir", "--wait", "--ignore-not-found")
