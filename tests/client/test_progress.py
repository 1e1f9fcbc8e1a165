"""Which ticket comes next, and whether the lease is given back, whatever happens in whatever order."""

import pytest
from comptoir.client.errors import ComptoirError, cancelled, unreachable
from comptoir.client.progress import Progress
from comptoir.generator.v1.generator_pb2 import Delta, Finished, GenerateResponse, Started
from comptoir.router.v1.router_pb2 import AdmitResponse, TicketOffer
from hypothesis import given
from hypothesis import strategies as st

STARTED = GenerateResponse(started=Started())
DELTA = GenerateResponse(delta=Delta(text="x"))
FINISHED = GenerateResponse(finished=Finished(output_tokens=1))


def progress_with(offers: int) -> Progress:
    return Progress(AdmitResponse(offers=[TicketOffer(generator_address=f"{n}") for n in range(offers)]))


def test_an_admission_without_an_offer_fails_as_without_a_replica() -> None:
    progress = progress_with(0)
    with pytest.raises(ComptoirError) as raised:
        progress.next_offer()
    assert str(raised.value) == "NO_REPLICA"
    with pytest.raises(ComptoirError):
        progress.failed(raised.value)
    assert progress.is_lease_unused


@pytest.mark.parametrize("first", [DELTA, FINISHED, GenerateResponse()])
def test_what_comes_before_the_start_is_no_answer(first: GenerateResponse) -> None:
    progress = progress_with(2)
    progress.next_offer()
    with pytest.raises(ComptoirError) as raised:
        progress.take(first)
    assert str(raised.value) == "INTERNAL"
    with pytest.raises(ComptoirError):
        progress.failed(raised.value)


def test_an_answer_starts_once() -> None:
    progress = progress_with(1)
    progress.next_offer()
    assert progress.take(STARTED) is None
    with pytest.raises(ComptoirError):
        progress.take(STARTED)


def test_what_a_later_version_sends_in_between_is_passed_over() -> None:
    progress = progress_with(1)
    progress.next_offer()
    progress.take(STARTED)
    assert progress.take(GenerateResponse()) is None
    assert progress.take(DELTA) == DELTA.delta
    assert progress.take(FINISHED) is None
    assert progress.finished == FINISHED.finished


EVENTS = st.lists(st.sampled_from(["started", "delta", "unreachable", "cancelled"]), max_size=12)


@given(offers=st.integers(0, 3), events=EVENTS)
def test_a_ticket_is_used_once_the_next_never_after_a_delta_and_no_lease_is_kept_that_nobody_holds(
    offers: int, events: list[str]
) -> None:
    progress, used, deltas = progress_with(offers), [], 0
    try:
        used.append(progress.next_offer().generator_address)
        for event in events:
            if event == "started":
                progress.take(STARTED)
            elif event == "delta":
                progress.take(DELTA)
                deltas += 1
            else:
                progress.failed(unreachable() if event == "unreachable" else cancelled())
                assert deltas == 0
                assert progress.is_lease_unused
                used.append(progress.next_offer().generator_address)
    except ComptoirError:
        pass
    assert used == [str(number) for number in range(len(used))]
    assert len(used) <= offers
    if deltas:
        assert not progress.is_lease_unused
