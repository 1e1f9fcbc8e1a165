"""Shell completion, as bash itself does it with what `--show-completion` prints."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.settings import environment
from tests.services.cli.terminal_process import running_on_a_terminal

COMPTOIR = Path(sys.executable).with_name("comptoir")
# The loop that bash runs on TAB: the words so far, the registered function, and what it leaves in COMPREPLY.
_PRESS_TAB = """
eval "$(comptoir --show-completion bash)"
spec=$(complete -p comptoir)
function=${spec##*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
"$function" comptoir "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def press_tab(home: Path, *words: str) -> list[str]:
    """Returns what bash offers after these words, of which the last is begun or empty."""
    found = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", _PRESS_TAB, "bash", *words],  # noqa: S607 - the bash on the PATH
        env={**environment(), "PATH": f"{COMPTOIR.parent}:{environment()['PATH']}", "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert found.stderr == ""
    return found.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("comptoir", "ke"), ["keys"]),
        (("comptoir", "keys", "cr"), ["create"]),
        (("comptoir", "up", "--eng"), ["--engine"]),
        (("comptoir", "up", "--engine", ""), ["vllm", "simulated"]),
    ],
)
def test_bash_completes_commands_options_and_values(
    tmp_path: Path, words: tuple[str, ...], offered: list[str]
) -> None:
    assert press_tab(tmp_path, *words) == offered


def test_completion_is_installed_in_the_home_of_who_asks(tmp_path: Path) -> None:
    said = subprocess.run(
        # It finds the shell among its ancestors, which must not become the command itself.
        ["bash", "-c", f"{COMPTOIR} --install-completion; exit $?"],  # noqa: S607 - the shell of whoever tests
        env={**environment(), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "completion installed" in said.stdout
    assert "comptoir" in (tmp_path / ".bashrc").read_text()


def test_tab_in_a_bash_of_a_person_completes_what_was_begun(tmp_path: Path) -> None:
    variables = {
        "HOME": str(tmp_path),
        "PATH": f"{COMPTOIR.parent}:{environment()['PATH']}",
        "PS1": "ready$ ",
    }
    with running_on_a_terminal(["bash", "--norc", "--noprofile", "-i"], variables) as shell:
        shell.until("ready$ ")
        shell.type('eval "$(comptoir --show-completion bash)"\n')
        shell.until("ready$ ")
        shell.type("comptoir ke\t")
        shell.until("comptoir keys ")
        shell.type("rev\t")
        shell.until("oke ")
