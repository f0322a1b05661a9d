"""User info (OpenID Connect Core section 5.3): fetched by a connection or by an access token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from actors.connections.errors import ConnectionUnknown
from actors.connections.profiles import change_profile
from actors.connections.reading import find_connection, read_profile
from actors.connections.token_reading import read_token
from actors.moving.identification import identify, is_identified
from actors.oauth.errors import TokenSourceInvalid
from actors.providers.config.discovery import resolve_provider
from actors.providers.errors import ProviderMisbehaved
from actors.providers.identity.user_info import fetch_profile
from actors.providers.protocol.filling import fill_connection, fill_request, list_members
from actors.providers.protocol.provider import Provider
from actors.renewal.renew import renew_connection
from catfeeder.clock import utc_now
from catfeeder.results import Profile
from catfeeder.sealing import Secret
from models.oauth.providers import public_name


def fetch_user_info(
    provider: str,
    connection_id: str | None = None,
    access_token: Secret | None = None,
    variables: Mapping[str, str] | None = None,
) -> Profile:
    """Perform `fetch_user_info`: return the normalised profile.

    Some providers, as Apple, have no user info, and keys of clients are no users. The profile of a
    connection is then the one that was stored. One that was moved in without its account's name
    gets it here. Beside an `access_token`, `variables` fill in the provider's URLs.

    Raises:
        TokenSourceInvalid: Not exactly one of `connection_id` and `access_token` is given, or
            `variables` beside the former; or the latter does not suffice.
        VariablesInvalid: As `fill_request`.
        ConnectionUnknown: This provider has no such connection.
        ReauthorizationRequired: The connection has no token any more.
        ConnectionBusy: The token has expired, and another process is renewing it.
        TokenInvalid: `access_token` cannot be a token.
        ProviderNotConfigured: The provider has no user info, and only a token is given.
        ProviderUnreachable, ProviderRefused, ProviderMisbehaved: The provider's part failed.
    """
    now = utc_now()
    match connection_id, access_token:
        case str(), None if not variables:
            return _fetch_profile_of(provider, connection_id, now)
        case None, Secret():
            found = fill_request(resolve_provider(provider, now), variables)
            _check_askable(found)
            return fetch_profile(found, access_token)
    raise TokenSourceInvalid


def _check_askable(provider: Provider) -> None:
    """Raise where the URL of user info comes from a token answer, which no bare token brings."""
    url = provider.userinfo_endpoint or ""
    if members := [it for it in list_members(provider) if f"{{token.{it}}}" in url]:
        raise TokenSourceInvalid(
            f"The URL of user info of {provider.public_name} needs {members[0]} of the token "
            "answer, which a connection has and an access token has not: give connection_id."
        )


def _fetch_profile_of(provider: str, connection_id: str, now: datetime) -> Profile:
    row = find_connection(connection_id)
    if public_name(row.provider) != public_name(provider):
        raise ConnectionUnknown
    found = fill_connection(resolve_provider(row.provider, now), row.variables, row.metadata)
    is_stored = row.credentials is not None or found.identity not in (None, "userinfo")
    if found.userinfo_endpoint is None or is_stored:
        return read_profile(row)
    profile = fetch_profile(found, _find_stored_token(connection_id, now))
    if not is_identified(row):
        identify(row, profile, now)
    elif profile["subject"] != row.profile["subject"]:
        raise ProviderMisbehaved("User info speaks of another account than the connection's.")
    elif _is_incomplete(read_profile(row), profile):
        profile = _complete(read_profile(row), profile)
        change_profile(row, profile, now)
    return profile


def _is_incomplete(known: Profile, fetched: Profile) -> bool:
    """Return whether user info, or the list of addresses, has failed at the sign-in."""
    has_address = fetched["email"] is not None and known["email_verified"] is None
    is_another = (known["email"], None) != (fetched["email"], fetched["email_verified"])
    return known["source"] == "id_token" or (has_address and is_another)


def _complete(known: Profile, fetched: Profile) -> Profile:
    """Return user info with what the id_token alone has said; an address has its own mark."""
    email = known if fetched["email"] is None else fetched
    return {
        **fetched,
        "name": fetched["name"] or known["name"],
        "picture": fetched["picture"] or known["picture"],
        "email": email["email"],
        "email_verified": email["email_verified"],
        "raw": {**known["raw"], **fetched["raw"]},
    }


def _find_stored_token(connection_id: str, now: datetime) -> Secret:
    view = read_token(connection_id, now)
    view.check_not_postponed(now)
    if not view.is_usable:
        renew_connection(connection_id, view.version)
        view = read_token(connection_id, now)
    return Secret(view.json["access_token"] or "")
