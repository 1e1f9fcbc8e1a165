"""One answer from up to three tickets: the next one is used only while no text has come."""

from services.edge.domain.generation import ChatRequest, Finished
from services.edge.domain.ports import Admission, Answer, Generators
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity


class TicketedAnswer:
    """Reads one answer and moves to the next ticket where that is safe.

    `attempts` counts tickets used. `is_lease_unused` is true where no ticket was used, where the
    last one was given up on before a replica accepted it, and where all that were used failed before
    any text: the lease is then to be released. The router still charges a replica that settles later.
    """

    def __init__(
        self,
        generators: Generators,
        admission: Admission,
        chat: ChatRequest,
        *,
        request_id: Identity,
        deadline_seconds: float,
    ) -> None:
        self._generators = generators
        self._admission = admission
        self._chat = chat
        self._request_id = request_id
        self._deadline_seconds = deadline_seconds
        self._answer: Answer | None = None
        self._has_delta = False
        self.attempts = 0
        self.is_lease_unused = True

    @property
    def finished(self) -> Finished | None:
        """The counts, once the answer is whole."""
        return None if self._answer is None else self._answer.finished

    async def start(self) -> None:
        """Returns once a replica accepted a ticket; raises the last replica's ComptoirError if none did."""
        offers = self._admission.offers
        failure = ComptoirError(Reason.NO_REPLICA)
        while self.attempts < len(offers):
            offer = offers[self.attempts]
            self.attempts += 1
            self.is_lease_unused = False
            try:
                self._answer = await self._generators.open(
                    offer, self._chat, request_id=self._request_id, deadline_seconds=self._deadline_seconds
                )
            except ComptoirError as error:
                failure = error
                if not error.reason.row.may_try_next_ticket:
                    break
            except BaseException:
                # The caller went, or the time was up, while the ticket was on its way.
                self.is_lease_unused = True
                raise
            else:
                return
        self.is_lease_unused = True
        raise failure

    async def next_text(self) -> str | None:
        """The next piece of text, perhaps empty; None when the answer is whole. Raises ComptoirError."""
        while True:
            if self._answer is None:
                await self.start()
                continue
            try:
                text = await self._answer.next_text()
            except ComptoirError as error:
                self._move_on(error)
            else:
                self._has_delta = True
                return text

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        if self._answer is not None:
            self._answer.cancel()

    def _move_on(self, error: ComptoirError) -> None:
        is_last = self.attempts == len(self._admission.offers)
        if self._has_delta or is_last or not error.reason.row.may_try_next_ticket:
            # Without a delta the replica leaves the lease open for the next ticket, which nobody uses.
            self.is_lease_unused = not self._has_delta
            raise error
        self._answer = None
