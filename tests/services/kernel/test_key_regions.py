"""An edge says where a key belongs, from the key and the catalog alone."""

import pytest

from services.kernel.catalog import Catalog, Model, Region
from services.kernel.errors import ComptoirError, Reason
from services.kernel.key_regions import KeyRegions

FRANCE = Region(number=1, name="eu-fr")
GERMANY = Region(number=2, name="eu-de", base_url="https://de.example/v1")
TINY = Model(number=1, name="tiny-eu", context_tokens=1024, max_output_tokens=512)


def refusal_in(here: Region, key_region: str, *, moved: bool = False) -> ComptoirError | None:
    france = FRANCE.model_copy(update={"answered_by": "eu-de" if moved else ""})
    catalog = Catalog(models=(TINY,), regions=(france, GERMANY))
    try:
        KeyRegions(catalog, here).check(key_region)
    except ComptoirError as error:
        return error
    return None


@pytest.mark.parametrize(("here", "moved"), [(FRANCE, False), (GERMANY, True)])
def test_who_answers_a_key_takes_it(here: Region, moved: bool) -> None:
    assert refusal_in(here, "eu-fr", moved=moved) is None


def test_another_region_names_the_base_url_that_is_right() -> None:
    for key_region, moved in (("eu-de", False), ("eu-fr", True)):
        refusal = refusal_in(FRANCE, key_region, moved=moved)
        assert refusal is not None
        assert (refusal.reason, refusal.base_url) == (Reason.WRONG_REGION, "https://de.example/v1")


def test_a_region_that_is_not_in_the_catalog_is_of_no_key() -> None:
    refusal = refusal_in(FRANCE, "eu-pl")
    assert refusal is not None
    assert refusal.reason is Reason.KEY_INVALID
