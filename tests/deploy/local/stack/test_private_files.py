"""Files that nobody but their owner reads, whatever they were before."""

from pathlib import Path

from deploy.local.stack.private_files import replace_private


def test_a_file_that_everybody_could_read_is_closed_when_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "comptoir.yaml"
    path.write_text("region: open\n")
    path.chmod(0o644)
    (tmp_path / "comptoir.yaml.new").write_text("left by a kill\n")
    replace_private(path, "region: eu-fr\n")
    assert path.read_text() == "region: eu-fr\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["comptoir.yaml"]
