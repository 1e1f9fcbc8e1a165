"""Links to the console of a stack or a settings file: what is missing is one sentence."""

from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import create_secrets
from services.cli.console_link import link_of, link_of_section, url_of
from tests.ports import free_port
from tests.services.runtime.consoles import run_of_a_console


def test_a_stacks_link_is_made_from_its_own_secret_where_it_has_a_console(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    paths.create()
    create_secrets(paths)
    with run_of_a_console() as url:
        assert link_of({"data_dir": str(tmp_path), "console": url}).startswith(f"{url}/#")
    assert link_of({"data_dir": str(tmp_path), "console": ""}) == ""
    assert link_of({"data_dir": str(tmp_path)}) == ""
    with pytest.raises(StackError, match="no console answers"):
        link_of({"data_dir": str(tmp_path), "console": f"http://127.0.0.1:{free_port()}"})


def test_settings_without_a_console_say_what_is_missing() -> None:
    for asked in (url_of, link_of_section):
        with pytest.raises(StackError, match=r"console\.listen"):
            asked({})
