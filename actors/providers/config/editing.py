"""Editing of a provider's settings as a whole: its secrets stay unless new ones are given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from actors.errors import AuthError
from actors.providers.catalogue.presets import preset_settings
from actors.providers.config.lookup import provider_row
from actors.providers.config.settings import own_or_shared_key, put_provider
from actors.providers.errors import ProviderInvalid
from catfeeder.clock import rfc3339
from models.db.database import hold_connection, transaction
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

#: The most secrets that a provider has at a time.
_MAX_SECRETS: Final = 5


class ProviderChangedMeanwhile(AuthError):
    """Raised on saving settings that were read before another change."""

    message = (
        "The provider's settings were changed since this form was opened. What you typed is still "
        "here: look at the settings in another window, and save again."
    )


class OwnSettings(TypedDict):
    """What a provider's row sets itself, and what fills in the rest."""

    own: dict[str, Any]
    inherited: dict[str, Any]
    updated_at: str


class SecretChanges(TypedDict, total=False):
    """What becomes of the secrets: those that are not named stay as they are.

    A new client secret is put before the one in use, which goes on serving with `keeps_earlier`.
    """

    client_secret: str | None
    private_key: str | None
    keeps_earlier: bool


def read_own_settings(name: str) -> OwnSettings:
    """Return the settings of a provider's row, without its secrets.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    with hold_connection():
        row = provider_row(own_or_shared_key(name))
    inherited = {**preset_settings(row.preset), **(row.discovered or {})}
    return {
        "own": _read_own(row),
        "inherited": inherited,
        "updated_at": rfc3339(row.updated_at),
    }


def create_provider(
    name: str, settings: Mapping[str, Any], secrets: SecretChanges, now: datetime
) -> None:
    """Create a provider, and replace none.

    Raises:
        ProviderInvalid: A field cannot be used, or the name is taken.
    """
    given = {it: secrets[it] for it in ("client_secret", "private_key") if secrets.get(it)}
    with transaction():
        if TAB_USER_OAUTH_CONNECTION.find(own_or_shared_key(name)) is not None:
            raise ProviderInvalid({"name": "is taken: open that provider to change it"})
        put_provider(name, {**settings, **given}, now)


def replace_settings(
    name: str, settings: Mapping[str, Any], secrets: SecretChanges, read_at: str, now: datetime
) -> None:
    """Replace all settings of a provider but its secrets, of which `secrets` says what changes.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderInvalid: A field cannot be used.
        ProviderChangedMeanwhile: The settings are not those of `read_at` any more.
    """
    with transaction():
        row = provider_row(own_or_shared_key(name), is_locked=True)
        if rfc3339(row.updated_at) != read_at:
            raise ProviderChangedMeanwhile
        before = _read_own(row)
        names = {*settings, *before}
        changed = [it for it in names if settings.get(it, ...) != before.get(it, ...)]
        changed += [it for it in ("client_secret", "private_key") if it in secrets]
        body = {**settings, **_merge_client_secrets(row, secrets), **_merge_key(row, secrets)}
        put_provider(name, body, now, changed)


def _read_own(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any]:
    columns = {"preset": row.preset, "client_id": row.client_id}
    return {**row.metadata, **{it: columns[it] for it in columns if columns[it] is not None}}


def _merge_client_secrets(
    row: TAB_USER_OAUTH_CONNECTION, changes: SecretChanges
) -> dict[str, list[str]]:
    """Return the secrets that hold; those stored are opened only where they are to stay."""
    newest = changes.get("client_secret")
    is_kept = "client_secret" not in changes or changes.get("keeps_earlier")
    earlier = [secret.reveal() for secret in row.client_secrets] if is_kept else []
    secrets = [*([newest] if newest else []), *earlier][:_MAX_SECRETS]
    return {"client_secrets": secrets} if secrets else {}


def _merge_key(row: TAB_USER_OAUTH_CONNECTION, changes: SecretChanges) -> dict[str, str]:
    if "private_key" in changes:
        key = changes["private_key"]
    else:
        stored = TAB_USER_OAUTH_CONNECTION.private_key.open(row)
        key = stored.reveal() if stored else None
    return {"private_key": key} if key else {}
