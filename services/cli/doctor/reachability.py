"""Whether every address that the settings name is reached, and whether what is there is ready; pure."""

from typing import Final

from services.cli.doctor.facts import Reach, Said, Trouble
from services.cli.doctor.finding import Finding, fail, ok, warn

REACH: Final = "reachability"
READY: Final = "readiness"
_NEXT_STEPS: Final = {
    Trouble.NO_HOST: "correct the name in {key}, or the name service of this machine",
    Trouble.NOTHING_LISTENS: "start what listens there, or correct {key}",
    Trouble.NO_ANSWER: "look for a firewall or a network policy between here and there",
    Trouble.NOT_ALLOWED: "run this as the user of the processes",
    Trouble.NO_TLS: "correct the port in {key}, or give the other side its certificate",
    Trouble.NOT_BELIEVED: "let the ca_file of {key} be the authority that signed it; is one of both old?",
    Trouble.OTHER_NAME: "write the name of the certificate into {key}, or have one made for this name",
    Trouble.CERTIFICATE_REFUSED: "show one that the other side's ca_file signed and that has not expired",
    Trouble.FILES_UNUSABLE: "look at the files below {key}.tls: the key must be that of the certificate",
    Trouble.NO_ADDRESS: "write host:port or unix:/path into {key}",
}
_READY_STEPS: Final = {
    "no_replica": "start a generator, or look why it does not register: `comptoir replicas list`",
    "router_unreachable": "look at the router: the edge reaches none",
    "store_away": "start ClickHouse, or look at usage.clickhouse",
    "log_away": "start Kafka, or look at kafka.bootstrap",
    "behind": "give the pipeline time, or more consumers: docs/operations.md",
    "clock_behind": "set this machine's clock by NTP",
    "clock_ahead": "set this machine's clock by NTP",
    "store_clock_wrong": "set the clock of ClickHouse's machine by NTP",
    "not_registered": "look at generator.router and the router's replica_listen.callers",
    "name_taken": "give each generator another number in generator.replica",
    "draining": "wait until it has ended, and start it again",
    "starting": "wait: it has just started, and a model takes minutes to load",
}
_SLOW_SECONDS: Final = 0.5


def of_reach(reach: Reach) -> Finding:
    """Returns the finding about one address."""
    place, trouble = reach.place, reach.trouble
    where = f"{place.speaks.value} at {place.address}"
    if trouble is not None:
        return fail(
            REACH, place.key, f"{where}: {trouble.value}.", _NEXT_STEPS[trouble].format(key=place.key)
        )
    secured = "" if place.tls is None else " over TLS"
    took = f"{1000 * reach.seconds:.0f} ms"
    if reach.seconds > _SLOW_SECONDS:
        step = "look at the network, or at how busy that machine is: each new connection waits so long"
        return warn(REACH, place.key, f"{where} was reached{secured} only after {took}.", step)
    return ok(REACH, place.key, f"{where} is reached{secured} in {took}.")


def of_readiness(said: Said) -> Finding:
    """Returns the finding about what one process says of itself."""
    key = said.place.key
    if said.is_silent:
        step = "look at its log; it listens and does not answer: `comptoir logs`"
        return fail(READY, key, f"It did not say at {said.place.address} whether it is ready.", step)
    if not said.reason:
        return ok(READY, key, "It is ready.")
    numbers = f" ({said.numbers})" if said.numbers else ""
    step = _READY_STEPS.get(said.reason, "look the reason up in docs/operations.md, and at the log")
    return fail(READY, key, f"It is not ready: {said.reason}{numbers}.", step)
