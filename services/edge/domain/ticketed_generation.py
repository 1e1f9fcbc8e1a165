"""One generation from the tickets of one lease: another one is asked for only while no delta has come."""

import asyncio

from services.edge.domain.generation import Counts, Delta, GenerationRequest
from services.edge.domain.hedge import Hedge, ReplicaLeftError
from services.edge.domain.hedging import Hedging
from services.edge.domain.ports import Admission, Generation, Generators, Offer, Take
from services.kernel.errors import ComptoirError, Reason


class TicketedGeneration:
    """Reads one generation and moves to another ticket where that is safe and there is one.

    That is where a replica fails before any delta, and where it says nothing for long, as `hedging` has it.
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
        hedging: Hedging,
    ) -> None:
        self._generators = generators
        self._offer = admission.offer
        self._next_offer = admission.next_offer
        self._request = request
        self._deadline_seconds = deadline_seconds
        self._generation: Generation | None = None
        self._has_delta = False
        self._hedging = hedging
        self._hedge = Hedge(hedging, admission.hedge)
        self._asked_at = 0.0
        # Whether a replica was left that had not failed.
        self.has_left_one = False
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
            self._asked_at = asyncio.get_running_loop().time()
            starting = self._generators.start(
                self._offer, self._request, deadline_seconds=self._deadline_seconds
            )
            try:
                self._generation = await self._hedge.wait(
                    starting, self._asked_at + self._hedging.accepted_seconds
                )
            except ComptoirError as error:
                await self._move_on(error)
            except ReplicaLeftError as left:
                self._leave(left.offer)
            except BaseException:
                # The client disconnected, or the time was up, while the ticket was on its way.
                self.is_lease_unused = True
                raise
            else:
                self._hedge.stop()

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        """Returns what comes next, None when the answer is whole; as Generation has it."""
        if self._has_delta and self._generation is not None:
            return await self._generation.next_delta(take)
        while True:
            delta = await self._first_delta()
            if self._has_delta:
                return delta

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        self._hedge.stop()
        if self._generation is not None:
            self._generation.cancel()

    async def _first_delta(self) -> Delta | None:
        """Reads the first delta, if `_has_delta` is true then; otherwise another replica is to be asked."""
        if self._generation is None:
            await self.start()
            return None
        due_at = self._asked_at + self._hedging.first_token_seconds
        try:
            # What is taken does not pass here, and after a delta no other ticket may be used.
            delta = await self._hedge.wait(self._generation.next_delta(), due_at)
        except ComptoirError as error:
            await self._move_on(error)
            return None
        except ReplicaLeftError as left:
            self._leave(left.offer)
            return None
        self._hedge.stop()
        self._has_delta = True
        self._request = self._request.without_text()
        return delta

    def _leave(self, offer: Offer) -> None:
        """Goes on with a ticket for another replica; the one before, which said nothing, is to stop."""
        generation, self._generation = self._generation, None
        if generation is not None:
            generation.cancel()
        self._offer, self.has_left_one = offer, True

    async def _move_on(self, error: ComptoirError) -> None:
        """Gets another ticket; raises `error`, the replica's own, where none may be used or there is none."""
        # Without a delta the replica leaves the lease open for the next ticket, which nobody has yet.
        self.is_lease_unused = True
        if not error.reason.row.may_try_next_ticket:
            raise error
        self._generation = None
        try:
            self._offer = await self._hedge.hurried() or await self._next_offer()
        except ComptoirError as refusal:
            if refusal.reason is Reason.UNAVAILABLE or self.has_left_one:
                # The router that lent is lost, and with it the lease, or the first replica hangs: another
                # admission may have a ticket.
                raise ComptoirError(Reason.UNAVAILABLE) from None
            # The router's words for it are not the caller's: its request was admitted, and a replica failed.
            raise error from None
