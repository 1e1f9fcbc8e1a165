import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.cluster.chart import CHART, REPOSITORY
from tests.upgrade.keep import ReleaseError, check, ship, version_of
from tests.upgrade.releases import Release, releases

VERSION = version_of(REPOSITORY)


@pytest.mark.parametrize("release", releases(), ids=lambda release: str(release.version))
def test_a_release_is_what_was_shipped_and_runs_as_its_version(release: Release, tmp_path: Path) -> None:
    names = {path.name for path in release.folder.iterdir()} - {"SHA256SUMS"}
    assert release.sums().keys() == names
    code = release.unpack(tmp_path)
    said = subprocess.run(
        [sys.executable, "-c", "from importlib.metadata import version; print(version('comptoir'))"],
        cwd=code,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == release.version


def test_this_tree_is_a_later_version_than_every_release() -> None:
    assert tuple(map(int, VERSION.split("."))) > releases()[-1].numbers


def test_what_make_release_keeps_of_this_tree_is_its_programs_its_chart_and_its_values(
    tmp_path: Path,
) -> None:
    ship(REPOSITORY, tmp_path / VERSION)
    release = Release(tmp_path / VERSION)
    assert set(release.sums()) == {
        f"comptoir-{VERSION}-py3-none-any.whl",
        f"comptoir_client-{VERSION}-py3-none-any.whl",
        f"comptoir-{VERSION}.tgz",
        "values-production.yaml",
        "values-servers.yaml",
        "values-small.yaml",
    }
    code = release.unpack(tmp_path / "code")
    assert (code / "services/router/adapters/lease_functions.lua").exists()
    assert (code / "comptoir/router/v1/router_pb2.py").exists()


def test_a_release_is_refused_where_versions_differ_or_its_chapter_is_missing(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "protos/pyproject.toml", "deploy/helm/comptoir/Chart.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (tmp_path / "deploy/helm/comptoir/Chart.yaml").write_text(yaml.safe_dump(chart | {"appVersion": "0.0.9"}))
    with pytest.raises(ReleaseError, match="another one: its appVersion"):
        version_of(tmp_path)
    commands = (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    )
    for command in commands:
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607
    with pytest.raises(ReleaseError, match="no section"):
        check(tmp_path, VERSION)
    (tmp_path / "CHANGELOG.md").write_text("")
    with pytest.raises(ReleaseError, match="commit first"):
        check(tmp_path, VERSION)


def test_the_wheel_of_a_release_names_the_client_of_its_version() -> None:
    for release in releases():
        (wheel,) = release.folder.glob("comptoir-*.whl")
        with zipfile.ZipFile(wheel) as content:
            metadata = content.read(f"comptoir-{release.version}.dist-info/METADATA").decode()
        assert f"Requires-Dist: comptoir-client=={release.version}" in metadata


def test_a_tree_that_is_no_clone_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is no clone of git"):
        check(tmp_path, VERSION)


def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.upgrade.keep.environment", lambda: {"PATH": str(tmp_path)})
    with pytest.raises(ReleaseError, match="git is not installed"):
        check(REPOSITORY, VERSION)
