"""Upsert of a connection: a sign-in creates the row of its account, or updates the one there is."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import peewee

from models.db.database import database, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS
from models.oauth.grants import Grant, merge_metadata

_T: Final = TAB_CONNECTIONS
#: The columns that a grant may leave as they are, empty.
_NO_GRANT: Final[Mapping[str, Any]] = dict.fromkeys(
    ("refresh_token", "metadata", "metadata_mac", "lifetime_seconds", "grant_expires_at", "warn_at")
)


class Owner(NamedTuple):
    """The app of a connection, the provider, and the app's own name for the user ("" for none)."""

    app: str
    provider: str
    subject: str


def store_connection(
    owner: Owner,
    *,
    profile: Mapping[str, Any],
    grant: Grant,
    now: datetime,
    told_once: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    connection_id: str | None = None,
) -> TAB_CONNECTIONS:
    """Create the connection of this account for an app, or update the one that it has.

    A sign-in without a subject updates the account's latest connection. A sign-in with one adopts
    a connection without any, and never touches another subject's.

    A profile may name no user. The app's subject then stands for the account: its connection is
    replaced, with nothing of the grant before; without a subject each sign-in is a new connection.

    `variables` fill in the provider's URLs: with others it is another account. `connection_id` is
    the id of a new connection, if it was given one beforehand.

    `told_once` names parts of the profile that the provider sends at the first consent alone; they
    stay if this profile lacks them.
    """
    more: Any = {"told_once": told_once, "variables": variables, "connection_id": connection_id}
    try:
        return _store(owner, profile, grant, now, **more)
    except peewee.IntegrityError:
        # Two sign-ins of a new account came in at once; the other one's row is found now.
        return _store(owner, profile, grant, now, **more)


def _store(
    owner: Owner,
    profile: Mapping[str, Any],
    grant: Grant,
    now: datetime,
    *,
    told_once: Sequence[str],
    variables: Mapping[str, str] | None,
    connection_id: str | None,
) -> TAB_CONNECTIONS:
    account = build_account_key(owner, profile["subject"], variables)
    with transaction():
        row = None if account is None else find_account(owner, account)
        if row is None:
            columns = {"provider_subject": account, "profile": profile, "variables": variables}
            connection_id = connection_id or str(uuid.uuid4())
            _insert(connection_id, owner, columns, _set_due(grant, None), now)
        else:
            connection_id = row.id
            whole = _fill_told_once(row, profile, told_once)
            update_account(row, owner, whole, grant, now)
        return _T.get_by_id(connection_id)


def _fill_told_once(
    row: TAB_CONNECTIONS, profile: Mapping[str, Any], told_once: Sequence[str]
) -> Mapping[str, Any]:
    """Return a profile with what the row's has, of the parts that are sent once alone."""
    kept = {name: profile.get(name) or row.profile.get(name) for name in told_once}
    return {**profile, **kept} if profile["subject"] is not None else profile


def build_account_key(
    owner: Owner, subject: str | None, variables: Mapping[str, str] | None
) -> str | None:
    """Return what tells an account from the provider's others; None where nothing does.

    No subject begins with a blank, so none is taken for a digest.
    """
    if subject is None and not owner.subject:
        return None
    if variables is None:
        return subject or ""
    named = json.dumps([sorted(variables.items()), subject])
    return f" {hashlib.sha256(named.encode()).hexdigest()}"


def find_account(owner: Owner, account_key: str) -> TAB_CONNECTIONS | None:
    """Return the connection, locked until the commit, that a grant of an account is for."""
    account = _T.select().where(
        _T.app == owner.app,
        _T.provider == owner.provider,
        _T.provider_subject == account_key,
    )
    if owner.subject:
        # A subject's own connection sorts before one with the empty subject.
        own = _T.subject.in_([owner.subject, ""])
        account = account.where(own).order_by(_T.subject.desc())
    else:
        account = account.order_by(_T.updated_at.desc())
    if database.for_update:
        # No other transaction may adopt or renew it before this one ends. SQLite admits one writer
        # at a time anyway.
        account = account.for_update()
    row: TAB_CONNECTIONS | None
    # A query keeps its result, so each look is a new one.
    while (row := account.clone().first()) is not None and not row.is_authentic:
        # A sign-in proves the account; nothing of such a row is taken over.
        _T.erase(row.id)
    return row


def _merge(grant: Grant, row: TAB_CONNECTIONS) -> Grant:
    """Return a new grant as it is stored over that of `row`."""
    grant = _set_due(grant, row)
    if grant.metadata is not None:
        grant = replace(grant, metadata=merge_metadata(row.metadata, grant.metadata))
    if grant.refresh_token is None and row.refresh_token is not None:
        # The stored refresh token stays in force, and so does its end.
        grant = replace(grant, end=None)
    return grant


def _set_due(grant: Grant, row: TAB_CONNECTIONS | None) -> Grant:
    """Let a grant that nothing can renew fall due when it has run out."""
    stored = None if row is None else row.refresh_token
    if grant.needs_refresh_token and grant.refresh_token is None and stored is None:
        return replace(grant, renew_at=grant.expires_at)
    return grant


def _insert(
    connection_id: str, owner: Owner, columns: Mapping[str, Any], grant: Grant, now: datetime
) -> None:
    # One that nothing tells from others is an account by itself.
    account = columns["provider_subject"]
    account = f" {connection_id}" if account is None else account
    _T.create(
        id=connection_id,
        **owner._asdict(),
        **{**columns, "provider_subject": account},
        status=ConnectionStatus.ACTIVE,
        failures=0,
        created_at=now,
        **_T.build_sign_in_columns(connection_id, grant),
        **_T.build_grant_columns(connection_id, 0, grant, now),
    )


def update_account(
    row: TAB_CONNECTIONS, owner: Owner, profile: Mapping[str, Any], grant: Grant, now: datetime
) -> None:
    """Store a new grant and profile over those of `row`.

    Where no user is named the account may be another one: nothing of the grant before is its own.
    """
    is_named = profile["subject"] is not None or row.profile.get("subject") is not None
    grant = _merge(grant, row) if is_named else _set_due(grant, None)
    erased = {} if is_named else _NO_GRANT
    changes = row.sign_changes(subject=owner.subject or row.subject, profile=profile)
    columns = _T.build_grant_columns(row.id, row.version, grant, now)
    # They are of the grant before, and maybe of another user's consent.
    TAB_DERIVED_TOKENS.erase_of(row.id)
    _T.update(
        **changes,
        status=ConnectionStatus.ACTIVE,
        reason=None,
        lease_until=None,
        failures=0,
        **_T.build_sign_in_columns(row.id, grant),
        **{**erased, **columns},
    ).where(_T.id == row.id).execute()
