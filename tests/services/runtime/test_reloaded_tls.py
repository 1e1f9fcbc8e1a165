"""TLS files are read when they changed, and what cannot be used changes nothing."""

import shutil
import ssl
from pathlib import Path

import pytest
import structlog

from services.runtime.addresses import TlsFiles
from services.runtime.reloaded_tls import ReloadedTls
from services.runtime.settings_error import SettingsError
from tests.services.runtime.certificates import Authority


class Counted:
    """The files of one listener, and how often they were read."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.files = self.authority.files("first")
        self.reads = 0
        paths = (self.files.certificate_file, self.files.private_key_file)
        self.tls = ReloadedTls("listen", paths, self._read)

    def _read(self) -> ssl.SSLContext:
        self.reads += 1
        return self.files.ssl_context()

    def put(self, files: TlsFiles) -> None:
        shutil.copy(files.certificate_file, self.files.certificate_file)
        shutil.copy(files.private_key_file, self.files.private_key_file)


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def test_files_that_do_not_change_are_read_once(counted: Counted) -> None:
    context = counted.tls.context
    counted.tls.check()
    assert (counted.reads, counted.tls.context) == (1, context)


def test_what_was_renewed_is_used(counted: Counted) -> None:
    context = counted.tls.context
    counted.put(counted.authority.files("second"))
    counted.tls.check()
    assert counted.tls.context is not context
    counted.tls.check()
    assert counted.reads == 2


def test_files_behind_a_link_that_is_switched_are_read_again(tmp_path: Path) -> None:
    authority, link = Authority(tmp_path / "authority"), tmp_path / "current"
    first, second = authority.files("first"), authority.files("second")
    link.symlink_to(first.certificate_file)
    reads: list[Path] = []

    def read() -> ssl.SSLContext:
        reads.append(link.resolve())
        return first.ssl_context()

    tls = ReloadedTls("listen", [link], read)
    switched = tmp_path / "next"
    switched.symlink_to(second.certificate_file)
    switched.replace(link)
    tls.check()
    assert reads == [first.certificate_file, second.certificate_file]


def test_a_certificate_before_its_key_is_told_of_only_if_it_stays(counted: Counted) -> None:
    context, second = counted.tls.context, counted.authority.files("second")
    with structlog.testing.capture_logs() as lines:
        shutil.copy(second.certificate_file, counted.files.certificate_file)
        counted.tls.check()
        assert (counted.tls.context, counted.tls.is_outdated) == (context, False)
        shutil.copy(second.private_key_file, counted.files.private_key_file)
        counted.tls.check()
        assert counted.tls.context is not context
        counted.files.private_key_file.unlink()
        for _ in range(3):
            counted.tls.check()
        assert counted.tls.is_outdated
    assert [line["event"] for line in lines] == ["certificate_reloaded", "certificate_unusable"]


def test_files_that_are_as_they_were_again_are_not_outdated(counted: Counted) -> None:
    aside = counted.files.private_key_file.with_suffix(".aside")
    counted.files.private_key_file.rename(aside)
    counted.tls.check()
    counted.tls.check()
    assert counted.tls.is_outdated
    aside.rename(counted.files.private_key_file)
    counted.tls.check()
    assert not counted.tls.is_outdated


def test_files_that_cannot_be_used_at_first_are_refused(tmp_path: Path) -> None:
    files = Authority(tmp_path / "authority").files("first")
    files.private_key_file.unlink()
    with pytest.raises(SettingsError):
        ReloadedTls("listen", [files.private_key_file], files.ssl_context)
