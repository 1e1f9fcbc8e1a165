"""`comptoir replicas`: which there are, and which get nothing new because an operator drains them."""

import json
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from comptoir.router.v1 import admin_pb2
from rich.console import Console

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.adapters.admin import CALL_SECONDS, call_admin
from services.cli.adapters.live import described_list, described_replica
from services.cli.operator_tls import Admin, AdminCommands
from services.cli.status_view import held_back, own_quotas, replica_table
from services.kernel.errors import Reason

replicas = AdminCommands(no_args_is_help=True, help="List replicas, and drain one.")

DataDir = Annotated[Path, typer.Option(help="The data folder of a local stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Number = Annotated[int, typer.Argument(min=1, max=2**32 - 1, help="The replica's number.")]

_SENTENCES: Final = {
    Reason.NOT_FOUND: "No replica with that number is registered; `comptoir replicas list` lists them.",
}
_LOOK_SECONDS: Final = 0.25


@replicas.command("list")
def list_replicas(data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False) -> None:
    """List the registered replicas with their state and what they do, and where batch is held back."""
    listed = _asked(data_dir, admin)
    if as_json:
        Console().out(json.dumps(listed), highlight=False)
        return
    if listed["replicas"]:
        Console(markup=False, emoji=False).print(replica_table(listed["replicas"]))
    else:
        Console().out("No replica is registered.", highlight=False)
    for sentence in (*held_back(listed["batch"]), *own_quotas(listed)):
        Console().out(sentence, highlight=False)


@replicas.command("drain")
def drain(
    number: Number,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds to wait until nothing runs on it any more; exits with 4 if it does."
        ),
    ] = 0.0,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Send a replica nothing new; what it runs goes on. It ends with `undrain`, or with its process."""
    request = admin_pb2.DrainReplicaRequest(number=number)
    answer = call_admin(
        data_dir, admin, lambda stub: stub.DrainReplica(request, timeout=CALL_SECONDS), _SENTENCES
    )
    replica = described_replica(answer.replica)
    deadline = time.monotonic() + wait
    while _open(replica) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        # One whose process has ended has nothing open.
        replica = _one(_listed(data_dir, admin), number) or {**replica, "in_flight_requests": 0} | _IDLE
    _tell(replica, as_json=as_json)
    if wait and _open(replica):
        raise typer.Exit(4)


@replicas.command("undrain")
def undrain(
    number: Number, data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False
) -> None:
    """End a drain: the replica gets requests again, within a second."""
    request = admin_pb2.UndrainReplicaRequest(number=number)
    answer = call_admin(
        data_dir, admin, lambda stub: stub.UndrainReplica(request, timeout=CALL_SECONDS), _SENTENCES
    )
    _tell(described_replica(answer.replica), as_json=as_json)


_IDLE: Final = {"running_requests": 0, "waiting_requests": 0}


def _listed(data_dir: Path, admin: str) -> list[dict[str, Any]]:
    replicas: list[dict[str, Any]] = _asked(data_dir, admin)["replicas"]
    return replicas


def _asked(data_dir: Path, admin: str) -> dict[str, Any]:
    request = admin_pb2.ListReplicasRequest()
    return described_list(
        call_admin(data_dir, admin, lambda stub: stub.ListReplicas(request, timeout=CALL_SECONDS))
    )


def _one(found: list[dict[str, Any]], number: int) -> dict[str, Any] | None:
    return next((replica for replica in found if replica["number"] == number), None)


def _open(replica: dict[str, Any]) -> int:
    at_engine = (replica["running_requests"] or 0) + (replica["waiting_requests"] or 0)
    return int(max(replica["in_flight_requests"], at_engine))


def _tell(replica: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        Console().out(json.dumps(replica), highlight=False)
        return
    left = _open(replica)
    runs = f"{left} request{'s' if left != 1 else ''} open" if left else "nothing runs on it"
    Console().out(f"Replica {replica['number']} is {replica['state']}; {runs}.", highlight=False)
