"""Where a process shows its metrics to Prometheus, and says to probes how it is."""

import ssl

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.runtime.addresses import TlsFiles, is_local
from services.runtime.settings_error import SettingsError


class MetricsListen(BaseModel):
    """The operations port; beyond loopback, metrics are for callers that show a certificate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(ge=0, le=65535, description="the port; 0 takes any that is free")
    tls: TlsFiles | None = Field(
        default=None,
        description="required unless the address is loopback; `/metrics` is then for callers that show a "
        "certificate, `/healthz` and `/readyz` for probes too, which show none",
    )

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> "MetricsListen":
        if self.tls is None and not is_local(f"{self.host}:{self.port}"):
            raise ValueError("host is not loopback, so it needs tls")
        return self

    @staticmethod
    def ssl_context(tls: TlsFiles) -> ssl.SSLContext:
        """Returns TLS of the endpoint with what the files hold now; SettingsError if unusable.

        A certificate that is shown has to be good, and a kubelet shows none.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(tls.ca_file)
            # Without a password, OpenSSL would ask for an encrypted key's on the terminal, and wait.
            context.load_cert_chain(tls.certificate_file, tls.private_key_file, password="")
        except OSError:
            raise SettingsError("the TLS files of metrics_listen cannot be read.") from None
        return context
