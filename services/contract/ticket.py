"""Tickets: what a signature covers, and the bounds of their lives that both sides keep."""

from typing import Final

# Stands before the claims in what a ticket's signature covers, so that it can stand for nothing else.
TICKET_SIGNATURE_CONTEXT: Final = b"comptoir-ticket-v1\0"
# No ticket is issued for longer, and none that claims more is accepted.
TICKET_MAX_LIFETIME_SECONDS: Final = 60
# Clocks of two machines differ: a ticket may be issued this much later than its replica's now. The router
# gives none to a replica whose clock it knows to be further off.
TICKET_MAX_SKEW_SECONDS: Final = 5
