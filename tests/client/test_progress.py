"""Which ticket comes next, and whether the lease is given back, whatever happens in whatever order."""

import pytest
from comptoir.client.errors import ComptoirError, cancelled, unreachable
from comptoir.client.progress import Progress
from comptoir.generator.v1.generator_pb2 import Delta, Finished, GenerateResponse, Started
from comptoir.router.v1.router_pb2 import AdmitResponse, TicketOffer
from comptoir.ticket.v1.ticket_pb2 import SignedTicket
from hypothesis import given
from hypothesis import strategies as st

STARTED = GenerateResponse(started=Started())
DELTA = GenerateResponse(delta=Delta(text="x"))
FINISHED = GenerateResponse(finished=Finished(output_tokens=1))


def offer(number: int) -> TicketOffer:
    return TicketOffer(ticket=SignedTicket(claims=b"%d" % number), generator_address=str(number))


def progress_with_ticket() -> Progress:
    return Progress(AdmitResponse(offer=offer(0)))


def test_an_admission_without_an_offer_fails_as_without_a_replica() -> None:
    progress = Progress(AdmitResponse())
    with pytest.raises(ComptoirError) as raised:
        progress.use_offer()
    assert str(raised.value) == "NO_REPLICA"
    assert progress.is_lease_unused


def test_no_offer_is_used_twice() -> None:
    progress = progress_with_ticket()
    assert progress.use_offer() == offer(0)
    with pytest.raises(ComptoirError):
        progress.use_offer()


def test_another_admission_begins_anew_and_keeps_what_is_told_of_the_last_failure() -> None:
    progress = progress_with_ticket()
    progress.use_offer()
    progress.take(STARTED)
    progress.failed(unreachable())
    assert progress.accepted_attempts == 1
    progress.admit_again(AdmitResponse(offer=offer(5), lease_id_low=9))
    assert (progress.use_offer(), progress.admitted.lease_id_low, progress.attempts) == (offer(5), 9, 1)
    progress.failed(unreachable())
    assert progress.accepted_attempts == 0


@pytest.mark.parametrize("first", [DELTA, FINISHED, GenerateResponse()])
def test_what_comes_before_the_start_is_no_answer(first: GenerateResponse) -> None:
    progress = progress_with_ticket()
    progress.use_offer()
    with pytest.raises(ComptoirError) as raised:
        progress.take(first)
    assert str(raised.value) == "INTERNAL"
    with pytest.raises(ComptoirError):
        progress.failed(raised.value)


def test_an_answer_starts_once() -> None:
    progress = progress_with_ticket()
    progress.use_offer()
    assert progress.take(STARTED) is None
    with pytest.raises(ComptoirError):
        progress.take(STARTED)


def test_what_a_later_version_sends_in_between_is_passed_over() -> None:
    progress = progress_with_ticket()
    progress.use_offer()
    progress.take(STARTED)
    assert progress.take(GenerateResponse()) is None
    assert progress.take(DELTA) == DELTA.delta
    assert progress.take(FINISHED) is None
    assert progress.finished == FINISHED.finished


EVENTS = st.lists(st.sampled_from(["started", "delta", "unreachable", "cancelled"]), max_size=12)


@given(events=EVENTS)
def test_no_ticket_is_used_after_a_delta_and_no_lease_is_kept_that_nobody_holds(events: list[str]) -> None:
    progress, deltas = progress_with_ticket(), 0
    try:
        progress.use_offer()
        for number, event in enumerate(events, start=1):
            if event == "started":
                progress.take(STARTED)
            elif event == "delta":
                progress.take(DELTA)
                deltas += 1
            else:
                progress.failed(unreachable() if event == "unreachable" else cancelled())
                assert deltas == 0
                assert progress.is_lease_unused
                progress.offer = offer(number)
                assert progress.use_offer() == offer(number)
    except ComptoirError:
        pass
    if deltas:
        assert not progress.is_lease_unused
