"""What is common to all events: the version of their meanings."""

from typing import Final

# The version of the events' meanings that producers write into every event.
EVENT_SCHEMA_VERSION: Final = 1
