"""Options of the verbs, by name and type; what is left out is as the service has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

#: What new hashes are made with.
Scheme = Literal["bcrypt", "argon2id"]


class HashOptions(TypedDict, total=False):
    """Of a new hash."""

    scheme: Scheme | None
    #: The cost of bcrypt, 10 to 16.
    rounds: int | None
    #: The name of a set of Argon2id's parameters, such as `owasp-19-mib`.
    argon2: str | None
    #: What an attacker knows of the user, such as the name: no password may be made of it.
    user_inputs: Sequence[str] | None


class CheckOptions(TypedDict, total=False):
    """Of the new hash that a check returns where it is due."""

    scheme: Scheme | None


class PolicyOptions(TypedDict, total=False):
    """Of a password that is looked at before it is chosen."""

    scheme: Scheme | None
    user_inputs: Sequence[str] | None


class SignInOptions(TypedDict, total=False):
    """Of a sign-in."""

    #: What the provider's pages do: `none`, `login`, `consent`, `select_account`.
    prompt: str | None
    login_hint: str | None
    #: How many seconds ago the user may have logged in with the provider.
    max_age: int | None
    acr_values: str | None
    acr_essential: bool | None
    ui_locales: str | None
    #: Your own name for the user; the connection carries it.
    subject: str | None
    #: Scopes parted by spaces, in place of the provider's usual ones.
    scope: str | None
    unbound: bool
    #: Where the token is to be used (RFC 8707).
    resource: str | Sequence[str] | None
    #: What the provider's URLs are filled in with: `{"subdomain": "acme"}`.
    variables: Mapping[str, str] | None
    #: Whether the connection is to last: true asks for a refresh token.
    offline_access: bool | None


class TokenOptions(TypedDict, total=False):
    """Of a token that is narrower than the connection's own (RFC 8693, RFC 8707)."""

    scope: str | None
    resource: list[str]
    audience: list[str]
