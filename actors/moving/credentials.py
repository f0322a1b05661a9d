"""Import of connections that are made from credentials: keys, passwords and grants of clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from actors.connections.creation import NewConnection, fill_in, read_credentials
from actors.connections.credentials.members import Credentials
from actors.connections.credentials.storing import build_bare_grant, build_profile
from actors.moving.first_renewals import RenewalRules, plan_first_renewal
from actors.moving.importing import check_metadata, digest_grant
from actors.moving.records import ImportRecord
from actors.providers.protocol.provider import JWT_BEARER, Provider
from actors.providers.protocol.tokens.types import read_token_type
from catfeeder.queue.requester import acting_app
from models.oauth.connections import ConnectionStatus
from models.oauth.grants import Grant, GrantEnd
from models.oauth.imports.bulk import ImportedConnection, make_id
from models.oauth.upserts import Owner, build_account_key

#: Members of a key file by those of the assertion that is made of it.
_OF_KEY_FILES: Final = {"iss": "client_email", "kid": "private_key_id"}
_SHOWN: Final = ("email", "name", "picture")


def prepare_credentials(
    record: ImportRecord,
    now: datetime,
    rules: RenewalRules,
    find_provider: Callable[[str], Provider],
) -> ImportedConnection:
    """Check a connection that is made from credentials, and return it as it is stored.

    No provider is asked whether it takes them: the first renewal shows it.

    Raises:
        CredentialsInvalid: The provider takes other credentials.
        VariablesInvalid: As `fill_in`.
        ImportInvalid: Its metadata is too large.
        CatFeederError: As `find_provider`.
    """
    provider = find_provider(record.provider)
    given = record.credentials or {}
    new = NewConnection(
        record.provider, given, record.subject, record.asked_scope, record.variables
    )
    provider, variables = fill_in(provider, new)
    credentials = read_credentials(provider, new)
    check_metadata(record)
    connection_id = record.id or make_id()
    owner = Owner(acting_app.get(), rules.provider, record.subject or "")
    return ImportedConnection(
        owner=owner,
        digests=digest_grant(owner, credentials.serialize()),
        profile=_build_profile(provider, credentials, record.profile),
        account_key=build_account_key(owner, credentials.account, variables),
        variables=variables,
        grant=_build_grant(rules, record, credentials, connection_id, now),
        status=ConnectionStatus(record.status or ConnectionStatus.ACTIVE),
        created_at=min(record.created_at or now, now),
        may_replace=record.replace,
        id=connection_id,
    )


def write_members(credentials: Credentials) -> tuple[dict[str, str], str | None]:
    """Return the members of stored credentials, and the scope, as a request has them."""
    members = dict(credentials.members)
    scope = members.pop("scope", None)
    if credentials.kind == JWT_BEARER and "sub" not in members:
        # Without it a request would be taken for one that stands for the issuer itself.
        named = {_OF_KEY_FILES.get(name, name): text for name, text in members.items()}
        members = {"type": "service_account", **named}
    return members, scope


def _build_profile(
    provider: Provider, credentials: Credentials, given: Mapping[str, Any]
) -> dict[str, Any]:
    known = {name: given.get(name) for name in _SHOWN}
    return {**build_profile(provider, credentials), **known}


def _build_grant(
    rules: RenewalRules,
    record: ImportRecord,
    credentials: Credentials,
    connection_id: str,
    now: datetime,
) -> Grant:
    plain = replace(build_bare_grant(credentials), end=GrantEnd(), metadata=record.metadata or None)
    if credentials.is_static:
        return plain
    renewable = replace(rules, renewal=credentials.kind)
    has_token = record.access_token and (record.expires_at is None or record.expires_at > now)
    record = record if has_token else replace(record, access_token=None, expires_at=None)
    is_dead = record.status is not None
    return replace(
        plain,
        access_token=record.access_token or None,
        token_type=read_token_type(record.token_type),
        scope=record.scope or "" if has_token else "",
        expires_at=record.expires_at,
        renew_at=None if is_dead else plan_first_renewal(renewable, record, connection_id, now),
        missing_scope=record.missing_scope,
    )
