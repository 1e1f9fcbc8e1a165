"""What a policy knows of a request are bounds, from which it expects less."""

from dataclasses import replace

from services.router.domain.lease import Process
from services.router.domain.placement.asking import expected_input_tokens
from tests.fakes.router import ask


def test_a_prompt_is_expected_to_have_a_quarter_of_its_bound_which_is_in_bytes() -> None:
    assert [expected_input_tokens(bound) for bound in (0, 1, 4, 5, 4096)] == [0, 1, 1, 2, 1024]


def test_never_is_all_of_a_prompt_cached_and_nothing_is_where_nobody_knows() -> None:
    known = {Process(1, 5): 8, Process(2, 5): 64}
    asked = replace(ask(input_tokens=20), cached_tokens=known)
    assert [asked.cached_at(Process(*one)) for one in ((1, 5), (2, 5), (2, 6), (3, 5))] == [8, 19, 0, 0]
    assert replace(ask(input_tokens=0), cached_tokens=known).cached_at(Process(1, 5)) == 0
