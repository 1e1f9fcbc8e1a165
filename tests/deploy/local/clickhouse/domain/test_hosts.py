import pytest

from deploy.local.clickhouse.domain.hosts import is_loopback_host


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8404", "127.0.0.1", "127.8.8.8:1", "[::1]:8404", "::1", "store.localhost", ""],
)
def test_names_of_this_machine_are_known(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "localhost.example.org:8404",
        "10.0.0.1",
        "192.168.1.1",
        "[fe80::1]",
        "127.0.0.1.example",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not is_loopback_host(host)
