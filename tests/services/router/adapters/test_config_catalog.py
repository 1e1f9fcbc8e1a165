"""The domain sees every model and region that is configured."""

from services.router.adapters.config_catalog import domain_catalog
from services.router.domain.catalog import Model, Region
from services.runtime import catalog as configured


def test_models_and_regions_keep_all_their_numbers() -> None:
    catalog = domain_catalog(
        configured.Catalog(
            regions=(configured.Region(number=3, name="us-east", is_eu=False),),
            models=(
                configured.Model(
                    number=4,
                    name="m",
                    created_at_seconds=5,
                    context_tokens=6,
                    max_output_tokens=7,
                    max_bytes_per_token=8,
                ),
            ),
        )
    )
    assert catalog.models == (Model(4, "m", 5, 6, 7, 8),)
    assert catalog.region(3) == Region(3, "us-east", is_eu=False)
