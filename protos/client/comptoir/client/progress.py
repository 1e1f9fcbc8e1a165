"""How far one request is: which ticket it uses, and whether its lease is to be given back. Does no I/O."""

from comptoir.client.errors import ComptoirError, no_replica, out_of_protocol
from comptoir.generator.v1.generator_pb2 import Delta, Finished, GenerateResponse
from comptoir.router.v1.router_pb2 import AdmitResponse, TicketOffer


class Progress:
    """One admitted request, until its answer is whole or has failed.

    A ticket is used once, another one only while no delta has come and only where the failure permits it.
    """

    def __init__(self, admitted: AdmitResponse) -> None:
        self.admitted = admitted
        self.offer = admitted.offer
        self.attempts = 0
        # How many replicas may have accepted the request before the last failure; 0 where none was reached.
        self.accepted_attempts = 0
        self.finished: Finished | None = None
        self._is_accepted = False
        self._has_delta = False
        # Whether a replica was left that had not failed.
        self.has_left_one = False

    @property
    def may_hedge(self) -> bool:
        """True while a replica that says nothing may be left, if the router can tell that it hangs."""
        return self.admitted.may_hedge and not self._has_delta

    @property
    def is_accepted(self) -> bool:
        """True once a replica accepted the ticket that was used last, until that failed."""
        return self._is_accepted

    @property
    def is_lease_unused(self) -> bool:
        """True if no replica holds the lease, as far as is known, so that it can be given back.

        So it is where no ticket was used, where the last one was given up on before a replica accepted
        it, and where all that were used failed before any text.
        """
        return not self._is_accepted and not self._has_delta

    def use_offer(self) -> TicketOffer:
        """Returns the offer to use now, once."""
        if not self.offer.HasField("ticket"):
            raise no_replica()
        offer, self.offer = self.offer, TicketOffer()
        self.attempts += 1
        return offer

    def admit_again(self, admitted: AdmitResponse) -> None:
        """Goes on with another admission of the same request."""
        self.admitted, self.offer = admitted, admitted.offer
        self.attempts, self.has_left_one = 0, False

    def leave(self, offer: TicketOffer) -> None:
        """Goes on with a ticket for another replica, in place of one that hangs."""
        self.offer, self._is_accepted, self.has_left_one = offer, False, True

    def accept(self) -> None:
        """Notes that a replica took the ticket in use, before it says more."""
        self._is_accepted = True

    def take(self, response: GenerateResponse) -> Delta | None:
        """Notes what a replica said, and returns its text if that is what it said."""
        event = response.WhichOneof("event")
        if self._is_accepted == (event == "started"):
            raise out_of_protocol()
        if event == "started":
            self._is_accepted = True
        elif event == "finished":
            self.finished = response.finished
        elif event == "delta":
            self._has_delta = True
            return response.delta
        return None

    def failed(self, error: ComptoirError) -> None:
        """Notes that the ticket in use failed; raises `error` where no other one may be used."""
        self.accepted_attempts = self.attempts if self._is_accepted or self.has_left_one else 0
        # Without a delta the replica leaves the lease open for the next ticket.
        self._is_accepted = False
        if self._has_delta or not error.may_try_next_ticket:
            raise error
