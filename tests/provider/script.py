"""Script of a provider: one switch for each difference between real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.provider.dialects import Dialect, Exchange
from tests.provider.signing import SigningKeys

IdTokenMaker = Callable[[SigningKeys, dict[str, Any]], str]


@dataclass
class Script:
    """The switches; the defaults are an OpenID provider that follows the standard."""

    client_authentication: Literal[
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "apple_client_secret",
        "secret_as_basic_username",
        "secret_as_bearer",
        "none",
    ] = "client_secret_basic"
    #: The `aud` and algorithm of an assertion; None is the token endpoint, and ES256.
    assertion_audience: str | None = None
    assertion_issuer: str | None = None
    assertion_algorithm: str = "ES256"
    #: How the provider wants to be asked.
    dialect: Dialect = field(default_factory=Dialect)
    #: The exchange of an access token for a longer-lived one that it has: the path, the method, and
    #: what else but the token has to be there.
    exchanges: tuple[Exchange, ...] = ()
    #: Decode what RFC 6749 section 2.3.1 encodes in Basic credentials.
    decodes_basic: bool = True
    #: Know the key of a signed proof by its certificate, as Microsoft Entra does.
    wants_certificate: bool = False
    #: Refuse a code that was asked for without a challenge; with one the verifier is needed anyhow.
    requires_pkce: bool = True
    #: How a challenge may be made.
    challenge_methods: tuple[str, ...] = ("S256",)
    #: Answer a code_verifier with an error, as LinkedIn does.
    refuses_pkce: bool = False
    #: Tell errors with status 200, as GitHub does.
    errors_are_200: bool = False
    #: Tell errors as Slack does, of which every answer has status 200 and `ok`.
    tells_ok: bool = False
    #: Answer as Slack does to an app that is installed: the bot's tokens and those of a user.
    gives_pairs: bool = False
    #: Which of them are given.
    pairs: tuple[str, ...] = ("bot", "user")
    #: Give an id_token without being asked for `openid`, as Apple does.
    always_gives_id_token: bool = False
    #: None leaves the lifetime out.
    expires_in: object = 3600
    #: Want the redirect URI of the sign-in again, as versions of GitLab do.
    requires_redirect_uri_at_renewal: bool = False
    gives_refresh_token: bool = True
    #: Drop `offline_access`, and the refresh token, without `prompt=consent` (Core section 11).
    wants_consent: bool = False
    #: none: no new refresh token; rotating: a new one, the old one stays; single_use: a new one,
    #: and a second use of the old one ends the grant.
    rotation: Literal["none", "rotating", "single_use"] = "none"
    #: grant: any token ends its whole grant; token: a token ends alone (RFC 7009 section 2.1).
    revocation_ends: Literal["grant", "token"] = "grant"
    #: None grants what was asked.
    granted_scope: str | None = None
    tells_scope: bool = True
    scope_separator: str = " "
    #: Members that replace or join those of a token answer.
    token_members: Mapping[str, Any] = field(default_factory=dict)
    #: Name the issuer in the authorization response (RFC 9207).
    sends_iss: bool = False
    #: Members that replace or join those of the discovery document; None takes one away.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Claims that replace or join those of the id_token; None takes one away.
    claims: Mapping[str, Any] = field(default_factory=dict)
    #: Writes the id_token, rightly unless the test puts another one here.
    make_id_token: IdTokenMaker = SigningKeys.sign
    gives_id_token: bool = True
    #: What Apple sends beside the code at the first consent.
    told_once: Mapping[str, Any] = field(
        default_factory=lambda: {
            "name": {"firstName": "Jane", "lastName": "Doe"},
            "email": "anything@example.com",
        }
    )
    #: The end of a token that Facebook's /debug_token states.
    token_expires_at: object = 0
    #: Demand Facebook's proof by this secret in requests for user info.
    proof_secret: str | None = None
    #: How user info may be asked for (OpenID Connect Core section 5.3.1).
    user_info_methods: tuple[str, ...] = ("GET", "POST")
    #: Sign user info as a JWT of these claims, which join its own (section 5.3.2); None does not.
    signed_user_info: Mapping[str, Any] | None = None
    #: Writes signed user info, rightly unless the test puts another one here.
    make_user_info: IdTokenMaker = SigningKeys.sign
    #: Which provider's shape the user info has.
    shape: str = "openid"
    user: Mapping[str, Any] = field(
        default_factory=lambda: {
            "id": "248289761001",
            "name": "Jane Doe",
            "email": "jane@example.com",
            "email_verified": True,
            "picture": "https://example.com/jane.jpg",
        }
    )
    #: Members that replace or join those of the user info; None takes one away.
    user_info: Mapping[str, Any] = field(default_factory=dict)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply changes, of which None takes a member away."""
    return {name: value for name, value in {**base, **changes}.items() if value is not None}
