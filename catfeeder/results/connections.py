"""Shapes of results: one class for each answer, the same from actor to HTTP schema to client.

A `TypedDict` is JSON as it travels. Each field is annotated with its type and a description, so
`typing.get_type_hints(shape, include_extras=True)` yields all that a schema needs. A `Time` is text
of RFC 3339 in UTC. The two dataclasses are what the Python client makes of an answer over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, TypedDict


@dataclass(frozen=True, slots=True)
class Format:
    """The `format` that JSON Schema gives a text, such as `date-time`."""

    name: str


Time: TypeAlias = Annotated[str, Format("date-time")]
ConnectionStatus: TypeAlias = Literal[
    "pending", "active", "renewal_failing", "ended", "reauthorization_required", "revoked"
]


ProfileSource: TypeAlias = Literal["userinfo", "id_token", "token_response", "credentials", "none"]


class PasswordHash(TypedDict):
    """The result of `hash_password`."""

    password_hash: Annotated[str, "A hash of bcrypt or Argon2id: store it beside the user."]


class _PasswordVerdict(TypedDict):
    valid: Annotated[bool, "The hash is of the password."]
    needs_rehash: Annotated[
        bool, "The hash is weaker than new ones, or of other bytes: check with `rehash`."
    ]


class PasswordCheck(_PasswordVerdict, total=False):
    """The result of `check_password`."""

    password_hash: Annotated[
        str, "The new hash that `rehash` asked for: store it in place of the one that was checked."
    ]


class PolicyReason(TypedDict):
    """One rule that a password breaks."""

    code: Annotated[str, "The name of the rule, such as `password_too_short`."]
    detail: Annotated[str, "The sentence for people."]


class PolicyVerdict(TypedDict):
    """What the policy says of a new password."""

    acceptable: Annotated[bool, "It would be hashed."]
    reasons: Annotated[list[PolicyReason], "Every rule that it breaks."]


class Profile(TypedDict):
    """The user's profile, with the same members for every provider; the result of `user_info`."""

    provider: Annotated[str, "The name of the provider's configuration."]
    subject: Annotated[
        str | None,
        "The provider's own name for the user; null where nothing of the provider names users, and "
        "of a connection that was imported without it and is not verified yet.",
    ]
    email: Annotated[str | None, "null where the provider gives none."]
    email_verified: Annotated[bool | None, "null when the provider does not say."]
    name: Annotated[str | None, "The name to show."]
    picture: Annotated[str | None, "The web address of a picture."]
    source: Annotated[
        ProfileSource | None,
        "Where the profile comes from: `userinfo`, completed by the id_token; `id_token` alone, "
        "where there is no user info or it failed; `token_response`; `credentials`, which name an "
        "account alone; `none`. null if an earlier release stored it.",
    ]
    raw: Annotated[dict[str, Any], "What the provider answered."]


class Connection(TypedDict):
    """One account at one provider, without its tokens; the result of an exchange or a renewal."""

    id: Annotated[str, "What requests name the connection by."]
    app: Annotated[str, "The app that it belongs to."]
    provider: Annotated[str, "The name of the provider's configuration."]
    subject: Annotated[
        str | None, "The asking app's own name for the user; the provider's is in `profile`."
    ]
    profile: Profile
    scope: Annotated[str, "The scopes that the provider granted, parted by spaces."]
    missing_scopes: Annotated[list[str], "The scopes that were asked for and not granted."]
    metadata: Annotated[
        dict[str, Any],
        "Further members of the provider's answers that its API cannot be called without, such as "
        "`instance_url` or `realmId`; never a token.",
    ]
    variables: Annotated[
        dict[str, str],
        "What the provider's URLs are filled in with for this connection, such as a subdomain.",
    ]
    resource: Annotated[
        list[str], "Where the latest sign-in asked for the token to be used (RFC 8707)."
    ]
    auth_time: Annotated[
        Time | None,
        "When the user of the latest sign-in logged in with the provider, as its id_token states; "
        "null where it does not.",
    ]
    acr: Annotated[
        str | None,
        "How that login was made, as the id_token states: one of the `acr_values`, if the sign-in "
        "asked for any.",
    ]
    status: Annotated[
        ConnectionStatus,
        "What may be expected of the token: `ended` says that it has run out and that there is "
        "nothing to renew it with, so nothing is wrong; `reauthorization_required` that only its "
        "user can bring another.",
    ]
    reason: Annotated[str | None, "Why renewal fails, where it does."]
    expires_at: Annotated[Time | None, "When the access token expires, if that is known."]
    created_at: Time
    updated_at: Time


