"""Results that hold tokens: those that a provider granted, and a connection's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypedDict

from catfeeder.results.formats import Time


class _GrantedToken(TypedDict):
    access_token: Annotated[str, "The token that the provider issued."]
    token_type: Annotated[str, "How to use it, such as `Bearer` (RFC 6749 section 7.1)."]


class TokenResponse(_GrantedToken, total=False):
    """The result of `refresh_token` (RFC 6749 section 5.1); what is not known is left out."""

    expires_in: Annotated[int, "The lifetime of the access token in seconds."]
    refresh_token: Annotated[str, "The refresh token to use from now on."]
    scope: Annotated[str, "The scopes of the token, parted by spaces."]
    metadata: Annotated[dict[str, Any], "Further members that the API cannot be called without."]
    id_token: Annotated[str, "Signed claims about the user (OpenID Connect Core section 2)."]


class StoredToken(TypedDict):
    """A connection's token that can be used now, or the key that stands in its place."""

    access_token: Annotated[
        str | None, "The token; null where an API key or a password is in its place, in `headers`."
    ]
    token_type: Annotated[
        str, "How to use it, such as `Bearer` (RFC 6749 section 7.1); or `api_key`, `basic`."
    ]
    expires_at: Annotated[Time | None, "null when the provider does not say."]
    scope: Annotated[str, "The scopes of the token, parted by spaces."]
    renewal_failing: Annotated[
        bool, "The provider refuses to renew the token; it still serves until it expires."
    ]
    metadata: Annotated[dict[str, Any], "As in the connection."]
    headers: Annotated[
        dict[str, str], "What a request to the provider's API carries, whatever the kind."
    ]
    query_parameters: Annotated[
        dict[str, str], "What its query carries, where the provider wants a key there."
    ]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A `StoredToken` in Python."""

    #: None where an API key or a password is in its place, in `headers`.
    access_token: str | None = field(repr=False)
    token_type: str
    #: None when the provider does not say.
    expires_at: datetime | None
    scope: str
    renewal_failing: bool
    #: Further members that the API cannot be called without, such as `instance_url`.
    metadata: dict[str, Any] = field(default_factory=dict)
    #: What a request to the provider's API carries, whatever the kind of the connection.
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    #: What its query carries, where the provider wants a key there.
    query_parameters: dict[str, str] = field(default_factory=dict, repr=False)
