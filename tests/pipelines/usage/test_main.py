import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.usage.settings import UsageSettings
from services.runtime.settings import from_command_line
from tests.pipelines.usage.test_settings import SHARED


@pytest.mark.parametrize(("days", "status"), [(7, 0), (30, 0), (6, 2), (31, 2)])
def test_the_process_refuses_a_retention_outside_7_to_30_days_at_start(
    tmp_path: Path, days: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("made-up")
    section = {
        "listen": {"address": f"unix:{tmp_path}/usage.sock"},
        "kafka": {"bootstrap": "127.0.0.1:1"},
        "clickhouse": {"url": "http://127.0.0.1:1", "password_file": str(tmp_path / "password")},
        "retention_days": days,
    }
    config = tmp_path / "comptoir.yaml"
    config.write_text(yaml.safe_dump({**SHARED, "usage": section}))
    argv = ["--config", str(config), "--check"]
    with pytest.raises(SystemExit) as ended:
        from_command_line(UsageSettings, section="usage", description="", argv=argv)
    said = capsys.readouterr().err
    assert ended.value.code == status, said
    assert ("retention_days" in said) == bool(status)


def test_a_process_whose_store_and_log_are_away_waits_unready_and_ends_when_asked(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("made-up")
    section = {
        "listen": {"address": f"unix:{tmp_path}/usage.sock"},
        "kafka": {"bootstrap": "127.0.0.1:1"},
        "clickhouse": {"url": "http://127.0.0.1:1", "password_file": str(tmp_path / "password")},
    }
    config = tmp_path / "comptoir.yaml"
    config.write_text(yaml.safe_dump({**SHARED, "usage": section}))
    command = [sys.executable, "-m", "pipelines.usage", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if '"waiting"' in line:
                process.terminate()
        assert process.wait(60) == 0, lines
    assert any('"waiting"' in line for line in lines)
    assert not any("Traceback" in line for line in lines)
