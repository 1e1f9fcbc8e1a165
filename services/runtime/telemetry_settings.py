"""Where a process sends its metrics and traces, and with which certificates."""

import ssl
from pathlib import Path
from typing import Self

import grpc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.runtime.settings_error import SettingsError


class CollectorTls(BaseModel):
    """TLS towards a collector; the files are read again when they change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca_file: Path = Field(description="the authority that signed the collector's certificate")
    certificate_file: Path | None = Field(
        default=None,
        description="this process's certificate, with its chain, where the collector asks for one",
    )
    private_key_file: Path | None = Field(default=None, description="the private key of the certificate")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("certificate_file and private_key_file go together")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """All that are named."""
        named = (self.ca_file, self.certificate_file, self.private_key_file)
        return tuple(file for file in named if file is not None)

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns what a call to the collector is made with now; SettingsError if the files are no use."""
        certificate, key = self.certificate_file, self.private_key_file
        try:
            # gRPC would say nothing of a file that holds something else, and fail at each handshake.
            context = ssl.create_default_context(cafile=str(self.ca_file))
            if certificate is None or key is None:
                return grpc.ssl_channel_credentials(self.ca_file.read_bytes())
            context.load_cert_chain(certificate, key, password="")
            return grpc.ssl_channel_credentials(*(it.read_bytes() for it in (self.ca_file, key, certificate)))
        except OSError:
            raise SettingsError(
                "the files of telemetry.otlp_tls are no authority, or no certificate with its key."
            ) from None


class TelemetrySettings(BaseModel):
    """Where traces and metrics go; nowhere unless an address is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    otlp_endpoint: str = Field(
        default="", description="where metrics and traces are sent over OTLP/gRPC; empty, nothing is sent"
    )
    is_otlp_insecure: bool = Field(default=False, description="whether they are sent without TLS")
    otlp_tls: CollectorTls | None = Field(
        default=None,
        description="whose certificate the collector may show, and which one is shown to it; without, one of "
        "this machine's authorities, and none",
    )
    metric_interval_seconds: float = Field(
        default=15.0, gt=0, description="time between two sendings of the metrics"
    )
    trace_ratio: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of requests whose spans are sent; the same for all processes, which choose the "
        "same requests by it; 0 sends none",
    )

    @model_validator(mode="after")
    def _files_are_for_tls(self) -> Self:
        if self.otlp_tls is not None and (self.is_otlp_insecure or self.otlp_endpoint.startswith("http://")):
            raise ValueError("otlp_tls is of no use where is_otlp_insecure, or http://, sends without TLS")
        return self
