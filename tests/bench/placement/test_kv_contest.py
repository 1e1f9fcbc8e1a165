"""Where caches are too full, who waits at the router spares what runs there being computed again."""

from tests.bench.placement.kv_contest import WAYS, run
from tests.bench.placement.kv_shapes import KV_SHAPES

LONG_ANSWERS = KV_SHAPES[0]


def test_requests_that_are_held_spare_preemptions_and_stalls_and_end_no_later() -> None:
    off, hold = (run(LONG_ANSWERS, WAYS[name], share=1.3, seed=7, replicas=1) for name in ("off", "hold"))
    assert off == run(LONG_ANSWERS, WAYS["off"], share=1.3, seed=7, replicas=1), "the same seed, the same run"
    assert off.preemptions > 20
    assert hold.preemptions <= 0.5 * off.preemptions
    assert hold.wasted <= 0.5 * off.wasted
    assert hold.gap_p95 <= 0.5 * off.gap_p95
    assert hold.duration_p95 <= 1.1 * off.duration_p95
    assert hold.refused == 0
