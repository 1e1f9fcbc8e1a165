"""What runs in a data folder, kept in one JSON file, and the lock that says whether it still does."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.private_files import replace_private
from services.runtime import file_lock

# `comptoir status` holds the lock for an instant, to see whether a supervisor does.
_LOCK_SECONDS: Final = 0.25


@dataclass(slots=True)
class ProcessState:
    """One process: `state` is waiting, starting, ready, unready, restarting, draining or stopped.

    `since` is when that began, in UTC; `why` says why it is not ready, and `last_cause` what ended its
    last run or its last spell of being ready.
    """

    name: str
    pid: int | None
    state: str
    restarts: int
    since: str = ""
    why: str = ""
    last_cause: str = ""


@dataclass(slots=True)
class StackState:
    """Everything that scripts ask for."""

    supervisor_pid: int
    phase: str
    base_url: str
    clickhouse_url: str
    kafka: str
    grpc: dict[str, str]
    # That of requests that name none of ours, and all that answer.
    model: str
    data_dir: str
    models: list[str] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)
    # URL of the page for operators; empty where it does not run.
    console: str = ""
    processes: list[ProcessState] = field(default_factory=list)
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return asdict(self)


def write_state(paths: DataPaths, state: StackState) -> None:
    """Replaces the state file in one step."""
    replace_private(paths.state, json.dumps(state.to_json(), indent=2) + "\n")


def read_state(paths: DataPaths) -> dict[str, Any] | None:
    """Returns the last state written, or None where nothing ever ran."""
    try:
        content: dict[str, Any] = json.loads(paths.state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise StackError(f"{paths.state} cannot be read; stop the stack and remove that file.") from None
    return content


def take_lock(paths: DataPaths) -> int:
    """Holds the folder until this process ends and returns the lock; StackError if another holds it."""
    try:
        descriptor = file_lock.acquire(paths.lock, wait_seconds=_LOCK_SECONDS)
    except file_lock.LockedElsewhereError:
        raise StackError(
            f"A stack already runs in {paths.root}; stop it with `comptoir down --data-dir {paths.root}`, "
            "or choose another --data-dir."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def holder_pid(paths: DataPaths) -> int | None:
    """Returns the id of the supervisor's process that holds the folder, or None where none wrote it yet."""
    text = paths.lock.read_text(encoding="ascii")
    return int(text) if text.isdecimal() else None


def is_running(paths: DataPaths) -> bool:
    """Returns whether a supervisor holds the folder."""
    return file_lock.is_held(paths.lock)


def missing_state(root: Path) -> StackError:
    """Returns the error of a command that needs a stack where there is none."""
    return StackError(f"Nothing runs in {root}; start it with `comptoir up --data-dir {root}`.")
