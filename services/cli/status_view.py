"""What `comptoir status` shows: processes, replicas and how far the store is behind, in 80 columns."""

from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS: Final = ((_DAY, _HOUR, "d", "h"), (_HOUR, _MINUTE, "h", "min"), (_MINUTE, 1, "min", "s"))


def print_status(console: Console, state: dict[str, Any], now: datetime) -> None:
    """Prints the object that `comptoir status --json` shows, for people."""
    console.out(f"{state['phase']}: {state['base_url']}, {_models(state)}", highlight=False)
    console.out(f"data {state['data_dir']}", highlight=False)
    console.out(f"store {state['clickhouse_url']}, Kafka {state['kafka']}", highlight=False)
    console.print(_processes(state["processes"], now))
    replicas = state.get("replicas")
    if replicas:
        console.print(replica_table(replicas))
    elif replicas is not None:
        console.out("No replica is registered: requests are refused with `no_replica`.", highlight=False)
    for sentence in (*held_back(state.get("batch") or []), *own_quotas(state)):
        console.out(sentence, highlight=False)
    if state.get("store_lag"):
        console.out(_lag_sentence(state["store_lag"]), highlight=False)


def duration(seconds: float) -> str:
    """Returns a duration in its two largest units, such as `2 h 5 min`."""
    whole = max(0, int(seconds))
    for large, small, large_name, small_name in _STEPS:
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def _models(state: dict[str, Any]) -> str:
    names = state.get("models") or [state["model"]]
    return f"model{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _processes(processes: list[dict[str, Any]], now: datetime) -> Table:
    table = Table("process", "state", "for", "pid", "restarts", "why not, or what ended it", box=None)
    for process in processes:
        table.add_row(
            process["name"],
            process["state"],
            _since(process.get("since", ""), now),
            str(process["pid"] or "-"),
            str(process["restarts"]),
            process.get("why") or process.get("last_cause") or "",
        )
    return table


def _since(text: str, now: datetime) -> str:
    return duration((now - datetime.fromisoformat(text).astimezone(UTC)).total_seconds()) if text else "-"


def replica_table(replicas: list[dict[str, Any]]) -> Table:
    """Returns the replicas as people read them, a row each."""
    table = Table("replica", "model", "state", "runs", "waits", "sent", "KV", "report", box=None)
    for replica in replicas:
        table.add_row(
            str(replica["number"]),
            replica["model"],
            _with_offset(replica),
            _said(replica["running_requests"]),
            _said(replica["waiting_requests"]),
            f"{replica['in_flight_requests']}/{replica['max_requests']}",
            "-" if replica["kv_usage_permille"] is None else f"{replica['kv_usage_permille'] / 10:.0f} %",
            f"{replica['report_age_seconds']:.1f} s",
        )
    return table


def _said(number: int | None) -> str:
    """Returns what an engine said, or that it does not say."""
    return "-" if number is None else str(number)


def own_quotas(state: dict[str, Any]) -> list[str]:
    """Returns what is to be known where several routers lend every quota, each by itself."""
    routers = state.get("routers_with_own_quotas") or 0
    if routers < 2:  # noqa: PLR2004 - one has the quotas
        return []
    return [
        f"Each of {routers} routers lends every quota and budget by itself.",
        "Limits are exact where they share a store: `router.lease_store`.",
    ]


def held_back(batch: list[dict[str, Any]]) -> list[str]:
    """Returns a sentence for each model whose batch requests are held back."""
    return [f"Batch of {one['model']} is held back: {_why(one)}." for one in batch if one["held_by"]]


def _why(state: dict[str, Any]) -> str:
    if state["peak_left_seconds"]:
        return f"a peak window, {duration(state['peak_left_seconds'])} more"
    p95_seconds = state["interactive_ttft_p95_seconds"]
    # Those that wait for a replica are in no count yet.
    if p95_seconds is None:
        return "interactive requests wait for a replica"
    return f"interactive ones wait {p95_seconds:.1f} s (p95)"


def _with_offset(replica: dict[str, Any]) -> str:
    offset = replica.get("clock_offset_seconds")
    is_wrong = replica["state"] == "clock wrong" and offset is not None
    said = f"{replica['state']} by {offset:.0f} s" if is_wrong else str(replica["state"])
    tenant = replica.get("tenant")
    return f"{said}, tenant {tenant} alone" if tenant else said


def _lag_sentence(lag: dict[str, Any]) -> str:
    if lag.get("behind_seconds") is None:
        return "The store's lag is not known: the usage pipeline does not answer."
    behind = duration(lag["behind_seconds"])
    waiting = "" if lag.get("waiting_frames") is None else f", {lag['waiting_frames']} frames wait"
    return f"The store is {behind} behind{waiting}."
