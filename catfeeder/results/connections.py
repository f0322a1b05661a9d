"""Results that are connections, their profiles, and what became of one that was revoked."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from catfeeder.results.formats import Time

ConnectionStatus: TypeAlias = Literal[
    "pending", "active", "renewal_failing", "ended", "reauthorization_required", "revoked"
]


ProfileSource: TypeAlias = Literal["userinfo", "id_token", "token_response", "credentials", "none"]


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


class ConnectionPage(TypedDict):
    """Connections, oldest first."""

    items: list[Connection]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


class Revocation(TypedDict):
    """The result of `revoke_connection`: the connection is erased here in either case."""

    id: Annotated[str, "The connection that is erased."]
    revoked_at_provider: Annotated[bool, "The provider has revoked all that was held of it too."]
    revoked_tokens: Annotated[list[str], "Which: `refresh_token`, `access_token`."]
