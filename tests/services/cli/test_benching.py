"""A result names the endpoint without what may open it."""

from services.cli.benching import without_secrets


def test_a_url_is_written_down_without_what_may_open_something() -> None:
    assert without_secrets("https://user:pass@host:8/v1?key=s#f") == "https://host:8/v1"
