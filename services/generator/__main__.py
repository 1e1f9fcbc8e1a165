"""Wires one generator: settings, engine, adapters, server."""

import sys

import uvloop

from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.adapters.engines import engine_from
from services.generator.adapters.generation_meter import VLLM_NAMES, GenerationMeter
from services.generator.adapters.router_link import RouterLink
from services.generator.adapters.usage_emitter import UsageEmitter
from services.generator.domain.generation import Surroundings
from services.generator.domain.generations import Generations
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.ticket import TicketGate
from services.generator.domain.warm_up import warm_up
from services.generator.server.generation import GeneratorService, Parts, serve
from services.generator.settings import GeneratorSettings
from services.kernel.clock import SystemClock
from services.runtime import logs, telemetry
from services.runtime.grpc.server import build_server, stop_event
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line, read_secret


async def run(own: GeneratorSettings, exporters: telemetry.Telemetry) -> int:
    """Starts, serves and drains; returns the exit status."""
    clock, stop, me = SystemClock(), stop_event(), own.identity
    gate = TicketGate(me, started_at_microseconds=clock.wall_microseconds())
    signatures = Ed25519Signatures.from_files(own.ticket_public_keys)
    secret = read_secret(own.cache_salt_secret_file, length_bytes=32)
    engine = engine_from(own.engine_parameters, clock)
    # Before any connection: an engine on a CPU forks.
    await engine.start()
    await warm_up(engine)
    exporters.show()
    sink = UsageEmitter(own.emitter, me, clock, wait_seconds=own.usage_wait_seconds, config_digest=own.digest)
    meter = GenerationMeter(engine, own.model)
    recorder = UsageRecorder(sink, max_unrecorded=own.max_unrecorded_events, observe=meter.ended)
    interval, lifetime = own.report_interval_seconds, own.settlement_lifetime_seconds
    link = RouterLink(own.router, clock, interval_seconds=interval, lifetime_seconds=lifetime)
    link.register(me, own.address, engine.capabilities, own.max_requests)
    limits = own.max_request_seconds, own.catalog_model.max_bytes_per_token
    around = Surroundings(engine, recorder, link, clock, secret, *limits, own.queue_order)
    generations = Generations(around, gate, max_requests=own.max_requests, load_changed=link.load_changed)
    server = build_server(own.listen, clock=clock, max_receive_bytes=own.max_request_bytes)
    GeneratorService(generations, signatures, clock).add_to(server.server)
    return await serve(Parts(engine, generations, recorder, sink, link, server, clock, own.bounds), stop)


def main() -> int:
    """Runs a generator until it is told to stop."""
    own = from_command_line(GeneratorSettings, section="generator", description="Generates tokens.")
    keep_private()
    logs.configure("generator", own.log_level)
    exporters = telemetry.configure(own, "generator", aliases=VLLM_NAMES)
    try:
        status: int = uvloop.run(run(own, exporters))
    except SettingsError as error:
        sys.stderr.write(f"comptoir generator: {error}\n")
        return 2
    else:
        return status
    finally:
        exporters.shutdown()


if __name__ == "__main__":
    sys.exit(main())
