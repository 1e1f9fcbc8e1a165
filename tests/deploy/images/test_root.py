"""What is laid into an image's root, and what is left out of it."""

from pathlib import Path

import pytest

from deploy.images import root

STATUS = "Package: thing\nVersion: 1.2-3\nArchitecture: amd64\n"
LISTED = (
    "/.",
    "/lib/x86/libthing.so",
    "/usr/bin/thing",
    "/usr/bin/other",
    "/usr/share/doc/thing/copyright",
    "/usr/share/doc/thing/README",
    "/usr/share/man/man1/thing.1",
    "/usr/lib/python3.11/idlelib/editor.py",
    "/usr/share/dropped/by/the/base",
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a merged /usr and one package, some of whose files are gone."""
    source = tmp_path / "machine"
    (source / "usr/lib").mkdir(parents=True)
    (source / "lib").symlink_to("usr/lib")
    for path in LISTED[1:-1]:
        file = source / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (source / "usr/bin/other").unlink()
    (source / "usr/bin/other").symlink_to("thing")
    (source / "usr/bin/thing").chmod(0o755)
    said = {"--listfiles": "\n".join(LISTED), "--status": STATUS}
    monkeypatch.setattr(root, "_said", lambda *command: said[command[1]])
    return source


def test_files_of_a_package_are_laid_with_its_links_and_its_licence(machine: Path, tmp_path: Path) -> None:
    made = tmp_path / "root"
    root.lay(made, ["thing"], source=machine)
    found = {str(it.relative_to(made)) for it in made.rglob("*") if it.is_file() or it.is_symlink()}
    assert found == {
        "lib",
        "usr/bin/other",
        "usr/bin/thing",
        "usr/lib/x86/libthing.so",
        "usr/share/doc/thing/copyright",
        "var/lib/dpkg/status.d/thing",
    }
    assert (made / "lib").readlink() == Path("usr/lib")
    assert (made / "usr/bin/other").readlink() == Path("thing")
    assert (made / "usr/bin/thing").stat().st_mode & 0o777 == 0o755
    assert (made / "var/lib/dpkg/status.d/thing").read_text() == STATUS


def test_a_second_package_adds_to_the_first_and_changes_nothing_of_it(machine: Path, tmp_path: Path) -> None:
    made = tmp_path / "root"
    root.lay(made, ["thing"], source=machine)
    (machine / "usr/bin/thing").write_text("another")
    root.lay(made, ["thing"], source=machine)
    assert (made / "usr/bin/thing").read_text() == "/usr/bin/thing"


def test_there_are_two_users_and_neither_can_log_in(tmp_path: Path) -> None:
    root.add_accounts(tmp_path)
    accounts = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert [(name, int(number), shell) for name, _, number, *_, shell in accounts] == [
        ("root", 0, "/sbin/nologin"),
        ("comptoir", root.USER, "/sbin/nologin"),
    ]
