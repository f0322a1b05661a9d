"""Beginning of a device authorization (RFC 8628 section 3.2): the code that a user has to enter."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from actors.devices.request import DeviceRequest, build_device_request
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.discovery import resolve_provider
from actors.providers.identity.profiles import describe_no_one
from actors.providers.protocol.tokens.devices import DeviceCode, request_device_code
from catfeeder.clock import rfc3339, utc_now
from catfeeder.queue.requester import acting_app
from catfeeder.results import DeviceAuthorization
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, NewDevice
from models.oauth.upserts import Owner


def authorize_device(
    provider: str,
    subject: str | None = None,
    scope: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> DeviceAuthorization:
    """Perform the message of the same name: return the code that the device shows its user.

    The connection is pending until the user has agreed; a sweep polls for its tokens.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `resolve_provider`.
        DeviceNotOffered, SubjectInvalid, ScopeInvalid, VariablesInvalid: As `build_device_request`.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """
    asked_at = utc_now()
    found = resolve_provider(provider, asked_at)
    request = build_device_request(found, subject, scope, variables)
    issued = request_device_code(request.provider, request.scopes)
    device = _store(request, subject, issued, asked_at)
    return {
        "connection_id": device.id,
        "user_code": issued.user_code,
        "verification_uri": issued.verification_uri,
        "verification_uri_complete": issued.verification_uri_complete,
        "expires_at": rfc3339(device.expires_at),
        "interval_seconds": issued.interval_seconds,
    }


def _store(
    request: DeviceRequest, subject: str | None, issued: DeviceCode, asked_at: datetime
) -> NewDevice:
    """Store a code whose lifetime counts from before the request, and its interval from now."""
    now = utc_now()
    device = NewDevice(
        id=str(uuid.uuid4()),
        owner=Owner(acting_app.get(), request.provider.name, subject or ""),
        scope=" ".join(request.scopes),
        variables=request.variables,
        device_code=issued.device_code,
        interval_seconds=issued.interval_seconds,
        expires_at=asked_at + timedelta(seconds=issued.expires_in),
    )
    with transaction():
        TAB_DEVICE_AUTHORIZATIONS.begin(device, describe_no_one(request.provider, None), now)
        connection = TAB_CONNECTIONS.get_by_id(device.id)
        binding = {"unbound": True} if subject else {}
        record(EventKind.AUTHORIZED, now=now, connection=connection, by="device_code", **binding)
    return device
