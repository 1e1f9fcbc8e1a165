import importlib.metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.bench.beside import environments


def test_what_is_fetched_is_kept_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environments.cache_folder() == tmp_path / "comptoir" / "bench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert environments.cache_folder() == Path("~/.cache/comptoir/bench").expanduser()


def test_an_environment_that_is_complete_is_not_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "installed.txt").write_text("litellm==1\nother==2")
    python = environments.throw_away_environment(tmp_path, ("litellm==1", "other==2"), said.append)
    assert (python, said) == (tmp_path / "bin" / "python", [])


def test_what_is_started_may_keep_its_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("HTTPS_PROXY", "kept")
    assert "PYTHONDONTWRITEBYTECODE" not in environments.for_children()
    assert environments.for_children()["HTTPS_PROXY"] == "kept"


@pytest.mark.parametrize("build", [environments.CPU_ENGINE, environments.CUDA_ENGINE])
def test_the_bare_server_is_told_what_suits_the_build_of_vllm(
    monkeypatch: pytest.MonkeyPatch, build: str
) -> None:
    found = [SimpleNamespace(name=name) for name in ("torch", build)]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    assert environments.engine_distribution() == build


def test_every_package_has_a_version() -> None:
    assert all("==" in package for package in environments.LITELLM)
