"""What `comptoir doctor` looks at: the processes of a stack's data folder, or those of a settings file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import is_running, missing_state, read_state
from services.cli.adapters.doctor.processes import MODULES
from services.runtime.settings import environment, read_section
from services.runtime.settings_error import SettingsError

_SECTIONS: Final = {"kafka": "local_kafka", "clickhouse": "local_clickhouse", "embedder": "generator"}


@dataclass(frozen=True, slots=True)
class Part:
    """One process: its name for people, its section, its file, and what that says to it."""

    name: str
    section: str
    file: Path
    settings: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Examined:
    """All processes that are looked at; `is_running` is False for a stack that does not run."""

    parts: tuple[Part, ...]
    is_running: bool = True
    api_key: str = field(default="", repr=False)
    data_dir: Path | None = None

    @classmethod
    def of_file(cls, file: Path, names: list[str]) -> Self:
        """Returns the processes that a settings file has a section for, or those named; or StackError."""
        found = [
            part for section in names or list(MODULES) if (part := _part(section, section, file)) is not None
        ]
        if not found:
            raise StackError(f"{file.name} has a section of none of these processes: {', '.join(MODULES)}.")
        return cls(tuple(found), api_key=environment().get("COMPTOIR_API_KEY", ""))

    @classmethod
    def of_stack(cls, data_dir: Path, names: list[str]) -> Self:
        """Returns the processes of a local stack, or those named; StackError where there never was one."""
        paths = DataPaths(data_dir.resolve())
        state = read_state(paths)
        if state is None:
            raise missing_state(paths.root)
        known = [str(process["name"]) for process in state["processes"]]
        if unknown := sorted(set(names) - set(known)):
            raise StackError(
                f"There is no process {unknown[0]} in {paths.root}; there is {', '.join(known)}."
            )
        parts = []
        for name in names or known:
            own = paths.config_of(name)
            section = _SECTIONS.get(name) or name.partition("-")[0]
            part = _part(name, section, own if own.exists() else paths.config)
            parts += [] if part is None else [part]
        api_key = paths.api_key.read_text(encoding="ascii").strip() if paths.api_key.exists() else ""
        return cls(tuple(parts), is_running(paths), api_key, paths.root)

    def part(self, *sections: str) -> Part | None:
        """Returns the first process of these sections, the first of them first."""
        return next((part for section in sections for part in self.parts if part.section == section), None)


def _part(name: str, section: str, file: Path) -> Part | None:
    """Returns a process; None where the file has nothing for it."""
    if section not in MODULES:
        raise StackError(f"There is no process {section}; there is {', '.join(MODULES)}.")
    try:
        shared = read_section("doctor", file, environment())
        settings = read_section(section, file, environment())
    except SettingsError as error:
        raise StackError(str(error)) from None
    return Part(name, section, file, settings) if settings.keys() > shared.keys() else None
