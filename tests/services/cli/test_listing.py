"""A list is printed page by page, as a table and as JSON, and never held whole."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2

from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError, Reason
from tests.services.cli.admin_service import AdminService, admin_service
from tests.services.cli.running import Terminal

PAGES, PER_PAGE = 5, 3


class Paged:
    """A router that lists in pages, and notes how much was printed when it was asked for each."""

    def __init__(self, admin: AdminService, monkeypatch: pytest.MonkeyPatch) -> None:
        self.printed, self.read = io.StringIO(), list[str]()
        self.fails_at = PAGES
        self._admin = admin
        monkeypatch.setattr(sys, "stdout", self.printed)
        admin.answers["ListKeys"] = lambda request: admin_pb2.ListKeysResponse(
            keys=[admin_pb2.Key(number=number, label="n" * 64) for number in self._numbers(request)],
            next_page_token=self._token(request),
        )
        admin.answers["ListTenants"] = lambda request: admin_pb2.ListTenantsResponse(
            tenants=[admin_pb2.Tenant(number=number, name="n" * 63) for number in self._numbers(request)],
            next_page_token=self._token(request),
        )

    def _numbers(self, request: Any) -> list[int]:
        self.read.append(self.printed.getvalue())
        first = int(request.page_token or 0)
        if first + PER_PAGE == self.fails_at * PER_PAGE:
            self._admin.refusal = ComptoirError(Reason.UNAVAILABLE)
        return [first + number for number in range(1, PER_PAGE + 1)]

    @staticmethod
    def _token(request: Any) -> str:
        following = int(request.page_token or 0) + PER_PAGE
        return str(following) if following < PAGES * PER_PAGE else ""


@pytest.fixture
def start(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Paged]]:
    """To be called by the test: what pytest captures is set anew when the fixtures are there."""
    with admin_service(paths) as admin:
        yield lambda: Paged(admin, monkeypatch)


@pytest.mark.parametrize("kind", ["keys", "tenants"])
def test_each_page_is_printed_before_the_next_is_asked_for(
    terminal: Terminal, paths: DataPaths, start: Callable[[], Paged], kind: str
) -> None:
    paged = start()
    terminal.comptoir(kind, "list", "--json", "--data-dir", str(paths.root))
    counts = [read.count('"number"') for read in paged.read]
    assert counts == [PER_PAGE * page for page in range(PAGES)]
    content = json.loads(paged.printed.getvalue())
    assert [one["number"] for one in content[kind]] == list(range(1, PAGES * PER_PAGE + 1))
    assert content["next_page_token"] == ""


@pytest.mark.parametrize("kind", ["keys", "tenants"])
def test_each_page_is_a_table_of_eighty_columns(
    terminal: Terminal,
    paths: DataPaths,
    start: Callable[[], Paged],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    paged = start()
    terminal.comptoir(kind, "list", "--data-dir", str(paths.root))
    assert [read.count("limits") for read in paged.read] == list(range(PAGES))
    printed = paged.printed.getvalue()
    assert max(map(len, printed.splitlines())) <= 80
    assert printed.count("active") == PAGES * PER_PAGE


def test_a_list_of_nothing_is_one_too(terminal: Terminal, paths: DataPaths) -> None:
    with admin_service(paths):
        said = terminal.comptoir("keys", "list", "--json", "--data-dir", str(paths.root))
        assert json.loads(said.out) == {"keys": [], "next_page_token": ""}
        assert "tenant" in terminal.comptoir("keys", "list", "--data-dir", str(paths.root)).out


def test_a_list_that_breaks_off_is_no_whole_answer(
    terminal: Terminal, paths: DataPaths, start: Callable[[], Paged]
) -> None:
    paged = start()
    paged.fails_at = 2
    said = terminal.comptoir("keys", "list", "--json", "--data-dir", str(paths.root))
    assert said.status == 1
    assert "cannot be reached" in said.err
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(paged.printed.getvalue())
