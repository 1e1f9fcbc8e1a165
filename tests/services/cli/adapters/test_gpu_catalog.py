from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from services.cli.adapters.gpu_catalog import load_gpus

OWN = """
read_on: 2026-11-01
currency: EUR
gpus:
- {name: ours, memory_gibibytes: 47, bandwidth_gigabytes_per_second: 900, has_fp8: true, source: rack 4,
   gpu_class: 3}
"""
SETTINGS = "router:\n  gpu_prices:\n  - {gpu_class: 3, price_per_hour: 0.8}\n"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_catalog_of_ones_own_is_priced_by_the_classes_of_the_settings(tmp_path: Path) -> None:
    own, settings = written(tmp_path, "gpus.yaml", OWN), written(tmp_path, "comptoir.yaml", SETTINGS)
    catalog = load_gpus(own, settings)
    assert [catalog.price_per_hour(gpu) for gpu in catalog.gpus] == [0.8]
    assert load_gpus(own, None).gpus[0].price is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "gpus.yaml is not valid YAML"),
        (OWN.replace("47", "-1"), "gpus.yaml: gpus.0.memory_gibibytes: Input should be greater than 0"),
        ("[]", "gpus.yaml: the catalog of GPUs: Input should be"),
    ],
)
def test_a_catalog_that_is_none_is_refused_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(StackError, match=sentence):
        load_gpus(written(tmp_path, "gpus.yaml", text), None)


def test_prices_of_classes_that_no_gpu_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="prices no gpu_class that a GPU has"):
        load_gpus(None, written(tmp_path, "comptoir.yaml", SETTINGS))
    with pytest.raises(StackError, match=r"router\.gpu_prices needs gpu_class"):
        load_gpus(None, written(tmp_path, "comptoir.yaml", "router: {gpu_prices: [1]}"))
