"""The bounds carry what a person set, and say by themselves what the settings say by default."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.bounds import Bounds
from services.generator.settings import GeneratorSettings
from services.kernel.catalog import Catalog, Model, Region

CATALOG = Catalog(
    regions=(Region(number=4, name="eu-fr"),),
    models=(Model(number=9, name="tiny-eu", context_tokens=1024, max_output_tokens=512),),
)
SECONDS = st.floats(min_value=0.001, max_value=3600)


def _settings(values: dict[str, float]) -> GeneratorSettings:
    return GeneratorSettings.model_validate(
        {
            "region": "eu-fr",
            "catalog": CATALOG,
            "listen": {"address": "127.0.0.1:8402"},
            "router": {"address": "127.0.0.1:8401"},
            "emitter": {"address": "127.0.0.1:8403"},
            "replica": 3,
            "engine": "simulated",
            "model": "tiny-eu",
            "ticket_public_keys": {1: "ticket-1.pub"},
            "cache_salt_secret_file": "cache-salt.secret",
            **values,
        }
    )


@given(st.builds(Bounds, *[SECONDS] * len(Bounds.__slots__)))
def test_what_was_set_is_what_the_server_is_told(bounds: Bounds) -> None:
    assert _settings(asdict(bounds)).bounds == bounds


def test_whoever_sets_nothing_gets_the_same_bounds_from_both() -> None:
    assert _settings({}).bounds == Bounds()


def test_a_hang_is_noticed_long_after_the_load_was_last_reported() -> None:
    bounds = Bounds()
    assert bounds.load_event_interval_seconds * 2 < bounds.engine_hang_seconds
