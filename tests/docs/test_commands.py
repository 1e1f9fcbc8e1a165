"""Commands that a page tells a reader to run are there: targets of make, `comptoir …`, modules of Python."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from services.cli.program import app
from tests.docs.test_links import FENCED, QUOTED, ROOT, documents, named

COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(make|comptoir|python -m)\s+(.+)")
TARGET = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields what is run and its words, of each line of a code block and each quoted piece of a line."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    for said in (*lines, *QUOTED.findall(FENCED.sub("", text))):
        for part in said.removeprefix("$ ").partition("#")[0].split("&&"):
            if found := COMMAND.fullmatch(part.strip()):
                yield found[1], words(found[2])


def words(rest: str) -> list[str]:
    try:
        return shlex.split(rest.replace("[", "").replace("]", "").replace("\\|", "|"))
    except ValueError:
        return rest.split()


def missing(program: str, given: list[str]) -> list[str]:
    """Returns the words of a command that name nothing."""
    if program == "make":
        targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
        return [word for word in given if re.fullmatch(r"[a-z][\w-]*", word) and word not in targets]
    if program == "python -m":
        return [] if importlib.util.find_spec(given[0]) else given[:1]
    return unknown_to(typer.main.get_command(app), given)


def unknown_to(command: Any, given: list[str]) -> list[str]:
    """Returns the first names of commands that a group has not, or the options that a command has not."""
    if isinstance(command, TyperGroup) and given and not given[0].startswith("-"):
        below = {name: command.commands.get(name) for name in given[0].split("|")}
        return [
            said
            for name, found in below.items()
            for said in ([name] if found is None and name.isidentifier() else [])
            + (unknown_to(found, given[1:]) if found is not None else [])
        ]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.partition("=")[0] for word in given if word.startswith("--")}
    return sorted(asked - options - {"--help"})


PAGES = [page for page in documents() if list(commands(page))]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_of_a_page_is_there(page: Path) -> None:
    found = {f"{program} {' '.join(given)}": missing(program, given) for program, given in commands(page)}
    assert {said: names for said, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("program", "given", "names"),
    [
        ("make", "nothing", ["nothing"]),
        ("python -m", "services.nowhere", ["services.nowhere"]),
        ("comptoir", "nothing", ["nothing"]),
        ("comptoir", "keys create|nothing", ["nothing"]),
        ("comptoir", "up --nothing", ["--nothing"]),
        ("comptoir", "keys create --tenant acme --nothing=7", ["--nothing"]),
        ("comptoir", "up --detach --json", []),
        ("make", "up ARGS=--quick", []),
    ],
)
def test_what_is_not_there_is_found(program: str, given: str, names: list[str]) -> None:
    assert missing(program, words(given)) == names
