"""What is answered, as types: the results of jobs, and the two answers that come over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict


class PasswordHash(TypedDict):
    """The result of `hash_password`: store it beside the user."""

    password_hash: str


class PasswordCheck(TypedDict):
    """The result of `check_password`.

    `needs_rehash` says that the hash is weaker than new ones are: hash the password anew.
    """

    valid: bool
    needs_rehash: bool


class Profile(TypedDict):
    """Who a user is, in the same words for every provider; `raw` is what the provider said."""

    provider: str
    subject: str
    email: str | None
    #: None when the provider does not tell.
    email_verified: bool | None
    name: str | None
    picture: str | None
    raw: dict[str, Any]


class Connection(TypedDict):
    """One account at one provider, without its tokens; times are RFC 3339 in UTC."""

    id: str
    provider: str
    #: The asking app's own name for the user; the provider's is in `profile`.
    subject: str | None
    profile: Profile
    scope: str
    #: active, renewal_failing, reauthorization_required or revoked.
    status: str
    reason: str | None
    expires_at: str | None
    created_at: str
    updated_at: str


class TokenResponse(TypedDict, total=False):
    """The result of `refresh_token`, with the members of RFC 6749 section 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    scope: str
    id_token: str


class Revocation(TypedDict):
    """The result of `revoke_connection`: the connection is erased here in either case."""

    id: str
    revoked_at_provider: bool


@dataclass(frozen=True, slots=True)
class Authorization:
    """Where to send the user's browser; keep `state` in the user's session and compare it later."""

    authorization_url: str = field(repr=False)
    state: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that can be used now."""

    access_token: str = field(repr=False)
    token_type: str
    #: None when the provider does not tell.
    expires_at: datetime | None
    scope: str
    #: True while the provider refuses to renew it; it still serves until it expires.
    renewal_failing: bool
