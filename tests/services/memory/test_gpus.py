from importlib import resources
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from services.memory.gpus import GpuCatalog


def document() -> dict[str, Any]:
    text = (resources.files("services.memory") / "gpus.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_the_catalog_has_each_gpu_with_a_dated_price_and_sources() -> None:
    catalog = GpuCatalog.model_validate(document())
    names = [gpu.name for gpu in catalog.gpus]
    assert names == ["b200", "h200", "h100", "a100-80", "a100-40", "l40s", "l4", "t4"]
    assert all(gpu.price is not None and gpu.price.read_on <= catalog.read_on for gpu in catalog.gpus)
    assert [gpu.name for gpu in catalog.gpus if not gpu.has_fp8] == ["a100-80", "a100-40", "t4"]


def test_a_price_in_another_currency_is_changed_by_its_rate() -> None:
    catalog = GpuCatalog.model_validate(document())
    h100, l4 = catalog.by_name("H100"), catalog.by_name("l4")
    assert h100 is not None
    assert l4 is not None
    assert catalog.price_per_hour(h100) == pytest.approx(3.85 * 0.8745)
    assert catalog.price_per_hour(l4) == 0.75


def test_prices_of_gpu_classes_take_the_place_of_those_of_the_catalog() -> None:
    changed = document()
    changed["gpus"][2]["gpu_class"] = 7
    catalog = GpuCatalog.model_validate(changed).priced_by_class({7: 2.5, 9: 1.0})
    h100, h200 = catalog.by_name("h100"), catalog.by_name("h200")
    assert h100 is not None
    assert h200 is not None
    assert catalog.price_per_hour(h100) == 2.5
    assert catalog.price_per_hour(h200) == pytest.approx(4.5 * 0.8745)


def test_a_gpu_twice_or_a_currency_without_a_rate_is_refused() -> None:
    twice = document()
    twice["gpus"].append(twice["gpus"][0])
    with pytest.raises(ValidationError, match="names a GPU twice"):
        GpuCatalog.model_validate(twice)
    with pytest.raises(ValidationError, match="a currency without a rate"):
        GpuCatalog.model_validate(document() | {"rates": {}})
