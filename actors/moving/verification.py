"""Verification: one renewal and the provider's user info prove a grant that was moved in."""

from __future__ import annotations

from datetime import datetime

from actors.connections.credentials.checking import check_credentials
from actors.connections.credentials.errors import CredentialsRefused
from actors.connections.credentials.members import Credentials, open_credentials
from actors.connections.profiles import change_profile
from actors.connections.reading import describe_connection, find_connection
from actors.connections.token_reading import check_device, read_token
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.moving.errors import AccountDiffers
from actors.moving.identification import identify, is_identified
from actors.providers.config.discovery import resolve_provider
from actors.providers.errors import ProviderNotConfigured
from actors.providers.identity.user_info import fetch_profile
from actors.providers.protocol.filling import fill_connection
from actors.providers.protocol.provider import Provider
from actors.renewal.renew import RenewalTooSoon, renew_connection
from catfeeder.clock import utc_now
from catfeeder.results import Connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS


def verify_connection(connection_id: str, version: int | None = None) -> Connection:
    """Perform the message of the same name: prove a connection's grant, and return the connection.

    The grant is renewed once, by the same lease and journal as ever; one that nothing renews is
    proven by user info alone. User info says whose account it is, and completes the profile. One of
    credentials has no account: it is renewed, or its key is shown to the provider's check.

    Raises:
        ConnectionUnknown: There is no such connection.
        AccountDiffers: The provider's word on the account is another than that of the import.
        CredentialsRefused: The provider's check refuses them; the connection stays as it is.
        ProviderNotConfigured: The provider offers neither a renewal nor user info, nor a check.
        CatFeederError: As `renew_connection` and `fetch_profile`.
    """
    now = utc_now()
    row = find_connection(connection_id)
    credentials = open_credentials(row)
    if credentials is not None and credentials.is_static:
        return _check_static(row, credentials, now)
    if credentials is not None:
        return renew_connection(connection_id, version)
    check_device(row, now)
    found = resolve_provider(row.provider, now)
    provider = fill_connection(found, row.variables, row.metadata)
    is_renewed = _renew(provider, row, version)
    if provider.userinfo_endpoint is not None and provider.identity in (None, "userinfo"):
        row = _check_account(provider, connection_id, now)
    elif is_renewed:
        row = find_connection(connection_id)
    else:
        raise ProviderNotConfigured.lacks(provider.name, "userinfo_endpoint")
    return describe_connection(row)


def _check_static(row: TAB_CONNECTIONS, credentials: Credentials, now: datetime) -> Connection:
    """Show an API key or a password to the provider's check; nothing renews it."""
    provider = fill_connection(resolve_provider(row.provider, now), row.variables, row.metadata)
    if provider.check_endpoint is None:
        raise ProviderNotConfigured.lacks(provider.name, "check_endpoint")
    try:
        check_credentials(provider, credentials, row.variables)
    except CredentialsRefused:
        raise CredentialsRefused("The provider's check refuses these credentials.") from None
    return describe_connection(row)


def _renew(provider: Provider, row: TAB_CONNECTIONS, version: int | None) -> bool:
    """Renew a connection; return False where that cannot be done, or was done a moment ago."""
    held = {"refresh_token": row.refresh_token, "access_token": row.access_token}
    if held.get(provider.renewal) is None:
        return False
    try:
        renew_connection(row.id, row.version if version is None else version)
    except RenewalTooSoon:
        return False
    return True


def _check_account(provider: Provider, connection_id: str, now: datetime) -> TAB_CONNECTIONS:
    token = Secret(read_token(connection_id, now).json["access_token"] or "")
    profile = fetch_profile(provider, token)
    row = find_connection(connection_id)
    if not is_identified(row):
        return identify(row, profile, now)
    if profile["subject"] != row.profile.get("subject"):
        _refuse(row, now)
    change_profile(row, profile, now)
    return find_connection(row.id)


def _refuse(row: TAB_CONNECTIONS, now: datetime) -> None:
    with hold_connection():
        kind, code = EventKind.IDENTITY_REFUSED, AccountDiffers().code
        record(kind, now=now, connection=row, reason=code, detail=AccountDiffers.message)
    raise AccountDiffers