class DeviceAuthorization(TypedDict):
    """The result of `authorize_device` (RFC 8628 section 3.2): what the device shows its user."""

    connection_id: Annotated[
        str, "The connection, which is `pending` until the user has agreed; ask for it by this id."
    ]
    user_code: Annotated[str, "What the user enters at `verification_uri`; show it as it is."]
    verification_uri: Annotated[str, "The page to open on another device."]
    verification_uri_complete: Annotated[
        str | None, "The same with the code in it, such as for a QR code; null if there is none."
    ]
    expires_at: Annotated[Time, "When the code runs out, if no user has agreed."]
    interval_seconds: Annotated[
        int, "How often the provider is asked; nothing new is known any sooner."
    ]


class ConnectionPage(TypedDict):
    """Connections, oldest first."""

    items: list[Connection]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


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


class Revocation(TypedDict):
    """The result of `revoke_connection`: the connection is erased here in either case."""

    id: Annotated[str, "The connection that is erased."]
    revoked_at_provider: Annotated[bool, "The provider has revoked all that was held of it too."]
    revoked_tokens: Annotated[list[str], "Which: `refresh_token`, `access_token`."]


class CatalogueEntry(TypedDict):
    """A preset of the catalogue: a provider that takes nothing but credentials, and `needs`."""

    preset: Annotated[str, "Its name, for `preset` in `PUT /v1/providers/{name}`."]
    title: Annotated[str, "What the provider is called."]
    environment: Annotated[list[str], "The variables that set it up without a request."]
    needs: Annotated[list[str], "Settings to give beside the credentials, such as `base_url`."]
    variables: Annotated[dict[str, Any], "What each user gives at `authorize`: a pattern or list."]
    identity: Annotated[str, "Where users are named: userinfo, id_token, token_response or none."]
    scopes: Annotated[list[str], "What is asked for unless the request or the provider says else."]
    stated_by: Annotated[list[str], "The public catalogues that it rests on."]
    disagreements: Annotated[int, "On how many of its settings catalogues say something else."]
    tried: Annotated[bool, "Whether it was tried against the real provider."]


class CataloguePage(TypedDict):
    """Presets, by name."""

    items: list[CatalogueEntry]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


class Finding(TypedDict):
    """One check of a provider's settings."""

    check: Annotated[str, "What was checked, such as `pkce`."]
    is_ok: Annotated[bool, "Nothing is to be done."]
    detail: Annotated[str, "What was found."]
    remedy: Annotated[str | None, "What to do where it is not well."]


class ProviderCheck(TypedDict):
    """The result of `check_provider`: what there is to say about a provider's settings."""

    provider: Annotated[str, "The name of the provider's configuration."]
    is_ok: Annotated[bool, "Nothing is to be done."]
    findings: Annotated[list[Finding], "All checks, in the order in which they were made."]


class Shutdown(TypedDict):
    """The result of `shut_down`."""

    stopping: Annotated[bool, "The boot that was named stops; a later one does not."]


class StartedSignIn(TypedDict):
    """The answer of `authorize`: where to send the user's browser."""

    authorization_url: Annotated[str, "The provider's page, with the request in its query."]
    state: Annotated[str, "Keep it in the user's session and compare it with what comes back."]
    expires_at: Annotated[Time, "When the sign-in has to have come back."]


class ConnectSession(TypedDict):
    """The answer of `connect_session`: the page where a user connects accounts."""

    url: Annotated[str, "Lead the user's browser there; the first that opens it has the page."]
    expires_at: Annotated[Time, "Until when the link can be opened."]


@dataclass(frozen=True, slots=True)
class ConnectLink:
    """A `ConnectSession` in Python: lead the browser of your user's session to the URL."""

    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Authorization:
    """A `StartedSignIn` in Python: send the browser to the URL, and compare `state` later."""

    authorization_url: str = field(repr=False)
    state: str = field(repr=False)
    expires_at: datetime


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
