import signal
import subprocess
import sys
from pathlib import Path

from tests.services.edge.test_settings import COMMON, EDGE


def start(path: Path, text: str) -> subprocess.Popen[str]:
    file = path / "comptoir.yaml"
    file.write_text(COMMON + text)
    command = [sys.executable, "-m", "services.edge", "--config", str(file)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_sigterm_ends_the_process_with_zero(tmp_path: Path) -> None:
    with start(tmp_path, EDGE.replace("8400", "0")) as process:
        assert process.stderr is not None
        assert '"event": "listening"' in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 0
    assert rest == ""
