"""Credentials of grants without a user: which grant they are for, and what it needs of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from actors.connections.credentials.errors import CredentialsInvalid
from actors.connections.credentials.members import Credentials, check_names, digest, reveal
from actors.providers.protocol.provider import (
    CLIENT_CREDENTIALS,
    GITHUB_APP,
    JWT_BEARER,
    Provider,
)
from catfeeder.sealing import Secret

_GRANTS: Final = (CLIENT_CREDENTIALS, JWT_BEARER, GITHUB_APP)
#: Names of RFC 6749 section 3.3, parted by single blanks.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_NAME: Final = re.compile("[!-~]{1,1024}")
_INSTALLATION: Final = re.compile("[0-9]{1,20}")
_MAX_ACCOUNT_LENGTH: Final = 255
#: Members of Google's key files that a JWT has under other names; the rest of a file is not used.
_OF_KEY_FILES: Final = {
    "client_email": "iss",
    "private_key_id": "kid",
    "private_key": "private_key",
}


def read_grant_credentials(
    provider: Provider, given: Mapping[str, Secret], scope: str | None
) -> Credentials:
    """Return the credentials of a grant that needs no user.

    Raises:
        CredentialsInvalid: No such grant is among `grant_types`, or a member cannot be used.
    """
    members = reveal(given)
    kind = _choose_grant(provider, members)
    if kind is None:
        raise CredentialsInvalid("None of the provider's grant_types takes such credentials.")
    asked = _read_scope(provider, scope)
    credentials = _READERS[kind](provider, members)
    account = " ".join(part for part in (credentials.account, *sorted(set(asked.split()))) if part)
    if len(account) > _MAX_ACCOUNT_LENGTH:
        account = f"{account[:128]} {digest(account)}"
    whole = {**credentials.members, **({"scope": asked} if asked else {})}
    return replace(credentials, members=whole, account=account)


def _choose_grant(provider: Provider, members: Mapping[str, str]) -> str | None:
    offered = [grant for grant in _GRANTS if grant in provider.grant_types]
    if "installation_id" in members:
        wanted = [GITHUB_APP]
    elif members.keys() & {"private_key", "sub"}:
        wanted = [JWT_BEARER]
    elif members:
        wanted = [CLIENT_CREDENTIALS]
    else:
        wanted = [CLIENT_CREDENTIALS, JWT_BEARER]
    return next((grant for grant in wanted if grant in offered), None)


def _read_scope(provider: Provider, scope: str | None) -> str:
    """Return the scope to ask for: that of the row where nothing else is made with it."""
    if scope is None:
        return "" if provider.has_sign_in else " ".join(provider.scopes)
    if not _SCOPE.fullmatch(scope):
        raise CredentialsInvalid("scope is of names with blanks between them (RFC 6749).")
    return scope


def _read_client(provider: Provider, members: Mapping[str, str]) -> Credentials:
    """Read a client of the app's own, or none: then it is the provider's."""
    if not members:
        if not provider.client_id:
            raise CredentialsInvalid("The provider has no client: give client_id, client_secret.")
        return Credentials(CLIENT_CREDENTIALS, {}, provider.client_id)
    check_names(members, {"client_id", "client_secret"}, set())
    if not _NAME.fullmatch(members["client_id"]) or not members["client_secret"]:
        raise CredentialsInvalid(
            "client_id is of visible ASCII characters, client_secret not empty."
        )
    return Credentials(CLIENT_CREDENTIALS, members, members["client_id"])


def _read_assertion(provider: Provider, members: Mapping[str, str]) -> Credentials:
    """Read what an assertion says, by the names of JWT, or the key file of a service account."""
    is_key_file = members.get("type") == "service_account"
    if is_key_file:
        named = {to: members[name] for name, to in _OF_KEY_FILES.items() if name in members}
        members = {**named, **{name: members[name] for name in ("sub",) if name in members}}
    check_names(members, set(), {"iss", "sub", "kid", "private_key"})
    if not all(_NAME.fullmatch(members.get(name, "-")) for name in ("iss", "sub", "kid")):
        raise CredentialsInvalid("iss, sub and kid are of visible ASCII characters.")
    _check_key(provider, members)
    issuer = members.get("iss") or provider.client_assertion_issuer or provider.client_id
    if not issuer:
        raise CredentialsInvalid("Nothing says which `iss` the assertion has: give iss.")
    # Google takes a `sub` for the user whom a service account stands in for, and for no other.
    subject = {} if is_key_file else {"sub": issuer}
    whole = {**subject, **members, "iss": issuer}
    return Credentials(JWT_BEARER, whole, whole.get("sub") or issuer)


def _check_key(provider: Provider, members: Mapping[str, str]) -> None:
    if "private_key" not in members:
        if provider.private_key is None:
            raise CredentialsInvalid("The provider has no private_key: give one.")
        return
    # Imported late: it loads cryptography, which the shim does not need otherwise.
    from actors.providers.protocol.client_authentication.assertions import (
        PrivateKeyUnusable,
        read_private_key,
    )

    try:
        read_private_key(Secret(members["private_key"]))
    except PrivateKeyUnusable:
        raise CredentialsInvalid("private_key is no private key in PEM.") from None


def _read_installation(provider: Provider, members: Mapping[str, str]) -> Credentials:
    check_names(members, {"installation_id"}, set())
    if not _INSTALLATION.fullmatch(members["installation_id"]):
        raise CredentialsInvalid("installation_id is a number.")
    if provider.private_key is None or provider.installation_token_endpoint is None:
        raise CredentialsInvalid(
            "The provider has no private_key, or no installation_token_endpoint."
        )
    return Credentials(GITHUB_APP, members, members["installation_id"])


_READERS: Final[Mapping[str, Callable[[Provider, Mapping[str, str]], Credentials]]] = {
    CLIENT_CREDENTIALS: _read_client,
    JWT_BEARER: _read_assertion,
    GITHUB_APP: _read_installation,
}
