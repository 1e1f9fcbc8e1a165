"""Finds a model: the configuration in a folder, with what its weights' files hold, or one that ships here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.errors import StackError
from services.memory.errors import UnknownModelError
from services.memory.safetensors_header import LENGTH_BYTES, header_length, loaded_bytes

_MOST_CONFIG_BYTES: Final = 4_000_000
# Of a model in several files: which of them has which tensor.
_INDEX: Final = "model.safetensors.index.json"
_MOST_INDEX_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A configuration, and the headers of the files of weights beside it."""

    name: str
    config: Mapping[str, Any]
    headers: tuple[bytes, ...] = ()

    def weight_bytes(self, number_bytes: int) -> int | None:
        """Returns the bytes of the weights in the files once they are loaded; None without files."""
        if not self.headers:
            return None
        total = sum(loaded_bytes(header, number_bytes) for header in self.headers)
        if not total:
            raise UnknownModelError("its files hold no weights; name its config.json to count without them")
        return total


def known_models() -> list[str]:
    """Returns the names of the configurations that ship here."""
    folder = resources.files("services.memory") / "models"
    return sorted(one.name.removesuffix(".json") for one in folder.iterdir() if one.name.endswith(".json"))


def find_model(model: str) -> FoundModel:
    """Returns the model of a folder, of a `config.json`, or of a name that ships; nothing is fetched."""
    path = Path(model).expanduser()
    if path.is_dir() or path.is_file():
        file = path / "config.json" if path.is_dir() else path
        return FoundModel(path.resolve().name, _config(file), tuple(_headers(path)) if path.is_dir() else ())
    name = _plain(model)
    if name in known_models():
        text = (resources.files("services.memory") / "models" / f"{name}.json").read_text(encoding="utf-8")
        return FoundModel(name, json.loads(text))
    raise StackError(
        f"--model: there is no folder {model}, and no configuration of that name here. Give the folder of a "
        f"model with its config.json, or one of: {', '.join(known_models())}."
    )


def _plain(model: str) -> str:
    """Returns a hub's id without its owner and without what does not change the shape."""
    name = model.rsplit("/", 1)[-1].lower().removeprefix("meta-")
    for suffix in ("-instruct", "-it", "-chat", "-pt"):
        name = name.removesuffix(suffix)
    return name


def _config(file: Path, most_bytes: int = _MOST_CONFIG_BYTES) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > most_bytes:
            raise StackError(f"{file.name} is larger than a configuration is.")
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise StackError(f"{file.name} of the model cannot be read; --model names its folder.") from None
    except (ValueError, RecursionError):
        raise StackError(f"{file.name} of the model is not JSON.") from None
    if not isinstance(config, dict):
        raise StackError(f"{file.name} of the model is not an object of JSON.")
    return config


def _check_all_are_there(folder: Path) -> None:
    """Refuses a download that is not over: a part of the weights would fit where the model does not."""
    if not (folder / _INDEX).is_file():
        return
    listed = _config(folder / _INDEX, _MOST_INDEX_BYTES).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise StackError(f"{_INDEX} of the model has no weight_map of names of files.")
    files = set(listed.values())
    missing = files - {path.name for path in folder.iterdir()}
    if missing:
        raise StackError(
            f"{folder.name}: {len(missing)} of its {len(files)} files of weights are not there. Fetch them, "
            "or name its config.json to count without them."
        )


def _headers(folder: Path) -> list[bytes]:
    _check_all_are_there(folder)
    found: list[bytes] = []
    for path in sorted(folder.glob("*.safetensors")):
        # Some publishers put the same weights into one more file, in a form of their own.
        if path.name.startswith("consolidated"):
            continue
        try:
            with path.open("rb") as file:
                found.append(file.read(header_length(file.read(LENGTH_BYTES))))
        except OSError:
            raise StackError(f"{path.name} of the model cannot be read.") from None
        except UnknownModelError as error:
            raise StackError(f"{path.name} of the model: {error}.") from None
    return found
