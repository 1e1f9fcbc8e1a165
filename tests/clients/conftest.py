"""One whole stack with the real engine, which every client of these tests calls, by several names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.local.stack.config import build_config
from deploy.local.stack.options import DEFAULT_EMBEDDING_MODEL, Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from tests.system.stack_process import Stack, running_stack

ALIAS = "f3-7b-instruct"
# LlamaIndex knows what a model can do by its name.
KNOWN = "gpt-4o-mini"
VECTORS, EMBEDDING_ALIAS = "tiny-embed-eu", "text-embedding-3-small"
RETIRED = "eu/f2-7b-instruct"
# A cent for each token, so that few requests use a budget up.
PRICE = {"input_per_million_tokens": 10_000, "output_per_million_tokens": 10_000}
DEPRECATED_AT_SECONDS, SUNSET_AT_SECONDS = 1_780_000_000, 1_800_000_000


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The parts of `comptoir up`, whose model has further names and a price, and is the default."""
    folder: Path = tmp_path_factory.mktemp("stack")
    config = folder / "names.yaml"
    # A look at the console waits for nothing that is kept.
    console = {"live_seconds": 1, "store_seconds": 1, "slow_seconds": 1}
    settings = {"catalog": _catalog(folder), "console": console}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with running_stack(folder / "data", "--embeddings", "--console", "--config", str(config)) as running:
        yield running


def _catalog(folder: Path) -> dict[str, object]:
    """The catalog that `comptoir up` writes, with further names."""
    catalog: dict[str, object]
    options = StackOptions(folder, embedding_model=str(DEFAULT_EMBEDDING_MODEL))
    generated = build_config(options, Addresses(0), DataPaths(folder))["catalog"]
    (region,), (model, vectors) = generated["regions"], generated["models"]
    retired = {
        "name": RETIRED,
        "deprecated_at_seconds": DEPRECATED_AT_SECONDS,
        "sunset_at_seconds": SUNSET_AT_SECONDS,
    }
    catalog = {
        "regions": [{**region, "default_model": model["name"], "default_embedding_model": vectors["name"]}],
        "models": [
            {**model, "aliases": [ALIAS, KNOWN], "replaces": [retired], "price": PRICE},
            {**vectors, "aliases": [EMBEDDING_ALIAS]},
        ],
    }
    return catalog
