"""TLS of a gRPC listener whose files are read again when they change."""

import threading

import grpc

from services.runtime.addresses import TlsFiles
from services.runtime.reloaded_tls import ReloadedTls


class ServerTls:
    """What a listener shows its callers, and whom it believes: the files as they are at each handshake.

    `listener` names it in the log. A connection keeps what its handshake used. SettingsError where the files
    cannot be used at first.
    """

    def __init__(self, listener: str, files: TlsFiles) -> None:
        paths = (files.certificate_file, files.private_key_file, files.ca_file)
        self._reloaded = ReloadedTls(listener, paths, files.server_configuration)
        self._served = self._reloaded.context
        self._lock = threading.Lock()

    def credentials(self) -> grpc.ServerCredentials:
        """Returns credentials that demand a certificate of every caller."""
        return grpc.dynamic_ssl_server_credentials(
            self._served,
            self._changed,  # type: ignore[arg-type] # None: as before
            require_client_authentication=True,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns what the files hold if that is new; gRPC's threads ask before each handshake."""
        with self._lock:
            self._reloaded.check()
            if self._reloaded.context is self._served:
                return None
            self._served = self._reloaded.context
            return self._served
