"""Look-up of a provider by name: row, preset, issuer metadata and credentials, merged."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from actors.apps.settings import read_app_settings
from actors.providers.catalogue.presets import find_preset, preset_settings
from actors.providers.errors import (
    DiscoveryNeeded,
    ProviderNotConfigured,
    ProviderTampered,
    ProviderUnknown,
)
from actors.providers.protocol.provider import AUTHORIZATION_CODE, DEVICE_CODE, Provider
from actors.providers.protocol.provider_builder import (
    Credentials,
    build_provider,
    list_needed_endpoints,
    with_base_url,
)
from catfeeder.queue.requester import DEFAULT_APP, acting_app, is_visible, sees_all_apps
from catfeeder.sealing import Secret
from config import ConfigurationError, credential_variable, current_settings, provider_credential
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, own_key, public_name

_LOG = logging.getLogger(__name__)
#: A name is part of URLs, of the state and, in capitals, of environment variables.
_NAME: Final = re.compile("[a-z0-9][a-z0-9_-]{0,63}")
_USUAL_PARTS: Final = ("CLIENT_ID", "CLIENT_SECRET")

#: Settings whose members override those of the preset one by one.
_MERGED_MEMBERS: Final = (
    *("profile", "emails", "implied_scopes", "failure_kinds", "failure_remedies", "variables"),
)


def is_provider_name(name: str) -> bool:
    """Return whether a provider may have this name."""
    return _NAME.fullmatch(name) is not None


def provider_row(name: str, *, is_locked: bool = False) -> TAB_USER_OAUTH_CONNECTION:
    """Return the row of the provider of that name, with `is_locked` locked until the commit.

    An app's own provider is found before a shared one. `name` may also be the key of a row, as
    connections and sign-ins hold it.

    Raises:
        ProviderUnknown: There is none that the acting app may use.
        ProviderTampered: Something else has written its row.
    """
    with hold_connection():
        for key in _candidate_keys(name):
            if is_locked:
                TAB_USER_OAUTH_CONNECTION.lock(key)
            if row := TAB_USER_OAUTH_CONNECTION.find(key):
                return _check_authentic(row)
    shown = public_name(name)
    raise ProviderUnknown(f"No provider named {shown} is configured: {_describe_remedy(shown)}.")


def _check_authentic(row: TAB_USER_OAUTH_CONNECTION) -> TAB_USER_OAUTH_CONNECTION:
    """Return a row that is as this service wrote it: tokens and secrets go where it says."""
    if not row.is_authentic:
        shown = public_name(row.name)
        raise ProviderTampered(
            f"The settings of the provider {shown} were changed in the database by something else "
            f"than this service: PUT /v1/providers/{shown} sets them anew."
        )
    return row


def _candidate_keys(name: str) -> list[str]:
    """Return the keys that a name may stand for, the acting app's own first.

    Raises:
        ProviderUnknown: It is no name, or that of another app's own provider.
    """
    app, _, own = name.rpartition("/")
    if not is_provider_name(own):
        raise ProviderUnknown(
            "No provider can have this name: lower case letters, digits, - and _, 64 at most."
        )
    if app:
        if not is_visible(app):
            raise ProviderUnknown
        return [name]
    acting = acting_app.get()
    usable = read_app_settings(acting).get("providers")
    is_shared = sees_all_apps.get() or usable is None or name in usable
    # What the default app sets is shared, so it has none of its own to look for.
    own_keys = [] if acting == DEFAULT_APP else [own_key(acting, name)]
    return [*own_keys, *([name] if is_shared else [])]


def _describe_remedy(name: str) -> str:
    put = f"PUT /v1/providers/{name}"
    if find_preset(name) is None:
        return f"{put} with its issuer or a preset, its client_id and its client_secret"
    credentials = " and ".join(credential_variables(name))
    return f"set {credentials} and restart, or {put}"


def credential_variables(name: str) -> list[str]:
    """Return the variables that configure a preset, or stand in for a provider's credentials."""
    is_signing = preset_settings(name).get("token_endpoint_auth_method") == "apple_client_secret"
    parts = ("CLIENT_ID", "TEAM_ID", "KEY_ID", "PRIVATE_KEY") if is_signing else _USUAL_PARTS
    return [credential_variable(name, part) for part in parts]


