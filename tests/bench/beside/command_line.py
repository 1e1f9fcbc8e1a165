"""What a person can choose for a run, and what each choice means."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from tests.bench.beside.environments import cache_folder

TINY, REAL, SHORT, IDLE, EVENTS, BODIES = "tiny", "real", "short", "idle", "events", "bodies"
ADMISSIONS, PLACEMENT, ENGINES = "admissions", "placement", "engines"
PARTS = (TINY, REAL, SHORT, IDLE, EVENTS, BODIES, ADMISSIONS, PLACEMENT, ENGINES)
TARGETS = ("comptoir", "bare", "floor", "litellm")
_QUICK_ROUNDS, _QUICK_SECONDS, _QUICK_IDLE_STREAMS = 1, 3.0, 200

DESCRIPTION = """\
Measures Comptoir beside vLLM's own HTTP server, the bare engine, and LiteLLM's proxy in front of vLLM.

Each target runs alone and in turn, with the same model, numbers (--dtype), engine settings and load: streams
that ask again as soon as their answer ended. First every target answers the same prompts greedily, and the
run ends if one answers otherwise by a byte. Then --rounds rounds; each starts every target anew, warms it up
and measures it at every number of streams. CPU is what the operating system counted for each process.

parts:
  tiny    tiny-eu, one million parameters: the hard case, where a token costs the engine least
  real    SmolLM2-135M-Instruct, from a package: what users see; fetched and converted once
  short   whole answers of 2 tokens from the simulated engine on 64 connections: requests/s, CPU per request;
          LiteLLM's proxy has an upstream that gives the same answer to all and costs next to nothing
  idle    memory that an idle stream, and a connection without a request, hold in each process, at
          --idle-streams of them
  events  TTFT with events on and off: what counting durably adds to a first token
  bodies  the longest step that bodies of worst-case cost take in the loops of edge, router, generator and
          emitter
  admissions  durable admissions of one router, without an answer: as fast as they go and at 1,000/s, on a
          joined stream beside unary calls; their tickets are left to expire
  placement  TTFT and goodput under each policy of the router and an oracle that knows every length, in
          simulated time: the same numbers on every machine, busy or not; and what two real replicas make of
          three of them
  engines  CPU of the generator per token with each engine at 1, 8, 32 and 64 streams of tiny-eu, beside
          AsyncLLM in process; and the tokens/s that the plan of a replica foretells, beside vLLM's

Run it on a machine that does nothing else: rows with a window in which other programs used more than 0.3
cores are marked. The tables are Markdown for docs/benchmarks.md; JSON with every window lies next to them.
"""
_EXAMPLES = """\
examples:
  make bench                                          everything, five rounds
  make bench ARGS=--quick                             one short round of everything, to try it
  make bench ARGS="--parts tiny --streams 64"         the hard case at 64 streams only
  make bench ARGS="--parts real --dtype bfloat16"     the real model in half the bytes
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The choices of one run; `seconds` is None where each model keeps its own."""

    parts: tuple[str, ...]
    targets: tuple[str, ...]
    rounds: int
    streams: tuple[int, ...]
    real_streams: tuple[int, ...]
    seconds: float | None
    dtype: str
    idle_streams: int
    output: Path


def parse(arguments: list[str] | None = None) -> Options:
    """Reads the command line; --quick changes what was not given."""
    given = _parser().parse_args(arguments)
    is_quick = given.quick
    parts = tuple(part for part in PARTS if part in given.parts)
    return Options(
        parts=parts,
        targets=tuple(target for target in TARGETS if target in given.targets),
        rounds=given.rounds or (_QUICK_ROUNDS if is_quick else 5),
        streams=tuple(given.streams),
        real_streams=tuple(given.real_streams),
        seconds=given.seconds or (_QUICK_SECONDS if is_quick else None),
        dtype=given.dtype,
        idle_streams=given.idle_streams or (_QUICK_IDLE_STREAMS if is_quick else 10_000),
        output=given.output or cache_folder() / "results",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        usage='make bench ARGS="…"',
        description=DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure; all if left out")
    add("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), help="whom; all if left out")
    add("--quick", action="store_true", help="one round of 3 s windows and 200 idle streams, to try it")
    add("--rounds", type=_count, help="rounds (5)")
    add("--streams", type=_count, nargs="+", default=[1, 8, 64], help="streams of the small model (1 8 64)")
    add("--real-streams", type=_count, nargs="+", default=[1, 8, 16], help="of the real one (1 8 16)")
    add("--seconds", type=float, help="length of a window (8)")
    add(
        "--dtype",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="what all engines compute in; auto, as in `comptoir up`, is float32 on a CPU (auto)",
    )
    add("--idle-streams", type=_count, help="streams of the part idle (10,000, or what open files allow)")
    add("--output", type=Path, metavar="FOLDER", help="where the results go (the cache folder)")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
