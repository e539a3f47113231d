"""TLS for servers, from files that may be renewed."""

import logging
from typing import Any

import grpc

from modelyard.foundation.config import ListenSettings
from modelyard.foundation.errors import FailedPrecondition

log = logging.getLogger(__name__)


class BadTlsFile(FailedPrecondition):
    reason = "BAD_TLS_FILE"


def server_credentials(settings: ListenSettings) -> grpc.ServerCredentials | None:
    """None without TLS. The files are read again for each handshake: a renewed certificate needs no restart."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    cert, key, client_ca = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file

    def read() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(key.read_bytes(), cert.read_bytes())], client_ca.read_bytes() if client_ca else None
        )

    def read_again() -> Any:
        """None, "keep what you have", while the files cannot be read: a renewal may be half done."""
        try:
            return read()
        except OSError as error:
            log.warning("TLS files not reloaded", extra={"error": str(error)})
            return None

    try:
        first = read()
    except OSError as error:
        raise BadTlsFile(f"a TLS file cannot be read: {error}") from None
    return grpc.dynamic_ssl_server_credentials(first, read_again, require_client_authentication=client_ca is not None)
