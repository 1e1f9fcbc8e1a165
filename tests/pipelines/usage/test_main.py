import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipelines.usage.test_settings import SHARED


@pytest.mark.parametrize(("days", "status"), [(7, 0), (30, 0), (6, 2), (31, 2)])
def test_the_process_refuses_a_retention_outside_7_to_30_days_at_start(
    tmp_path: Path, days: int, status: int
) -> None:
    section = {
        "listen": {"address": f"unix:{tmp_path}/usage.sock"},
        "kafka": {"bootstrap": "127.0.0.1:1"},
        "clickhouse": {"url": "http://127.0.0.1:1", "password_file": "password"},
        "retention_days": days,
    }
    config = tmp_path / "comptoir.yaml"
    config.write_text(yaml.safe_dump({**SHARED, "usage": section}))
    command = [sys.executable, "-m", "pipelines.usage", "--config", str(config), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == status, ended.stderr
    assert ("retention_days" in ended.stderr) == bool(status)
