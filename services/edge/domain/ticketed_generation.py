"""One generation from the tickets of one lease: another one is asked for only while no delta has come."""

from services.edge.domain.generation import Counts, Delta, GenerationRequest
from services.edge.domain.ports import Admission, Generation, Generators, Take
from services.kernel.errors import ComptoirError, Reason


class TicketedGeneration:
    """Reads one generation and moves to another ticket where that is safe and there is one.

    `attempts` counts tickets used. `is_lease_unused` is true where no ticket was used, where the
    last one was given up on before a replica accepted it, and where all that were used failed before
    any delta: the lease is then to be released. The router still charges a replica that settles later.
    """

    def __init__(
        self,
        generators: Generators,
        admission: Admission,
        request: GenerationRequest,
        *,
        deadline_seconds: float,
    ) -> None:
        self._generators = generators
        self._offer = admission.offer
        self._next_offer = admission.next_offer
        self._request = request
        self._deadline_seconds = deadline_seconds
        self._generation: Generation | None = None
        self._has_delta = False
        self.attempts = 0
        self.is_lease_unused = True

    @property
    def counts(self) -> Counts | None:
        """The counts, once the answer is whole."""
        return None if self._generation is None else self._generation.counts

    @property
    def transfer_record(self) -> int:
        """The transfer record of the last ticket: it may have been renewed since the first."""
        return self._offer.transfer_record

    @property
    def is_delta_waiting(self) -> bool:
        """Whether `next_delta` has something to return at once."""
        return self._generation is not None and self._generation.is_delta_waiting

    async def start(self) -> None:
        """Returns once a replica accepted a ticket; raises the last replica's ComptoirError if none did."""
        while self._generation is None:
            self.attempts += 1
            self.is_lease_unused = False
            try:
                self._generation = await self._generators.start(
                    self._offer, self._request, deadline_seconds=self._deadline_seconds
                )
            except ComptoirError as error:
                await self._move_on(error)
            except BaseException:
                # The client disconnected, or the time was up, while the ticket was on its way.
                self.is_lease_unused = True
                raise

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        """Returns what comes next, None when the answer is whole; as Generation has it."""
        while True:
            if self._generation is None:
                await self.start()
                continue
            try:
                # What is taken does not pass here, and after a delta no other ticket may be used.
                delta = await self._generation.next_delta(take if self._has_delta else None)
            except ComptoirError as error:
                await self._move_on(error)
            else:
                if not self._has_delta:
                    self._has_delta = True
                    self._request = self._request.without_text()
                return delta

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        if self._generation is not None:
            self._generation.cancel()

    async def _move_on(self, error: ComptoirError) -> None:
        """Gets another ticket; raises `error`, the replica's own, where none may be used or there is none."""
        # Without a delta the replica leaves the lease open for the next ticket, which nobody has yet.
        self.is_lease_unused = not self._has_delta
        if self._has_delta or not error.reason.row.may_try_next_ticket:
            raise error
        self._generation = None
        try:
            self._offer = await self._next_offer()
        except ComptoirError as refusal:
            if refusal.reason is Reason.UNAVAILABLE:
                # The router that lent is lost, and with it the lease: another admission may have a ticket.
                raise refusal from None
            # The router's words for it are not the caller's: its request was admitted, and a replica failed.
            raise error from None
