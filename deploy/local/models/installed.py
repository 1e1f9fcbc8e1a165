"""Where installed models lie, one folder each, and which of them are whole."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from services.runtime.settings import environment

# Written last, before the folder gets its name.
RECORD: Final = "comptoir-model.json"
_FILES: Final = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True, slots=True)
class Record:
    """What a folder was made of, and under which licence, which was accepted."""

    name: str
    title: str
    licence: str
    licence_url: str
    package: str
    version: str
    package_sha256: str
    gguf_sha256: str
    sizes: dict[str, int]

    def as_json(self) -> str:
        """Returns it as it is written."""
        return json.dumps(asdict(self), indent=2) + "\n"


def models_folder() -> Path:
    """Returns where models are installed unless another folder is named."""
    cache = environment().get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "comptoir" / "models"


def record_of(folder: Path) -> Record | None:
    """Returns the record of an installed model; None where the folder is none, or is not whole."""
    try:
        record = Record(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        sizes = {name: (folder / name).stat().st_size for name in record.sizes}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return record if sizes == record.sizes and set(_FILES) <= sizes.keys() else None


def installed_models(folder: Path) -> dict[str, Path]:
    """Returns the folders of all installed models by their names."""
    try:
        below = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return {}
    return {path.name: path for path in below if record_of(path) is not None}


def missing_files(folder: Path) -> list[str]:
    """Returns which of the files that a model needs are not there, or empty."""
    return [name for name in _FILES if not (folder / name).is_file() or not (folder / name).stat().st_size]
