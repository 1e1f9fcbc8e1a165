"""Where Kafka is, and who this process is to it: by a certificate, or a user with a password in a file."""

import ssl
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.runtime.addresses import TlsFiles, is_local
from services.runtime.settings_error import SettingsError

_PASSWORD_MAX_BYTES: Final = 1024


class KafkaUser(BaseModel):
    """A user of Kafka: SCRAM, which sends no password, and never the mechanism PLAIN, which would."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = Field(
        default="SCRAM-SHA-512", description="how the password is proved; it is never sent"
    )
    user: str = Field(pattern=r"^[A-Za-z0-9._@-]{1,128}$", description="the user's name in Kafka")
    password_file: Path = Field(
        description="file with that user's password, read again for each connection once it has changed"
    )

    def password(self) -> str:
        """Returns the password, as the file holds it now; SettingsError where it holds none."""
        name = self.password_file.name
        try:
            with self.password_file.open("rb") as file:
                content = file.read(_PASSWORD_MAX_BYTES + 1)
            password = content.decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"the secret file {name} cannot be read.") from None
        if not password or len(content) > _PASSWORD_MAX_BYTES or not password.isprintable():
            raise SettingsError(
                f"the secret file {name} must hold one line, of 1 to {_PASSWORD_MAX_BYTES} bytes."
            )
        return password


class KafkaTarget(BaseModel):
    """Kafka's addresses, `host:port` with commas between; the settings of its clients begin with them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap: str = Field(description="addresses of Kafka, `host:port` with commas between")
    tls: TlsFiles | None = Field(
        default=None,
        description="TLS with a certificate of this process; unless all addresses are loopback, this or "
        "`ca_file` is required",
    )
    ca_file: Path | None = Field(
        default=None,
        description="TLS without a certificate of this process: the authority that signed the brokers'; "
        "needs `sasl`",
    )
    sasl: KafkaUser | None = Field(default=None, description="who this process is, where no certificate is")

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> Self:
        if self.tls is not None and self.ca_file is not None:
            raise ValueError("tls has a ca_file of its own, so ca_file must be left out")
        if self.ca_file is not None and self.sasl is None:
            raise ValueError("ca_file alone says nothing of who this is, so it needs sasl")
        is_encrypted = self.tls is not None or self.ca_file is not None
        if not is_encrypted and not all(is_local(address) for address in self.bootstrap.split(",")):
            raise ValueError("bootstrap is not loopback, so it needs tls, or ca_file with sasl")
        return self

    def ssl_context(self) -> ssl.SSLContext | None:
        """Returns TLS, with this process's certificate if it has one, or None for plaintext.

        Connections that begin after its files changed have what they hold then.
        """
        # Commands that only name a target start without the log's libraries, 60 ms of a processor.
        from services.runtime.reloaded_context import ReloadedContext  # noqa: PLC0415 - see above

        if self.tls is not None:
            files = (self.tls.certificate_file, self.tls.private_key_file, self.tls.ca_file)
            return ReloadedContext.of(self.bootstrap, files, self.tls.ssl_context)
        if self.ca_file is not None:
            return ReloadedContext.of(self.bootstrap, (self.ca_file,), self._anonymous_context)
        return None

    def connection(self) -> dict[str, Any]:
        """Returns what a client has to be told to connect, by aiokafka's names.

        Connections that begin after a file changed have what it holds then. SettingsError where one cannot
        be used.
        """
        context = self.ssl_context()
        encryption = "PLAINTEXT" if context is None else "SSL"
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": encryption if self.sasl is None else f"SASL_{encryption}",
            "ssl_context": context,
        }
        if self.sasl is not None:
            from services.runtime.reloaded_password import ReloadedPassword  # noqa: PLC0415 - as above

            options["sasl_mechanism"] = self.sasl.mechanism
            options["sasl_plain_username"] = self.sasl.user
            options["sasl_plain_password"] = ReloadedPassword.of(
                self.bootstrap, self.sasl.password_file, self.sasl.password
            )
        return options

    def _anonymous_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self.ca_file))
        except OSError:
            name = "" if self.ca_file is None else self.ca_file.name
            raise SettingsError(f"the TLS file {name} cannot be read as an authority.") from None
