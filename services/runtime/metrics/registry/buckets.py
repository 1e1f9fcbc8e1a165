"""Upper bounds of histograms' buckets: those of OpenTelemetry's conventions, and further ones around them."""

from typing import Final

# From a step of an engine to a long answer.
SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0),
)
# The convention ends at 10 s; requests that wait for a replica to start wait for longer.
FIRST_TOKEN_SECONDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0),
)
# The convention begins at 10 ms, which a small model needs for several tokens.
OUTPUT_TOKEN_SECONDS: Final = (
    *(0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
)
# The convention ends at 81.92 s.
REQUEST_SECONDS: Final = tuple(round(0.01 * 2.0**power, 2) for power in range(17))
TOKENS: Final = tuple(float(4**power) for power in range(14))
