"""How long to wait before the next attempt: longer each time, never too long, never all at once."""

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0


def pause_seconds(failures: int, spread: float) -> float:
    """Seconds to wait after `failures` (1 or more) in a row; `spread` in [0, 1) is random.

    Doubles from 0.1 to 5 seconds, of which between half and all is waited.
    """
    longest = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_SECONDS)
    return longest * (0.5 + spread / 2)
