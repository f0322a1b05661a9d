"""Errors of starting and running the service; each sentence names the setting to change."""

from __future__ import annotations

from catfeeder.errors import CatFeederError


class ServiceFailure(CatFeederError):
    """Base of what ends `python -m worker` with one sentence on stderr."""

    message = "The service cannot start."


class AddressTaken(ServiceFailure):
    """Raised before the start, when HOST and PORT cannot be bound."""

    message = (
        "Another program listens where the service should: set HOST or PORT to a free address."
    )


class FileThere(ServiceFailure):
    """Raised by a command in place of overwriting a file; nothing is written."""

    message = "The file is there already: name another."

    @classmethod
    def at(cls, path: object) -> FileThere:
        """Return the error for a file that `--overwrite` would replace."""
        return cls(f"{path} is there already: name another file, or give --overwrite.")


class ProcfileInvalid(ServiceFailure):
    """Raised for a Procfile that cannot be parsed."""

    message = "The Procfile has a line that is not `name: command`."


class QueueUnknown(ServiceFailure):
    """Raised for a queue that an operator names and that does not exist."""

    message = "There is no such queue: `python -m worker queues list` lists those that there are."


class ServiceUnhealthy(ServiceFailure):
    """Raised when the service does not become healthy in time, or a process never runs."""

    message = "The service did not become healthy; what its processes said stands above."


class ShellMissing(ServiceFailure):
    """Raised where nothing can start the processes of the Procfile."""

    message = "/bin/sh cannot be run, which starts the processes of the Procfile: install a shell."


class ValkeyFailed(ServiceFailure):
    """Raised when the embedded Valkey ends or does not answer."""

    message = "Our own Valkey does not start: see valkey/valkey.log in VAR_DIR, or set REDIS_URL."


class ValkeyMissing(ServiceFailure):
    """Raised without REDIS_URL, wheel and server binary."""

    message = (
        "This machine has no Valkey: set REDIS_URL to a Redis or Valkey, or install valkey-server."
    )


class VarDirTaken(ServiceFailure):
    """Raised when another service holds the lock of VAR_DIR."""

    message = (
        "Another Cat Feeder runs on this VAR_DIR: stop it, or set VAR_DIR to another directory."
    )


class VarDirUnusable(ServiceFailure):
    """Raised when VAR_DIR cannot be made or written."""

    message = "VAR_DIR cannot be written to: set it to another directory."
