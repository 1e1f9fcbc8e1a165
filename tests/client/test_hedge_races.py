"""The blocking client's hedge, where alarm, router, replica and caller come in any order."""

from collections.abc import Callable
from typing import Any

import grpc
from comptoir.client.hedge import Hedge
from comptoir.client.hedging import Hedging
from comptoir.router.v1.router_pb2 import NextOfferResponse, TicketOffer
from hypothesis import given
from hypothesis import strategies as st

ACTS = ("alarm", "offer", "refusal", "started", "failure", "close")


class Refusal(grpc.RpcError):
    """A router's no."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return ""

    def trailing_metadata(self) -> tuple[()]:
        return ()


class Asking:
    """A question to the router, answered when the test says so."""

    def __init__(self, number: int) -> None:
        self.number, self._callbacks = number, list[Callable[[Any], None]]()
        self.answer: NextOfferResponse | Exception | None = None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def cancel(self) -> bool:
        self.end(grpc.FutureCancelledError())
        return True

    def end(self, answer: NextOfferResponse | Exception) -> None:
        if self.answer is None:
            self.answer = answer
            for callback in self._callbacks:
                callback(self)

    def result(self) -> NextOfferResponse:
        if self.answer is None:
            self.end(offered(self.number))
        assert self.answer is not None
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def offered(number: int) -> NextOfferResponse:
    return NextOfferResponse(offer=TicketOffer(generator_address=str(number)))


class Call:
    """What is waited for."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> bool:
        self.is_cancelled = True
        return True


class Alarms:
    """Keeps what is to be done."""

    def __init__(self) -> None:
        self.act: Callable[[], None] | None = None

    def at(self, moment: float, act: Callable[[], None]) -> "Alarms":
        del moment
        self.act = act
        return self

    def cancel(self) -> None:
        self.act = None


class Scene:
    def __init__(self) -> None:
        self.hedging, self.alarms = Hedging(30.0), Alarms()
        self.hedge = Hedge(self.hedging, self.alarms)  # type: ignore[arg-type] # as much of them as it uses
        self.asked: list[Asking] = []
        self.used: list[str] = []
        self.call = Call()
        self.hedge.begin()
        self._watch(is_accepted=False)

    def ask(self) -> Any:
        self.asked.append(Asking(len(self.asked)))
        return self.asked[-1]

    def alarm(self) -> None:
        if self.alarms.act is not None:
            act, self.alarms.act = self.alarms.act, None
            act()
            if self.asked and self.asked[-1].answer is None and not self.asked[-1]._callbacks:
                raise AssertionError("nobody hears the answer")

    def offer(self) -> None:
        if self.asked:
            self.asked[-1].end(offered(self.asked[-1].number))

    def refusal(self) -> None:
        if self.asked:
            self.asked[-1].end(Refusal())

    def started(self) -> None:
        """The replica's word comes; or had come, where its call was cancelled meanwhile."""
        if not self._is_left():
            self.hedge.stop()
            self._watch(is_accepted=True)

    def failure(self) -> None:
        """The call fails; whoever waits is told of a ticket that is there, or on its way."""
        if not self._is_left() and (offer := self.hedge.hurried(lambda _: None)) is not None:
            self._use(offer)
        elif self.call.is_cancelled:
            return
        self._watch(is_accepted=False)

    def close(self) -> None:
        self.hedge.stop()

    def _is_left(self) -> bool:
        was_cancelled = self.call.is_cancelled
        offer = self.hedge.left()
        assert (offer is not None) is was_cancelled
        if offer is not None:
            self._use(offer)
            self._watch(is_accepted=False)
        return offer is not None

    def _use(self, offer: TicketOffer) -> None:
        self.used.append(offer.generator_address)

    def _watch(self, *, is_accepted: bool) -> None:
        self.call = Call()
        self.hedge.watch(self.call, self.ask, is_accepted=is_accepted)


@given(st.lists(st.sampled_from(ACTS), max_size=30))
def test_whatever_the_order_a_ticket_is_used_once_and_what_was_spent_for_others_is_given_back(
    acts: list[str],
) -> None:
    scene = Scene()
    for act in acts:
        getattr(scene, act)()
        if act == "close":
            break
    scene.close()
    assert len(set(scene.used)) == len(scene.used)
    for asking in scene.asked:
        assert asking.answer is not None, "a question is left open"
    left = 0
    while scene.hedging.budget.spend():
        left += 1
    assert left == 100 - len(scene.used)
