"""What requests are expected to use follows what others of their tenant, model and bounds really used."""

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.identity import Identity
from services.router.domain.placement.expected_size import Bounds, Expected, ExpectedSizes

LONG = Bounds(model=1, input_tokens=4_000, output_tokens=4_096)


def after(sizes: ExpectedSizes, bounds: Bounds, *, input_tokens: int, output_tokens: int) -> None:
    lease_id = Identity.random()
    sizes.sent(lease_id, bounds)
    sizes.used(lease_id, input_tokens, output_tokens)


def test_before_anything_is_known_a_prompt_is_a_quarter_of_its_bytes_and_an_answer_of_usual_length() -> None:
    assert ExpectedSizes().expected(LONG) == Expected(1_000, 256)
    assert ExpectedSizes().expected(Bounds(1, 4, 16)) == Expected(1, 16)
    assert ExpectedSizes().expected(Bounds(1, 400, 0)).tokens == 100, "vectors have no answer"


def test_answers_are_learned_by_model_and_by_what_was_asked() -> None:
    sizes = ExpectedSizes()
    for _ in range(200):
        after(sizes, LONG, input_tokens=2_000, output_tokens=40)
    assert 40 <= sizes.expected(LONG).output_tokens <= 60
    assert 1_900 <= sizes.expected(LONG).input_tokens <= 2_000
    assert sizes.expected(Bounds(1, 4_000, 200)).output_tokens == 200, "others asked for less"
    assert sizes.expected(Bounds(2, 4_000, 4_096)) == Expected(1_000, 256), "another model"


def test_each_choice_has_an_answer_of_its_own() -> None:
    sizes, bounds = ExpectedSizes(), Bounds(1, 4_000, 4_096, choices=3)
    for _ in range(500):
        after(sizes, bounds, input_tokens=1_000, output_tokens=300)
    found = sizes.expected(bounds)
    assert 100 <= found.output_tokens <= 104
    assert found.tokens == found.input_tokens + 3 * found.output_tokens


def test_a_change_of_what_answers_use_is_followed_and_no_single_one_is() -> None:
    sizes = ExpectedSizes()
    for _ in range(300):
        after(sizes, LONG, input_tokens=1_000, output_tokens=100)
    after(sizes, LONG, input_tokens=1_000, output_tokens=4_096)
    assert sizes.expected(LONG).output_tokens < 160
    for _ in range(300):
        after(sizes, LONG, input_tokens=1_000, output_tokens=1_000)
    assert sizes.expected(LONG).output_tokens > 900


def test_nothing_is_learned_of_what_nobody_noted_or_nobody_answered() -> None:
    sizes, lease_id = ExpectedSizes(), Identity.random()
    sizes.used(lease_id, 9, 9)
    sizes.sent(lease_id, LONG)
    sizes.used(lease_id, 4_000, 0)
    sizes.used(lease_id, 4_000, 4_000)
    assert sizes.expected(LONG) == Expected(1_000, 256)


COUNTS = st.integers(0, 2**31)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, st.integers(1, 8)), max_size=20), COUNTS, COUNTS)
def test_whatever_was_used_no_request_is_expected_beyond_its_bounds(
    said: list[tuple[int, int, int, int, int]], input_tokens: int, output_tokens: int
) -> None:
    sizes = ExpectedSizes()
    for bound, asked, used_input, used_output, choices in said:
        bounds = Bounds(1, bound, asked, choices)
        after(sizes, bounds, input_tokens=used_input, output_tokens=used_output)
    found = sizes.expected(Bounds(1, input_tokens, output_tokens))
    assert 1 <= found.input_tokens <= max(1, input_tokens)
    assert min(1, output_tokens) <= found.output_tokens <= output_tokens


def test_what_one_tenant_sends_changes_nothing_of_what_is_expected_of_another() -> None:
    sizes = ExpectedSizes()
    for _ in range(100):
        after(sizes, Bounds(1, 4_000_000, 4_096, tenant=2), input_tokens=1, output_tokens=1)
    assert sizes.expected(Bounds(1, 4_000, 4_096, tenant=1)) == Expected(1_000, 256)
    assert sizes.expected(Bounds(1, 4_000, 4_096, tenant=2)) != Expected(1_000, 256)


def test_however_many_tenants_there_are_a_bounded_number_is_kept_and_asking_keeps_nothing() -> None:
    sizes = ExpectedSizes()
    for tenant in range(20_000):
        sizes.expected(Bounds(1, 4_000, 4_096, tenant=tenant))
    assert sizes.known == 0
    for tenant in range(20_000):
        after(sizes, Bounds(1, 4_000, 4_096, tenant=tenant), input_tokens=4_000, output_tokens=1)
    assert sizes.known == 16_384
    assert sizes.expected(Bounds(1, 4_000, 4_096, tenant=19_999)).input_tokens > 1_000
    assert sizes.expected(Bounds(1, 4_000, 4_096, tenant=0)) == Expected(1_000, 256)


def test_a_request_that_was_not_sent_after_all_is_not_waited_for() -> None:
    sizes, lease_id = ExpectedSizes(), Identity.random()
    sizes.sent(lease_id, LONG)
    sizes.forget(lease_id)
    sizes.used(lease_id, 4_000, 4_000)
    assert sizes.expected(LONG) == Expected(1_000, 256)
