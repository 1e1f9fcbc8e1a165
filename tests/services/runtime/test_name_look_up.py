import asyncio
import socket
import threading
from typing import Any

import pytest

from services.runtime import name_look_up
from services.runtime.name_look_up import look_up

V4, V6 = socket.AF_INET, socket.AF_INET6


def told(*hosts: tuple[Any, str]) -> list[Any]:
    return [(family, socket.SOCK_STREAM, 6, "", (host, 8411)) for family, host in hosts]


async def test_the_resolver_of_the_machine_is_asked() -> None:
    found = await look_up("localhost:8411")
    assert set(found) <= {"127.0.0.1:8411", "[::1]:8411"}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("answer", "addresses"),
    [
        (told((V4, "10.0.0.2"), (V4, "10.0.0.1"), (V4, "10.0.0.2")), ("10.0.0.1:8411", "10.0.0.2:8411")),
        (told((V6, "fd00::2"), (V4, "10.0.0.2")), ("[fd00::2]:8411",)),
        (told((V4, "10.0.0.2"), (V6, "fd00::2")), ("10.0.0.2:8411",)),
    ],
)
async def test_a_host_with_addresses_of_two_families_is_one(
    monkeypatch: pytest.MonkeyPatch, answer: list[Any], addresses: tuple[str, ...]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: answer)
    assert await look_up("routers.test:8411") == addresses


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("a label is too long")])
async def test_a_name_that_nobody_knows_is_an_error_of_the_system(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_arguments: Any, **_named: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        await look_up("routers.test:8411")


async def test_a_resolver_that_does_not_answer_is_waited_for_no_longer_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = threading.Event()

    def hang(*_arguments: Any, **_named: Any) -> Any:
        answers.wait(30)
        return told((V4, "10.0.0.1"))

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(name_look_up, "_LOOK_UP_SECONDS", 0.05)
    with pytest.raises(OSError):  # noqa: PT011 - a time that is over is one of them
        await look_up("routers.test:8411")
    # What it says too late is nobody's.
    answers.set()
    await asyncio.sleep(0)
