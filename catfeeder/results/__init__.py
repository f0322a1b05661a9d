"""Shapes of results: one class for each answer, the same from actor to HTTP schema to client.

A `TypedDict` is JSON as it travels. Each field is annotated with its type and a description, so
`typing.get_type_hints(shape, include_extras=True)` yields all that a schema needs. A `Time` is text
of RFC 3339 in UTC. The two dataclasses are what the Python client makes of an answer over HTTP.
"""

from __future__ import annotations

from catfeeder.results.connections import (
    Connection,
    ConnectionPage,
    ConnectionStatus,
    Profile,
    ProfileSource,
    Revocation,
)
from catfeeder.results.formats import Format, Time
from catfeeder.results.operations import (
    CatalogueEntry,
    CataloguePage,
    Finding,
    ProviderCheck,
    Shutdown,
)
from catfeeder.results.passwords import PasswordCheck, PasswordHash, PolicyReason, PolicyVerdict
from catfeeder.results.sign_ins import (
    Authorization,
    ConnectLink,
    ConnectSession,
    DeviceAuthorization,
    StartedSignIn,
)
from catfeeder.results.tokens import AccessToken, StoredToken, TokenResponse

__all__ = [
    "AccessToken",
    "Authorization",
    "CatalogueEntry",
    "CataloguePage",
    "ConnectLink",
    "ConnectSession",
    "Connection",
    "ConnectionPage",
    "ConnectionStatus",
    "DeviceAuthorization",
    "Finding",
    "Format",
    "PasswordCheck",
    "PasswordHash",
    "PolicyReason",
    "PolicyVerdict",
    "Profile",
    "ProfileSource",
    "ProviderCheck",
    "Revocation",
    "Shutdown",
    "StartedSignIn",
    "StoredToken",
    "Time",
    "TokenResponse",
]
