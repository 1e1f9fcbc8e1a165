"""A real Valkey tells its time to who has its password."""

from pathlib import Path

from services.cli.adapters.doctor.redis_clock import redis_clock
from services.kernel.clock import ManualClock, SystemClock
from tests.valkey_process import ValkeyProcess


async def test_its_clock_is_set_beside_this_machines(tmp_path: Path) -> None:
    valkey = ValkeyProcess(tmp_path, password="hidden")
    (tmp_path / "password").write_text("hidden\n")
    settings = {"address": f"unix:{valkey.socket}", "password_file": str(tmp_path / "password")}
    valkey.start()
    try:
        await valkey.ready()
        seen = await redis_clock("router.lease_store", settings, SystemClock())
        assert seen is not None
        assert abs(seen.ahead_seconds) <= seen.within_seconds + 0.01
        # A machine whose clock stands in the past.
        behind = await redis_clock("router.lease_store", settings, ManualClock(wall_microseconds=0))
        assert behind is not None
        assert behind.ahead_seconds > 1_000_000_000
        assert await redis_clock("k", {"address": settings["address"]}, SystemClock()) is None
    finally:
        valkey.kill()
    assert await redis_clock("router.lease_store", settings, SystemClock()) is None
