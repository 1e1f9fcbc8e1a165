"""The file of `comptoir up --config`: what is laid over the settings, and under `stack` what is started."""

from pathlib import Path
from typing import Any, Final

import typer
import yaml

from deploy.local.models.installed import installed_models, models_folder
from deploy.local.stack.errors import StackError
from deploy.local.stack.generators import GENERATORS

_STACK: Final = "stack"
# Options of the command that a file may give; those left out are about one start, not about the stack.
_OPTIONS: Final = (
    "data_dir",
    "port",
    "model",
    "replicas",
    "routers",
    "embeddings",
    "console",
    "engine",
    "kafka",
    "clickhouse",
)


def options_from_file(context: typer.Context, config: Path | None) -> Path | None:
    """Takes the options below `stack` for defaults: what the command line says wins over each."""
    if config is None:
        return None
    stack = _read(config).get(_STACK, {})
    if not isinstance(stack, dict):
        raise StackError(f"{config}: {_STACK} must be a mapping, such as `{_STACK}: {{port: 8500}}`.")
    unknown = [name for name in map(str, stack) if name not in _OPTIONS]
    if unknown:
        raise StackError(f"{config}: {_STACK} has no {unknown[0]}; it may have {', '.join(_OPTIONS)}.")
    if isinstance(stack.get("model"), str):
        stack["model"] = [stack["model"]]
    if None in stack.values():
        raise StackError(f"{config}: {_STACK} has an option without a value; leave it out instead.")
    context.default_map = {**(context.default_map or {}), **stack}
    return config


def overrides_of(config: Path | None) -> dict[str, Any]:
    """Returns what is laid over the settings; models that are folders are named whole."""
    if config is None:
        return {}
    content = {key: value for key, value in _read(config).items() if key != _STACK}
    entries = content.get(GENERATORS)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("model"), str):
            entry["model"] = absolute_model(entry["model"])
    return content


def absolute_model(model: str) -> str:
    """Returns the whole path of a folder or of an installed model; a name of the hub as it is."""
    path = Path(model)
    if path.is_dir():
        return str(path.resolve())
    installed = installed_models(models_folder()).get(model)
    return model if installed is None else str(installed.resolve())


def _read(config: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError:
        raise StackError(f"{config} cannot be read; check the path given to --config.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StackError(
            f"{config} is not valid YAML{_where(error)}; correct it or leave --config out."
        ) from None
    if not isinstance(content, dict):
        raise StackError(f"{config} must be a YAML mapping, such as `usage: {{retention_days: 14}}`.")
    return content


def _where(error: Exception) -> str:
    # The place alone: the parser's words quote the file, which may hold what is nobody's business.
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return "" if mark is None else f" in line {mark.line + 1}"
