"""One YAML file and the environment become one frozen settings object per process, or one clear sentence."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.kernel.catalog import Catalog, Region
from services.kernel.identity import digest64
from services.kernel.regions import FRANCE
from services.runtime.metrics.listen import MetricsListen
from services.runtime.peer_regions import of_other_regions
from services.runtime.settings_error import SettingsError as SettingsError  # noqa: PLC0414 - part of this module
from services.runtime.settings_files import unreadable_files
from services.runtime.telemetry_settings import TelemetrySettings
from services.runtime.transfer_settings import TransferSettings

ENVIRONMENT_PREFIX: Final = "COMPTOIR_"
SHARED_KEYS: Final[tuple[str, ...]] = ("region", "catalog", "transfers", "telemetry", "log_level")
SECTIONS: Final[tuple[str, ...]] = (
    "edge",
    "router",
    "generator",
    "emitter",
    "usage",
    "console",
    "local_kafka",
    "local_clickhouse",
)


class ProcessSettings(BaseModel):
    """What every process is told; each process adds its own fields in its `settings.py`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    region: str = Field(
        default=FRANCE.name, description="the region that the processes run in, by its name in the catalog"
    )
    catalog: Catalog = Field(description="regions and models, the same for every process of a deployment")
    transfers: TransferSettings = Field(
        default=TransferSettings(),
        description="transfer records, without which nothing outside the European Union serves",
    )
    telemetry: TelemetrySettings = Field(
        default=TelemetrySettings(),
        description="where metrics and traces are sent; `local_kafka` and `local_clickhouse` send none",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="lines below this level are not written"
    )

    @model_validator(mode="after")
    def _region_is_in_the_catalog(self) -> "ProcessSettings":
        if self.catalog.region_by_name(self.region) is None:
            raise ValueError("region is not in catalog.regions")
        return self

    @model_validator(mode="after")
    def _peers_are_of_the_region(self) -> "ProcessSettings":
        for key in of_other_regions(self, self.region):
            raise ValueError(f"{key} names another region than region")
        return self

    @property
    def home(self) -> Region:
        """The region that this process runs in."""
        region = self.catalog.region_by_name(self.region)
        if region is None:
            raise SettingsError("region is not in catalog.regions")
        return region

    @property
    def digest(self) -> int:
        """The first 64 bits of the SHA-256 of all settings; secrets are files and so not part of it."""
        return digest64(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode())


class MeteredSettings(ProcessSettings):
    """What a process is told that has metrics; what one machine lacks has none of Comptoir's."""

    metrics_listen: MetricsListen | None = Field(
        default=None, description="where Prometheus reads GET /metrics; nothing listens without it"
    )


AnySettings = TypeVar("AnySettings", bound=ProcessSettings)


def load_settings(
    cls: type[AnySettings], *, section: str, path: Path, environ: Mapping[str, str]
) -> AnySettings:
    """Reads the shared keys and one section of `path`, lets the environment override them, and validates.

    `COMPTOIR_ROUTER__LISTEN__ADDRESS` overrides `router.listen.address`; values are YAML.
    Raises SettingsError with one sentence that names keys and never repeats values.
    """
    merged, variables = _section(section, path, environ)
    try:
        return cls.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(f"{path.name}, section {section}: {_sentence(error, variables)}") from None


