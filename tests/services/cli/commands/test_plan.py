"""plan: tables for people, an object for programs, and a sentence where an assumption cannot be."""

import json

from services.cli.capacity.assumptions import Assumptions
from tests.services.cli.running import Terminal


def test_every_assumption_is_an_option_with_its_default(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--json")
    assert said.status == 0
    assert json.loads(said.out)["assumed"] == Assumptions().model_dump()


def test_what_is_assumed_changes_what_is_needed(terminal: Terminal) -> None:
    few, many = (
        json.loads(terminal.comptoir("plan", "--json", "--streams", "100000", "--core-speed", speed).out)
        for speed in ("2", "1")
    )
    assert few["plan"]["cells"] < many["plan"]["cells"] == 23
    assert many["ceilings"][0]["part"] == "one edge"


def test_the_tables_say_how_many_and_what_breaks_first(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--streams", "100000")
    assert said.status == 0
    assert "docs/scaling.md" in said.out
    assert any("routers" in line and "46" in line for line in said.out.splitlines())
    assert "full first" in said.out


def test_what_cannot_be_is_one_sentence_with_its_option(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--utilization", "1.5")
    assert (said.status, said.err) == (
        1,
        "comptoir: --utilization: Input should be less than or equal to 1.\n",
    )
    tight = terminal.comptoir(
        "plan", "--streams", "1000000", "--edge-memory-mebibytes", "1", "--core-speed", "50"
    )
    assert (
        tight.err
        == "comptoir: --edge-memory-mebibytes does not hold an edge's connections to the replicas.\n"
    )