def find_provider(name: str) -> Provider:
    """Return the provider of that name.

    Raises:
        ProviderUnknown: There is none.
        ProviderNotConfigured: It lacks its credentials or an endpoint.
        DiscoveryNeeded: What its issuer publishes is not known yet.
    """
    row = provider_row(name)
    if needs_discovery(row):
        raise DiscoveryNeeded
    name = row.name
    client_id = row.client_id or find_credential(name, "CLIENT_ID")
    metadata = merge_metadata(row)
    if client_id is None and not _needs_client(metadata):
        client_id = ""
    if client_id is None:
        variables = " and ".join(credential_variables(name))
        raise ProviderNotConfigured(
            f"The provider {name} has no client_id: set {variables} and restart, or "
            f"PUT /v1/providers/{name}."
        )
    for part in ("key_id", "team_id", "certificate"):
        metadata.setdefault(part, find_credential(name, part.upper()))
    secrets = row.client_secrets or _secrets(row, "CLIENT_SECRET", "CLIENT_SECRET_PREVIOUS")
    private_key = TAB_USER_OAUTH_CONNECTION.private_key.open(row)
    if private_key is None:
        private_key = next(iter(_secrets(row, "PRIVATE_KEY")), None)
    credentials = Credentials(client_id, tuple(secrets), private_key)
    return replace(build_provider(name, metadata, credentials), learn=partial(_learn, row))


def _needs_client(metadata: Mapping[str, Any]) -> bool:
    """Return whether nothing can be done without a client; keys and apps' own clients need none."""
    is_oauth = metadata.get("credential_type", "oauth2") == "oauth2"
    grants = metadata.get("grant_types") or (AUTHORIZATION_CODE,)
    return is_oauth and not {AUTHORIZATION_CODE, DEVICE_CODE}.isdisjoint(grants)


def _learn(row: TAB_USER_OAUTH_CONNECTION, settings: Mapping[str, str]) -> None:
    """Store settings that have helped; without a database the next request learns them anew."""
    learned = {**(row.learned or {}), **settings}
    try:
        with hold_connection():
            row.store_learned(learned)
    except DatabaseUnreachable as error:
        extra = {"provider": row.name}
        _LOG.warning("What was learned of %s is not stored: %s", row.name, error, extra=extra)


def _secrets(row: TAB_USER_OAUTH_CONNECTION, *parts: str) -> list[Secret]:
    texts = [find_credential(row.name, part) for part in parts]
    return [Secret(text) for text in texts if text]


def find_credential(name: str, part: str) -> str | None:
    """Return a part of a shared provider's credentials that the environment holds.

    Raises:
        ProviderNotConfigured: The file that holds it cannot be read.
    """
    if not is_provider_name(name):
        return None  # An app's own provider has its credentials in its row alone.
    try:
        return provider_credential(name, part)
    except ConfigurationError as error:
        # An unreadable file of one provider must not stop the others.
        raise ProviderNotConfigured(str(error)) from None


def merge_metadata(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any]:
    """Return the metadata: the operator's settings override the issuer's, those the preset's.

    Those of `_MERGED_MEMBERS` are merged member by member.
    """
    preset = preset_settings(row.preset)
    merged = {**preset, **(row.discovered or {}), **row.metadata}
    for name in _MERGED_MEMBERS:
        if parts := {**preset.get(name, {}), **row.metadata.get(name, {})}:
            merged[name] = parts
    return with_base_url({**merged, "learned": row.learned})


def is_issuer_of_another(name: str, iss: str) -> bool:
    """Return whether a configured provider other than `name` has the issuer `iss`."""
    with hold_connection():
        others = [row for row in TAB_USER_OAUTH_CONNECTION.list_all() if row.name != name]
    return any(merge_metadata(row).get("issuer") == iss for row in others)


def issuer_to_discover(row: TAB_USER_OAUTH_CONNECTION) -> str | None:
    """Return the issuer whose metadata completes this provider; None for a complete one."""
    given = with_base_url({**preset_settings(row.preset), **row.metadata})
    needed = [*list_needed_endpoints(given)]
    if DEVICE_CODE in (given.get("grant_types") or ()):
        needed.append("device_authorization_endpoint")
    if "openid" in given.get("scopes", ["openid"]):
        needed.append("jwks_uri")
    issuer = given.get("issuer")
    is_complete = all(name in given for name in needed)
    return None if is_complete or not issuer else str(issuer)


def needs_discovery(row: TAB_USER_OAUTH_CONNECTION) -> bool:
    """Return whether the issuer's metadata is missing; stale metadata is in use until renewed."""
    return issuer_to_discover(row) is not None and row.discovered is None


def is_discovery_stale(row: TAB_USER_OAUTH_CONNECTION, now: datetime) -> bool:
    """Return whether the issuer's metadata is older than `discovery_cache_seconds`."""
    if issuer_to_discover(row) is None:
        return False
    age = timedelta(seconds=current_settings().oauth.discovery_cache_seconds)
    return row.discovered_at is None or row.discovered_at + age <= now
