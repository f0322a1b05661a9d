"""Import: grants of another system become connections of the acting app."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from actors.connections.reading import find_connection
from actors.events.audit import record_all
from actors.events.kinds import EventKind
from actors.moving.errors import ConnectionExists, ImportInvalid
from actors.moving.first_renewals import RenewalRules, forecast_end, plan_first_renewal, read_rules
from actors.moving.records import ImportRecord
from actors.providers.protocol.filling import read_variables_by_settings
from actors.providers.protocol.tokens.types import read_token_type
from catfeeder.queue.requester import acting_app
from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import MAX_METADATA_BYTES, Grant
from models.oauth.imports.bulk import (
    Imported,
    ImportedConnection,
    ImportOutcome,
    make_id,
    store_imports,
)
from models.oauth.providers import public_name
from models.oauth.upserts import Owner, build_account_key
from models.renewal.journal import digest_token

FindRules = Callable[[str], RenewalRules]
#: VSCHAR of RFC 6749, appendix A, without the space, which no token in use has.
_TOKEN: Final = re.compile("[!-~]+")
_PROFILE: Final = ("subject", "email", "email_verified", "name", "picture")


def import_connection(record: ImportRecord, now: datetime) -> tuple[TAB_CONNECTIONS, bool]:
    """Import one grant; return its connection, and whether that is new.

    Raises:
        ImportInvalid: The grant could never be used.
        VariablesInvalid: A variable is missing, unknown, or not what the provider's settings allow.
        ConnectionExists: The account has another grant that works.
        ProviderUnknown, ProviderTampered: As `provider_row`.
    """
    prepared = prepare_import(record, now, read_rules)
    (result,) = store_prepared([prepared], now, source="http")
    if result.outcome is ImportOutcome.REFUSED:
        raise ConnectionExists
    is_new = result.outcome is ImportOutcome.CREATED
    return find_connection(result.connection_id), is_new


def prepare_import(
    record: ImportRecord, now: datetime, find_rules: FindRules
) -> ImportedConnection:
    """Check a grant, and return it as it is stored.

    Raises:
        ImportInvalid, VariablesInvalid, ProviderUnknown, ProviderTampered: As `import_connection`.
    """
    rules = find_rules(_check_provider(record))
    record = _drop_expired(_check_tokens(record), now)
    variables = read_variables_by_settings(rules.settings, record.variables)
    if record.status is None:
        _check_usable(rules, record)
    check_metadata(record)
    connection_id = record.id or make_id()
    owner = Owner(acting_app.get(), rules.provider, record.subject or "")
    token = record.refresh_token or record.access_token or Secret(connection_id)
    return ImportedConnection(
        owner=owner,
        digests=digest_grant(owner, token),
        profile=_build_profile(rules, record.profile),
        account_key=_find_account_key(rules, owner, record, variables),
        variables=variables,
        grant=_build_grant(rules, record, connection_id, now),
        status=ConnectionStatus(record.status or ConnectionStatus.ACTIVE),
        created_at=min(record.created_at or now, now),
        may_replace=record.replace,
        id=connection_id,
    )


def _check_provider(record: ImportRecord) -> str:
    if not record.provider:
        raise ImportInvalid("It names no provider; --provider names one for the whole file.")
    return record.provider


def _check_tokens(record: ImportRecord) -> ImportRecord:
    """Return a record whose tokens, if it has any, can stand in requests."""
    if not _tokens_of(record) and (record.status is None or record.id is None):
        raise ImportInvalid("It has neither an access token nor a refresh token.")
    if not all(_TOKEN.fullmatch(it.reveal()) for it in _tokens_of(record)):
        raise ImportInvalid("A token of it has characters that no token has.")
    return record


def _find_account_key(
    rules: RenewalRules,
    owner: Owner,
    record: ImportRecord,
    variables: Mapping[str, str] | None,
) -> str | None:
    """Return what tells the account from others; None while it is not known whose it is."""
    subject = record.profile.get("subject")
    if subject is None and rules.settings.get("identity") != "none":
        return None
    return build_account_key(owner, subject, variables) or f" {make_id()}"


def _tokens_of(record: ImportRecord) -> list[Secret]:
    return [token for token in (record.access_token, record.refresh_token) if token]


def store_prepared(
    items: Sequence[ImportedConnection], now: datetime, *, source: str
) -> list[Imported]:
    """Store what `prepare_import` has returned, and record an event of each change."""

    def record(changed: Sequence[tuple[TAB_CONNECTIONS, ImportOutcome]]) -> None:
        details = [(row, {"source": source, "outcome": str(outcome)}) for row, outcome in changed]
        record_all(EventKind.IMPORTED, details, now)

    return store_imports(items, record, now)


def _drop_expired(record: ImportRecord, now: datetime) -> ImportRecord:
    """Return a record without an access token that has run out: the first renewal brings one."""
    has_expired = record.expires_at is not None and record.expires_at <= now
    if record.access_token and not has_expired:
        return record
    return replace(record, access_token=None, expires_at=None)


def _check_usable(rules: RenewalRules, record: ImportRecord) -> None:
    """Raise unless there is a token to use, or to renew by."""
    if record.access_token is not None:
        return
    if record.refresh_token is None:
        raise ImportInvalid("Its access token has run out, and there is no refresh token.")
    if rules.renewal != "refresh_token":
        raise ImportInvalid(
            "This provider renews nothing by a refresh token, and there is no access token that "
            "has not run out."
        )


def check_metadata(record: ImportRecord) -> None:
    """Raise where a record has more metadata than a connection keeps."""
    if record.metadata and len(json.dumps(record.metadata)) > MAX_METADATA_BYTES:
        raise ImportInvalid(f"Its metadata is larger than {MAX_METADATA_BYTES} bytes.")


def digest_grant(owner: Owner, token: Secret) -> list[str]:
    """Return the digests of a grant of one user: by SECRET_KEY, then by each previous one."""
    return digest_token(Secret("\n".join((*owner, token.reveal()))))


def _build_profile(rules: RenewalRules, given: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: given.get(name) for name in _PROFILE}
    name = public_name(rules.provider)
    return {"provider": name, **parts, "source": given.get("source"), "raw": given.get("raw") or {}}


def _build_grant(
    rules: RenewalRules, record: ImportRecord, connection_id: str, now: datetime
) -> Grant:
    is_dead = record.status is not None
    return Grant(
        access_token=record.access_token,
        refresh_token=record.refresh_token or None,
        token_type=read_token_type(record.token_type),
        scope=" ".join((record.scope or "").replace(",", " ").split()),
        expires_at=record.expires_at,
        renew_at=None if is_dead else plan_first_renewal(rules, record, connection_id, now),
        missing_scope=record.missing_scope,
        end=forecast_end(rules, record, now),
        needs_refresh_token=rules.renewal == "refresh_token",
        metadata=record.metadata or None,
    )
