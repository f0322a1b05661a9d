"""Why the service cannot start or run, each in one sentence that names the setting to look at."""

from __future__ import annotations

from catfeeder.errors import CatFeederError


class ServiceFailure(CatFeederError):
    """The service cannot start."""

    message = "The service cannot start."


class AddressTaken(ServiceFailure):
    """Another program listens where the service should: set HOST or PORT to a free address."""

    message = (
        "Another program listens where the service should: set HOST or PORT to a free address."
    )


class ProcfileInvalid(ServiceFailure):
    """The Procfile has a line that is not `name: command`."""

    message = "The Procfile has a line that is not `name: command`."


class QueueUnknown(ServiceFailure):
    """There is no such queue: `python -m worker queues` lists those that there are."""

    message = "There is no such queue: `python -m worker queues` lists those that there are."


class ServiceUnhealthy(ServiceFailure):
    """The service did not become healthy; what its processes said stands above."""

    message = "The service did not become healthy; what its processes said stands above."


class ValkeyFailed(ServiceFailure):
    """Our own Valkey does not start: see valkey/valkey.log in VAR_DIR, or set REDIS_URL."""

    message = "Our own Valkey does not start: see valkey/valkey.log in VAR_DIR, or set REDIS_URL."


class ValkeyMissing(ServiceFailure):
    """This machine has no Valkey: set REDIS_URL to a Redis or Valkey, or install valkey-server."""

    message = (
        "This machine has no Valkey: set REDIS_URL to a Redis or Valkey, or install valkey-server."
    )


class VarDirTaken(ServiceFailure):
    """Another Cat Feeder runs on this VAR_DIR: stop it, or set VAR_DIR to another directory."""

    message = (
        "Another Cat Feeder runs on this VAR_DIR: stop it, or set VAR_DIR to another directory."
    )


class VarDirUnusable(ServiceFailure):
    """VAR_DIR cannot be written to: set it to another directory."""

    message = "VAR_DIR cannot be written to: set it to another directory."
