"""Files are looked at and, but for certificates, not opened."""

from pathlib import Path

from services.cli.adapters.doctor.files import most_open_files, see_file, see_folder
from services.cli.doctor.places import NamedFile
from tests.services.runtime.certificates import Authority


def test_a_secret_is_seen_by_its_mode(tmp_path: Path) -> None:
    secret = tmp_path / "pepper"
    secret.write_text("hidden")
    secret.chmod(0o640)
    seen = see_file(NamedFile("router.pepper_file", str(secret), is_secret=True, is_certificate=False))
    assert (seen.exists, seen.mode & 0o777) == (True, 0o640)
    assert "hidden" not in repr(seen)


def test_a_file_that_is_not_there_and_a_folder_in_its_place_are_seen(tmp_path: Path) -> None:
    missing = NamedFile("k", str(tmp_path / "x"), is_secret=True, is_certificate=False)
    assert not see_file(missing).exists
    folder = NamedFile("k", str(tmp_path), is_secret=True, is_certificate=False)
    assert not see_file(folder).is_readable


def test_certificates_are_read_with_their_names_and_times(tmp_path: Path) -> None:
    files = Authority(tmp_path / "ca").files("router", dns="router.example")
    named = NamedFile("k", str(files.certificate_file), is_secret=False, is_certificate=True)
    seen = see_file(named).certificates
    assert seen is not None
    assert [certificate.names for certificate in seen] == [("127.0.0.1", "router.example")]
    files.certificate_file.write_text("nothing of the kind")
    assert see_file(named).certificates is None


def test_a_folder_needs_what_it_does_not_hold_yet(tmp_path: Path) -> None:
    (tmp_path / "segment").write_bytes(bytes(8192))
    seen = see_folder("spool", tmp_path, most_bytes=1_000_000)
    assert seen is not None
    assert 0 < seen.needs_bytes <= 1_000_000 - 8192
    assert 0 < seen.free_bytes <= seen.total_bytes
    assert see_folder("spool", tmp_path / "not" / "made" / "yet", most_bytes=0) is not None


def test_the_limit_of_open_files_is_a_number() -> None:
    assert most_open_files() > 0 or most_open_files() == -1
