"""Names of processes: what is one, and that nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.process_names import ProcessName, RegionName, process_of

FRANCE = RegionName("comptoir.internal", "eu-fr")
EDGE = "spiffe://comptoir.internal/region/eu-fr/process/edge"

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
regions = st.builds(
    RegionName,
    st.lists(labels, min_size=1, max_size=4).map(".".join),
    st.from_regex(r"[a-z]{2}(-[a-z0-9]{1,12})?", fullmatch=True),
)
names = st.builds(
    ProcessName,
    regions,
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    st.just("") | st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True),
)


@given(names)
def test_what_is_written_is_read_as_it_was(name: ProcessName) -> None:
    assert ProcessName.parse(str(name)) == name
    assert RegionName.parse(str(name.of)) == name.of
    assert process_of([str(name)]) == name


@given(st.text(max_size=60) | st.text(max_size=30).map(lambda rest: EDGE + rest))
def test_what_is_read_is_written_as_it_was_so_that_no_name_has_two_spellings(text: str) -> None:
    for read in (ProcessName.parse(text), RegionName.parse(text)):
        assert read is None or str(read) == text


@pytest.mark.parametrize(
    "text",
    [
        EDGE.upper(),
        EDGE.replace("spiffe", "SPIFFE"),
        EDGE + "/",
        EDGE + "//",
        EDGE + "/.",
        EDGE + "/..",
        EDGE + "/a/b",
        EDGE + "\n",
        EDGE + "?x",
        EDGE + "#x",
        EDGE + "%2e",
        EDGE + "/" + "a" * 64,
        EDGE.replace("comptoir.internal", "comptoir.internal:1"),
        EDGE.replace("comptoir.internal", "user@comptoir.internal"),
        EDGE.replace("comptoir.internal", ".".join(["a" * 60] * 3)),
        EDGE.replace("comptoir.internal", ""),
        EDGE.replace("eu-fr", "eu-fr/../eu-de"),
        EDGE.replace("eu-fr", "EU-FR"),
        EDGE.replace("eu-fr", "еu-fr"),  # noqa: RUF001 - a letter that looks like another
        EDGE.replace("/process/edge", ""),
        "spiffe://comptoir.internal/ns/default/sa/edge",
        "https://comptoir.internal/region/eu-fr/process/edge",
        "spiffe://comptoir.internal/region/eu-fr/process/edge" + "/" * 10_000,
    ],
)
def test_what_only_looks_like_a_name_is_none(text: str) -> None:
    assert ProcessName.parse(text) is None


@given(st.lists(names.map(str), max_size=4).filter(lambda uris: len(uris) != 1))
def test_a_certificate_with_no_name_or_several_names_nobody(uris: list[str]) -> None:
    assert process_of(uris) is None


def test_a_host_proves_its_region_by_one_dns_name_of_both() -> None:
    assert FRANCE.host("router.example") == "router.example.eu-fr.comptoir.internal"
    assert FRANCE.host("::1") == "--1.eu-fr.comptoir.internal"
    assert FRANCE.host("router.example") != RegionName("comptoir.internal", "eu-de").host("router.example")
