"""Pre-flight check of an address: whether this service can listen there, asked before it starts."""

from __future__ import annotations

import errno
import socket

from config import ConfigurationError
from worker.errors import AddressTaken


def check_address(host: str, port: int) -> None:
    """Make sure that the service can listen at an address.

    Raises:
        AddressTaken: Another program listens there.
        ConfigurationError: The host is no address of this machine, or the port needs more rights.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            # As uvicorn does: connections that were closed a moment ago are no hindrance.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressTaken(
                f"Another program listens at {host}:{port}: set PORT to a free one, or end it."
            ) from None
        raise ConfigurationError(
            f"The service cannot listen at {host}:{port} ({error.strerror}): set HOST and PORT."
        ) from None
