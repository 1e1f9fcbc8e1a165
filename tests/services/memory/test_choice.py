from importlib import resources

import yaml

from services.memory.choice import cheapest_of, choices_of, why_not
from services.memory.gpus import Gpu, GpuCatalog
from services.memory.replica import Replica
from tests.services.memory.models import replica_of

CATALOG = GpuCatalog.model_validate(
    yaml.safe_load((resources.files("services.memory") / "gpus.yaml").read_text())
)


def on(gpu: Gpu, ranks: int) -> Replica | None:
    return replica_of("llama-3.1-8b", memory_bytes=gpu.memory_bytes, tensor_parallel=ranks)


def test_the_fewest_gpus_of_each_kind_that_hold_the_load_are_found() -> None:
    found = list(choices_of(CATALOG, on, tokens=8_192, requests=16, bandwidth_share=1.0))
    for one in found:
        assert one.replica.fits(8_192, 16)
        ranks = one.replica.gpus.tensor_parallel
        if ranks > 1:
            fewer = on(one.gpu, ranks // 2)
            assert fewer is not None
            assert not fewer.fits(8_192, 16)


def test_the_cheapest_is_by_the_price_of_all_its_gpus() -> None:
    found = list(choices_of(CATALOG, on, tokens=8_192, requests=16, bandwidth_share=1.0))
    cheapest = cheapest_of(found)
    assert cheapest is not None
    assert cheapest.price_per_hour == min(one.price_per_hour or 0 for one in found)
    assert cheapest_of([]) is None


def test_a_model_that_cannot_be_divided_so_is_told_why() -> None:
    assert why_not(32, 8, 32, tensor_parallel=8, pipeline_parallel=2) == ""
    assert "does not divide the model's 28 heads" in why_not(
        28, 4, 28, tensor_parallel=8, pipeline_parallel=1
    )
    assert "KV heads" in why_not(24, 6, 28, tensor_parallel=4, pipeline_parallel=1)
    assert "28 layers" in why_not(28, 4, 28, tensor_parallel=1, pipeline_parallel=29)
