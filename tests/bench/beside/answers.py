"""Whether two targets answer alike: only engines that do are worth comparing."""

from collections.abc import Sequence

from tests.bench.beside.chat import Said


def first_difference(ours: Sequence[Said], others: Sequence[Said]) -> str:
    """Returns which prompt is answered differently and in what, without its text; empty where none is."""
    if len(ours) != len(others):
        return f"{len(ours)} prompts were answered, and {len(others)}"
    for number, (own, other) in enumerate(zip(ours, others, strict=True), start=1):
        difference = _difference(own, other)
        if difference:
            return f"prompt {number} of {len(ours)}: {difference}"
    return ""


def _difference(own: Said, other: Said) -> str:
    if own.input_tokens != other.input_tokens:
        return f"{own.input_tokens} input tokens, and {other.input_tokens}"
    own_bytes, other_bytes = own.text.encode(), other.text.encode()
    if own_bytes != other_bytes:
        same = next(
            (at for at, (one, two) in enumerate(zip(own_bytes, other_bytes, strict=False)) if one != two),
            min(len(own_bytes), len(other_bytes)),
        )
        return f"answers of {len(own_bytes)} and {len(other_bytes)} bytes, alike up to byte {same}"
    if own.output_tokens != other.output_tokens:
        return f"{own.output_tokens} output tokens, and {other.output_tokens}"
    return "" if own.finish == other.finish else "other reasons for the end"
