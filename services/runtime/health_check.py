"""Asks the process that was started from a settings file for its health: what a container's probes run.

The kubelet's own gRPC probe shows no certificate, and every listener beyond the machine demands one. This one
shows the process's own, and imports no more than the question needs. The edge and the console are asked over
HTTP; of a listener that answers certificates alone it is enough that it shows its own.
"""

import argparse
import http.client
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

UNHEALTHY: Final = 1
# Addresses that a listener may have and nobody can call.
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where a container listens


def main(arguments: Sequence[str] | None = None) -> None:
    """Ends with 0 where the process is healthy, else with 1 and a sentence."""
    options = _parser().parse_args(arguments)
    if options.http:
        _ask_over_http(options)
        return
    try:
        listen = _listen(options.config, options.section)
        with _channel(listen, options.name) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=options.service), timeout=options.seconds
            )
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        _leave(f"{options.config} does not say where {options.section} listens, or with which TLS files.")
    except grpc.RpcError as failure:
        _leave(f"{options.section} did not answer: {failure.code().name}.")
    if options.is_alive or answer.status == health_pb2.HealthCheckResponse.SERVING:
        return
    _leave(f"{options.section} is {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Says whether a process of Comptoir is healthy.")
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="its settings file")
    parser.add_argument("--section", required=True, help="its section there, such as router")
    parser.add_argument("--name", default="", help="the name in its certificate; by default its section's")
    parser.add_argument("--service", default="", help="ask about one service, by its full name")
    parser.add_argument("--http", action="store_true", help="its listener is the edge's, of HTTP")
    parser.add_argument("--is-alive", action="store_true", help="be content with an answer, ready or not")
    parser.add_argument("--seconds", type=float, default=5.0, help="the longest wait for it")
    return parser


def _ask_over_http(options: argparse.Namespace) -> None:
    path = "/healthz" if options.is_alive else "/readyz"
    try:
        listen = _listen(options.config, options.section)
        host, port = str(listen["host"]), int(listen["port"])
        host = _ANYWHERE.get(f"[{host}]" if ":" in host else host, host).strip("[]")
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
        _leave(f"{options.config} does not say where {options.section} listens.")
    if (listen.get("tls") or {}).get("client_ca_file"):
        _shake_hands(host, port, options)
        return
    connection = http.client.HTTPConnection(host, port, timeout=options.seconds)
    if listen.get("tls") is not None:
        connection = http.client.HTTPSConnection(host, port, timeout=options.seconds, context=_own_machine())
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as failure:
        _leave(f"{options.section} did not answer: {type(failure).__name__}.")
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        _leave(f"{options.section} answered {path} with {status}.")


def _shake_hands(host: str, port: int, options: argparse.Namespace) -> None:
    """Shows no certificate, and so gets no answer: that it is given one is what says who serves."""
    try:
        with (
            socket.create_connection((host, port), timeout=options.seconds) as plain,
            _own_machine().wrap_socket(plain),
        ):
            return
    except OSError as failure:
        _leave(f"{options.section} did not answer: {type(failure).__name__}.")


def _own_machine() -> ssl.SSLContext:
    """Nothing is told to whom it asks, which is on this machine: its certificate is for names of clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _listen(config: Path, section: str) -> dict[str, Any]:
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    listen: dict[str, Any] = document[section]["listen"]
    return {**listen, "name": section}


def _channel(listen: dict[str, Any], name: str) -> grpc.Channel:
    address, tls = str(listen["address"]), listen.get("tls")
    host, _, port = address.rpartition(":")
    if not address.startswith("unix:"):
        address = f"{_ANYWHERE.get(host, host)}:{port}"
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    keys = ("ca_file", "private_key_file", "certificate_file")
    credentials = grpc.ssl_channel_credentials(*(Path(tls[key]).read_bytes() for key in keys))
    options.append(("grpc.ssl_target_name_override", name or str(listen["name"])))
    return grpc.secure_channel(address, credentials, options=options)


def _leave(sentence: str) -> NoReturn:
    sys.stderr.write(f"comptoir health: {sentence}\n")
    sys.exit(UNHEALTHY)


if __name__ == "__main__":
    main()
