"""What is said of an address, and of what a process says of itself."""

import pytest

from services.cli.doctor.facts import Reach, Said, Trouble
from services.cli.doctor.finding import Level
from services.cli.doctor.places import Place, Speaks, Tls
from services.cli.doctor.reachability import of_reach, of_readiness

PLACE = Place("edge.router", "router:8401", Speaks.GRPC, Tls("a", "b", "c"))


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_has_its_sentence_and_what_to_do(trouble: Trouble) -> None:
    finding = of_reach(Reach(PLACE, trouble))
    assert finding.level is Level.FAIL
    assert finding.sentence == f"gRPC at router:8401: {trouble.value}."
    assert finding.next_step
    assert "{" not in finding.next_step


def test_what_is_reached_is_fine_and_what_is_slow_is_worth_a_look() -> None:
    assert of_reach(Reach(PLACE, seconds=0.012)).sentence.endswith("is reached over TLS in 12 ms.")
    assert of_reach(Reach(PLACE, seconds=0.6)).level is Level.WARN


def test_a_process_says_why_it_is_not_ready_with_its_numbers() -> None:
    assert of_readiness(Said(PLACE)).level is Level.OK
    finding = of_readiness(Said(PLACE, "behind", "behind_seconds 90"))
    assert (finding.level, finding.sentence) == (Level.FAIL, "It is not ready: behind (behind_seconds 90).")
    assert of_readiness(Said(PLACE, "something_newer")).next_step


def test_a_process_that_is_silent_has_failed() -> None:
    assert of_readiness(Said(PLACE, is_silent=True)).level is Level.FAIL
