"""Which endpoint a command asks, and where the data folder's key may go."""

from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.cli.endpoint import Endpoint, found_endpoint, key_for, needed_key

OWN = "http://127.0.0.1:1/v1"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPTOIR_API_KEY", raising=False)


def test_without_options_it_is_the_local_stack(paths: DataPaths) -> None:
    endpoint = found_endpoint(paths, "", "")
    assert endpoint == Endpoint(OWN, "tiny-eu", OWN)
    assert key_for(endpoint, paths) == needed_key(endpoint, paths) == "cptr_kept"


def test_another_endpoint_gets_no_model_of_this_one_where_none_is_needed(paths: DataPaths) -> None:
    assert found_endpoint(paths, "http://other/v1", "", needs_model=False).model == ""
    assert found_endpoint(paths, OWN, "", needs_model=False).model == "tiny-eu"
    assert found_endpoint(paths, OWN, "other", needs_model=False).model == "other"


def test_the_folder_s_key_goes_nowhere_else(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    other = found_endpoint(paths, "http://other/v1", "m")
    assert key_for(other, paths) is None
    with pytest.raises(StackError, match="COMPTOIR_API_KEY"):
        needed_key(other, paths)
    monkeypatch.setenv("COMPTOIR_API_KEY", "cptr_given")
    assert needed_key(other, paths) == "cptr_given"


def test_where_nothing_runs_an_endpoint_must_be_named(tmp_path: Path) -> None:
    nothing = DataPaths(tmp_path)
    for url, model, needs_model in (("", "", False), ("http://other/v1", "", True)):
        with pytest.raises(StackError, match="comptoir up"):
            found_endpoint(nothing, url, model, needs_model=needs_model)
    assert found_endpoint(nothing, "http://other/v1", "", needs_model=False).own_url == ""


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/v1", "127.0.0.1:8000/v1", "ftp://host/v1", "http:///v1"]
)
def test_what_is_no_url_is_refused(paths: DataPaths, tmp_path: Path, url: str) -> None:
    for folder in (paths, DataPaths(tmp_path / "nothing")):
        with pytest.raises(StackError, match="--base-url must be a URL"):
            found_endpoint(folder, url, "", needs_model=False)
