"""The rules carry what a person set, unchanged, to the parts that obey them."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.progress import CommitPolicy
from pipelines.usage.domain.rules import Rules
from pipelines.usage.domain.validation import Residence
from pipelines.usage.settings import UsageSettings
from services.contract.events import RETENTION_MAX_DAYS, RETENTION_MIN_DAYS
from services.kernel.catalog import Catalog, Model, Region

REGIONS = (Region(number=3, name="eu-fr"), Region(number=4, name="eu-de"))
MODEL = Model(number=1, name="tiny-eu", context_tokens=8, max_output_tokens=8)
SECONDS = st.floats(min_value=0.001, max_value=60)
RULES = st.builds(
    Rules,
    residence=st.builds(
        Residence,
        region=st.sampled_from([region.number for region in REGIONS]),
        retention_days=st.integers(RETENTION_MIN_DAYS, RETENTION_MAX_DAYS),
    ),
    commit=st.builds(
        CommitPolicy,
        every_frames=st.integers(1, 10_000),
        every_seconds=SECONDS,
        most_uncommitted_frames=st.integers(50, 500_000),
    ),
    dead_letters_in_a_row=st.integers(0, 10_000),
    release_seconds=SECONDS,
    retry_first_seconds=SECONDS,
    retry_most_seconds=SECONDS,
)


def _settings(rules: Rules) -> UsageSettings:
    names = {region.number: region.name for region in REGIONS}
    return UsageSettings.model_validate(
        {
            "region": names[rules.residence.region],
            "catalog": Catalog(regions=REGIONS, models=(MODEL,)),
            "listen": {"address": "127.0.0.1:8407"},
            "kafka": {"bootstrap": "127.0.0.1:8405"},
            "clickhouse": {
                "url": "http://127.0.0.1:8404",
                "password_file": Path("password"),
                "deduplication_window_frames": 2 * rules.commit.most_uncommitted_frames,
            },
            "retention_days": rules.residence.retention_days,
            "commit_every_frames": rules.commit.every_frames,
            "commit_every_seconds": rules.commit.every_seconds,
            "dead_letters_in_a_row": rules.dead_letters_in_a_row,
            "release_seconds": rules.release_seconds,
            "retry_first_seconds": rules.retry_first_seconds,
            "retry_most_seconds": rules.retry_most_seconds,
        }
    )


@given(RULES)
def test_what_was_set_is_what_the_consumer_is_told(rules: Rules) -> None:
    assert _settings(rules).rules == rules
