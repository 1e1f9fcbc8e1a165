"""What processes agree on beyond the schemas: numbers and bytes that both sides of a wire must share."""

from typing import Final

# Stands before the claims in what a ticket's signature covers, so that it can stand for nothing else.
TICKET_SIGNATURE_CONTEXT: Final = b"comptoir-ticket-v1\0"
# No ticket is issued for longer, and none that claims more is accepted.
TICKET_MAX_LIFETIME_SECONDS: Final = 60
# Clocks of two machines differ: a ticket may be issued this much later than its replica's now. The router
# gives none to a replica whose clock it knows to be further off.
TICKET_MAX_SKEW_SECONDS: Final = 5
# The version of the events' meanings that producers write into every event.
EVENT_SCHEMA_VERSION: Final = 1
