"""Reads the catalog of GPUs, ours or the operator's own, and the prices of GPU classes in a settings file."""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.problems import first_problem
from services.memory.gpus import GpuCatalog


def load_gpus(own: Path | None, settings: Path | None) -> GpuCatalog:
    """Returns the GPUs, with the operator's prices by class where the settings have them."""
    if own is None:
        text = (resources.files("services.memory") / "gpus.yaml").read_text(encoding="utf-8")
        catalog = GpuCatalog.model_validate(yaml.safe_load(text))
    else:
        catalog = _checked(own)
    if settings is None:
        return catalog
    prices = _prices(settings)
    if not prices.keys() & {gpu.gpu_class for gpu in catalog.gpus}:
        raise StackError(
            f"{settings.name} prices no gpu_class that a GPU has: name them in a file of your own, --gpus."
        )
    return catalog.priced_by_class(prices)


def _checked(path: Path) -> GpuCatalog:
    try:
        return GpuCatalog.model_validate(_parsed(path))
    except ValidationError as error:
        raise StackError(f"{path.name}: {first_problem(error, 'the catalog of GPUs')}") from None


def _prices(path: Path) -> dict[int, float]:
    document = _parsed(path)
    router = document.get("router") if isinstance(document, dict) else None
    listed = router.get("gpu_prices") if isinstance(router, dict) else None
    try:
        return {int(one["gpu_class"]): float(one["price_per_hour"]) for one in listed or ()}
    except (TypeError, KeyError, ValueError):
        raise StackError(f"{path.name}: router.gpu_prices needs gpu_class and price_per_hour.") from None


def _parsed(path: Path) -> Any:  # what the YAML says
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise StackError(f"{path.name} cannot be read.") from None
    except (ValueError, yaml.YAMLError, RecursionError):
        raise StackError(f"{path.name} is not valid YAML.") from None
