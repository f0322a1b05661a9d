"""The forms of the names that stand in paths: what has another form cannot be there."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Depends, Path

from actors.errors import ConnectionUnknown, ProviderUnknown
from catfeeder.errors import JobExpired

_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXAMPLE_ID: Final = "0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"


def is_provider_name(text: str) -> bool:
    """Tell whether a provider can have this name."""
    return _PROVIDER.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Tell whether a job or a connection can have this id."""
    return _UUID.fullmatch(text) is not None


def _provider(provider: Annotated[str, Path(examples=["google"])]) -> str:
    if not is_provider_name(provider):
        raise ProviderUnknown
    return provider


def _connection_id(connection_id: Annotated[str, Path(examples=[_EXAMPLE_ID])]) -> str:
    if not is_id(connection_id):
        raise ConnectionUnknown
    return connection_id


def _job_id(job_id: Annotated[str, Path(examples=[_EXAMPLE_ID])]) -> str:
    if not is_id(job_id):
        raise JobExpired
    return job_id


ProviderName = Annotated[str, Depends(_provider)]
ConnectionId = Annotated[str, Depends(_connection_id)]
JobId = Annotated[str, Depends(_job_id)]
