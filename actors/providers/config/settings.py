"""Provider settings of the operator: validated, stored with secrets sealed, shown without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from pydantic import SecretStr

from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.catalogue.presets import preset_settings
from actors.providers.config.breaker_outcomes import close_breaker
from actors.providers.config.lookup import find_credential, merge_metadata, provider_row
from actors.providers.config.placements import forget_placement
from actors.providers.config.schema.body import (
    ProviderSettings,
    check_names,
    validate_name,
    validate_settings,
)
from actors.providers.config.schema.contradictions import find_denied
from actors.providers.errors import ProviderInUse, ProviderInvalid, ProviderNotConfigured
from catfeeder.clock import rfc3339, utc_now
from catfeeder.queue.requester import DEFAULT_APP, acting_app, is_visible, sees_all_apps
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, own_key, public_name

#: Fields with a column of their own.
_NOT_METADATA: Final = {"preset", "client_id", "client_secret", "client_secrets", "private_key"}


#: Null is a value of these: there is none, whatever the preset or the issuer says.
NULLABLE: Final = ("userinfo_endpoint", "emails_endpoint")


class RenewalState(TypedDict):
    """The circuit breaker of a provider's renewals; times are RFC 3339."""

    state: str
    failures: int
    paused_until: str | None
    since: str | None
    kind: str | None
    reason: str | None


def put_provider(
    name: str, body: Mapping[str, Any], now: datetime, changed: Iterable[str] | None = None
) -> None:
    """Create or replace a provider; the event names the fields of `changed`, or those of the body.

    Null leaves a field to the preset or the issuer, but as userinfo_endpoint or emails_endpoint it
    says that there is none.

    Raises:
        ProviderInvalid: A field cannot be used; `fields` says which and why.
    """
    _store(name, body, body if changed is None else changed, now)


def _store(name: str, body: Mapping[str, Any], changed: Iterable[str], now: datetime) -> None:
    validate_name(name)
    key = own_or_shared_key(name)
    settings = validate_settings(body)
    _check_published(key, settings)
    metadata = settings.model_dump(exclude_none=True, exclude=_NOT_METADATA)
    metadata |= {name: None for name in NULLABLE if body.get(name, ...) is None}
    secrets = [_to_secret(one) for one in settings.client_secrets or ()]
    newest = _to_secret(settings.client_secret) if settings.client_secret else None
    with transaction():
        record(EventKind.PROVIDER_CHANGED, now=now, provider=name, fields=sorted(changed))
        TAB_USER_OAUTH_CONNECTION.put(
            key,
            preset=settings.preset,
            client_id=settings.client_id,
            client_secret=secrets[0] if secrets else newest,
            earlier_client_secrets=secrets[1:],
            private_key=_to_secret(settings.private_key) if settings.private_key else None,
            metadata=metadata,
            now=now,
        )
        close_breaker(key, now)
    forget_placement(key)


def _check_published(key: str, settings: ProviderSettings) -> None:
    """Make sure that the issuer's metadata does not deny a setting, as far as it is known."""
    with hold_connection():
        row = TAB_USER_OAUTH_CONNECTION.find(key)
    if row is None or not row.is_authentic or not row.discovered:
        return
    given, preset = settings.model_dump(exclude_none=True), preset_settings(settings.preset)
    if denied := find_denied(given, preset, row.discovered):
        raise ProviderInvalid(denied)


def own_or_shared_key(name: str) -> str:
    """Return the key of the provider that a change is about: the acting app's own, or a shared one.

    The operator who acts for no app in particular changes what is shared.
    """
    if sees_all_apps.get() or acting_app.get() == DEFAULT_APP:
        return name
    return own_key(acting_app.get(), name)


def _to_secret(secret: SecretStr) -> Secret:
    return Secret(secret.get_secret_value())


def patch_provider(name: str, body: Mapping[str, Any], now: datetime) -> None:
    """Change the given fields by a JSON merge patch (RFC 7396): null removes a field.

    As userinfo_endpoint or emails_endpoint it says that there is none, as in `put_provider`.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderInvalid: A field cannot be used.
    """
    check_names(body)
    with transaction():
        # Locked, as the whole row is written back: a patch at the same time would be lost.
        row = provider_row(own_or_shared_key(name), is_locked=True)
        private_key = TAB_USER_OAUTH_CONNECTION.private_key.open(row)
        current = {
            **row.metadata,
            "preset": row.preset,
            "client_id": row.client_id,
            "private_key": private_key.reveal() if private_key else None,
        }
        if not {"client_secret", "client_secrets"} & body.keys():
            current["client_secrets"] = [one.reveal() for one in row.client_secrets] or None
        nulls = {one: None for one in NULLABLE if {**current, **body}.get(one, ...) is None}
        _store(name, {**_merge_patch(current, body), **nulls}, body, now)


def _merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a patch to a target, nested objects included (RFC 7396 section 2)."""
    merged = {**target}
    for name, value in patch.items():
        if isinstance(value, Mapping):
            inner = merged.get(name)
            merged[name] = _merge_patch(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}


def erase_provider(name: str) -> None:
    """Delete a provider without connections.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderInUse: Users are connected to it.
    """
    with transaction():
        key = provider_row(own_or_shared_key(name)).name
        if TAB_CONNECTIONS.exists_for(key):
            raise ProviderInUse
        TAB_USER_OAUTH_CONNECTION.erase(key)
        TAB_PROVIDER_HEALTH.erase(key)
        record(EventKind.PROVIDER_CHANGED, now=utc_now(), provider=name, erased=True)


def list_providers() -> list[dict[str, Any]]:
    """Return the providers that are visible, by name, without their secrets."""
    with hold_connection():
        rows = TAB_USER_OAUTH_CONNECTION.list_all()
        return [_describe(row) for row in rows if row.app is None or is_visible(row.app)]


def describe_provider(name: str) -> dict[str, Any]:
    """Return a provider's merged metadata and state, without its secrets.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    with hold_connection():
        return _describe(provider_row(name))


def _describe(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any]:
    environment_id = _credential(row.name, "CLIENT_ID")
    has_secret = row.client_secret is not None or _credential(row.name, "CLIENT_SECRET")
    has_earlier = (
        row.earlier_client_secrets is not None
        if row.client_secret is not None
        else _credential(row.name, "CLIENT_SECRET_PREVIOUS")
    )
    has_key = row.private_key is not None or _credential(row.name, "PRIVATE_KEY")
    metadata = merge_metadata(row)
    learned = metadata.pop("learned") or {}
    return {
        **learned,
        **metadata,
        "name": public_name(row.name),
        "app": row.app,
        "preset": row.preset,
        "client_id": row.client_id or environment_id,
        "has_client_secret": bool(has_secret),
        "has_earlier_client_secrets": bool(has_earlier),
        "has_private_key": bool(has_key),
        "renewals": _describe_health(TAB_PROVIDER_HEALTH.find(row.name)),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _describe_health(health: TAB_PROVIDER_HEALTH) -> RenewalState:
    """Return the circuit breaker's state (closed, open, half_open) and its reason."""
    return {
        "state": str(health.state),
        "failures": health.failures,
        "paused_until": None if health.is_held else rfc3339(health.paused_until),
        "since": rfc3339(health.since),
        "kind": health.kind,
        "reason": health.reason,
    }


def _credential(name: str, part: str) -> str | None:
    try:
        return find_credential(name, part)
    except ProviderNotConfigured:
        return None  # An unreadable file must not hide the provider.
