"""What is signed and for how long it counts cannot change by accident: other versions are running."""

from services.contract import events, ticket
from services.generator.settings import GeneratorSettings
from services.router.settings import RouterSettings


def test_both_sides_of_a_rolling_update_agree() -> None:
    assert ticket.TICKET_SIGNATURE_CONTEXT == b"comptoir-ticket-v1\0"
    assert ticket.TICKET_MAX_LIFETIME_SECONDS == 60
    assert events.EVENT_SCHEMA_VERSION == 1


def test_the_longest_generation_is_the_same_for_who_lends_and_who_generates() -> None:
    lent = RouterSettings.model_fields["max_generation_seconds"].default
    assert GeneratorSettings.model_fields["max_request_seconds"].default == lent == 600.0
