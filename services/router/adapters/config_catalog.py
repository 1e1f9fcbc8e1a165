"""The catalog that the settings hold, as the domain sees it."""

from services.router.domain.catalog import Catalog, Model, Region
from services.runtime import catalog as configured


def domain_region(region: configured.Region) -> Region:
    """Return a configured region."""
    return Region(region.number, region.name, region.is_eu)


def domain_catalog(catalog: configured.Catalog) -> Catalog:
    """Return all configured models and regions."""
    models = [
        Model(
            number=model.number,
            name=model.name,
            created_at_seconds=model.created_at_seconds,
            context_tokens=model.context_tokens,
            max_output_tokens=model.max_output_tokens,
            max_bytes_per_token=model.max_bytes_per_token,
        )
        for model in catalog.models
    ]
    return Catalog(models, [domain_region(region) for region in catalog.regions])
