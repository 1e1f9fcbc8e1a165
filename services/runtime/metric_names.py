"""Every metric: its name, its unit and what it tells; a misspelt name is a type error."""

from typing import Literal

# One line per name: instrument, unit, meaning.
MetricName = Literal[
    # histogram, s: time a process spent on one call, by method and status
    "comptoir.rpc.duration",
    # counter, {request}: calls that left a process as INTERNAL, by the failure's type; each one is a defect
    "comptoir.rpc.internal_errors",
    # counter, {event}: usage events handed over and acknowledged
    "comptoir.usage.recorded",
    # counter, {event}: usage events that were not acknowledged in time; their requests failed cleanly
    "comptoir.usage.unrecorded",
]