def read_section(section: str, path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Returns the shared keys and one section as `load_settings` has them before it looks at any value.

    Raises SettingsError where the file has no such shape.
    """
    return _section(section, path, environ)[0]


def _section(
    section: str, path: Path, environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    document = _read(path)
    unknown = sorted(set(document) - {*SHARED_KEYS, *SECTIONS})
    if unknown:
        raise SettingsError(f"{path.name} has an unknown key: {', '.join(map(str, unknown))}.")
    merged = {key: document[key] for key in SHARED_KEYS if key in document}
    own = document.get(section)
    own = {} if own is None else own
    if not isinstance(own, dict):
        raise SettingsError(f"{path.name}: {section} must be a mapping.")
    clash = sorted(set(own) & set(SHARED_KEYS))
    if clash:
        raise SettingsError(f"{path.name}: {section} may not hold {', '.join(clash)}; it belongs at the top.")
    merged.update(own)
    _refuse_unknown_variables(environ)
    variables: dict[tuple[str, ...], str] = {}
    for name in SHARED_KEYS:
        variables |= _override(merged, f"{ENVIRONMENT_PREFIX}{name.upper()}", (name,), environ)
    variables |= _override(merged, f"{ENVIRONMENT_PREFIX}{section.upper()}", (), environ)
    return merged, variables


def from_command_line(
    cls: type[AnySettings], *, section: str, description: str, argv: Sequence[str] | None = None
) -> AnySettings:
    """Returns the settings that `--config FILE` names; exits with 2 and a sentence if they cannot be used.

    With `--check` it exits with 0 once they were read, and the files that they name can be.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--config", required=True, type=Path, metavar="FILE", help="the YAML file of all processes"
    )
    parser.add_argument(
        "--check", action="store_true", help="read the settings, say whether they are usable, and exit"
    )
    arguments = parser.parse_args(argv)
    try:
        settings = load_settings(cls, section=section, path=arguments.config, environ=environment())
        if arguments.check:
            _check_files(settings, f"{arguments.config.name}, section {section}")
    except SettingsError as error:
        sys.stderr.write(f"comptoir {section}: {error}\n")
        sys.exit(2)
    if arguments.check:
        sys.stdout.write(f"comptoir {section}: the settings are usable.\n")
        sys.exit(0)
    return settings


def _check_files(settings: BaseModel, where: str) -> None:
    missing = unreadable_files(settings)
    if missing:
        raise SettingsError(f"{where}: {', '.join(missing)}: no file that can be read.")


def environment() -> Mapping[str, str]:
    """Returns the process's environment; the one place that reads it."""
    return os.environ  # noqa: TID251 - this is the place


def is_override(name: str) -> bool:
    """Returns whether an environment variable of that name is meant to override a setting."""
    head, separator, _ = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")
    return name.startswith(ENVIRONMENT_PREFIX) and (bool(separator) or head.lower() in SHARED_KEYS)


def read_secret(path: Path, *, length_bytes: int) -> bytes:
    """Returns the `length_bytes` bytes that a file holds as hexadecimal digits; SettingsError otherwise."""
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        raise SettingsError(f"the secret file {path.name} cannot be read as hexadecimal digits.") from None
    if len(secret) != length_bytes:
        raise SettingsError(
            f"the secret file {path.name} must hold {length_bytes} bytes as hexadecimal digits."
        )
    return secret


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(
            f"the settings file {path} cannot be read; check the path given to --config."
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" near line {line + 1}"
        raise SettingsError(f"{path.name} is not valid YAML{where}.") from None
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path.name} must be a YAML mapping with the keys region, catalog and a section per process."
        )
    return document


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """Raises SettingsError for a variable that overrides nothing: it is a misspelt one."""
    for name in sorted(environ):
        head = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")[0].lower()
        if is_override(name) and head not in {*SHARED_KEYS, *SECTIONS}:
            known = ", ".join(key.upper() for key in (*SHARED_KEYS, *SECTIONS))
            raise SettingsError(
                f"the environment variable {name} overrides no setting; after {ENVIRONMENT_PREFIX} "
                f"comes one of {known}."
            )


def _override(
    tree: dict[str, Any], prefix: str, root: tuple[str, ...], environ: Mapping[str, str]
) -> dict[tuple[str, ...], str]:
    """Lays the variables over `tree` and returns their names by the key that each one set."""
    variables = {}
    for name in sorted(environ):
        if name != prefix and not name.startswith(prefix + "__"):
            continue
        keys = (*root, *(part.lower() for part in name[len(prefix) :].split("__") if part))
        if not keys:
            continue
        node = tree
        for key in keys[:-1]:
            child = node.get(key)
            node[key] = dict(child) if isinstance(child, dict) else {}
            node = node[key]
        try:
            node[keys[-1]] = yaml.safe_load(environ[name])
        except (yaml.YAMLError, ValueError, RecursionError):
            raise SettingsError(f"the environment variable {name} is not valid YAML.") from None
        variables[keys] = name
    return variables


def _sentence(error: ValidationError, variables: Mapping[tuple[str, ...], str]) -> str:
    problems = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        place = tuple(str(part) for part in problem["loc"])
        where = ".".join(place) or "the section"
        names = [name for keys, name in variables.items() if place[: len(keys)] == keys]
        where += f" (set by {names[-1]})" if names else ""
        said = problem["msg"].removeprefix("Value error, ")
        kind = "is not a known key" if problem["type"] == "extra_forbidden" else said
        problems.append(f"{where}: {kind}")
    return "; ".join(problems) + "."
