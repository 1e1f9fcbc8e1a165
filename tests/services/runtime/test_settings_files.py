"""Files that settings name and that cannot be read, by their keys."""

from pathlib import Path

from pydantic import BaseModel

from services.runtime.settings_files import unreadable_files


class Tls(BaseModel):
    certificate_file: Path
    ca_file: Path | None = None


class Settings(BaseModel):
    data_folder: Path
    database_file: Path
    pepper_file: Path
    tls: Tls | None
    public_keys: dict[int, Path]


def test_only_files_that_must_be_there_are_named_and_only_those_that_are_not(tmp_path: Path) -> None:
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.write_text("")
    settings = Settings(
        data_folder=gone,
        database_file=gone,
        pepper_file=there,
        tls=Tls(certificate_file=gone),
        public_keys={1: there, 2: gone, 3: tmp_path},
    )
    assert unreadable_files(settings) == ["tls.certificate_file", "public_keys.2", "public_keys.3"]
    assert unreadable_files(settings.model_copy(update={"tls": None, "public_keys": {}})) == []
