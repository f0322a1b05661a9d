"""Provider model: what an authorization server is asked by, typed and complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from actors.providers.templates.rules import Rule
from catfeeder.sealing import Secret
from models.oauth.providers import public_name

#: Signatures by an asymmetric key, of providers and of ours; never `none`, never a shared secret.
SigningAlgorithm: TypeAlias = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
]


AUTHORIZATION_CODE: Final = "authorization_code"
CLIENT_CREDENTIALS: Final = "client_credentials"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: RFC 8628 section 3.4.
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
#: No connection is made by these: they derive tokens of one for a scope, resource or audience.
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
REFRESH_TOKEN: Final = "refresh_token"
#: GitHub's own way to a token of an installation of a GitHub App; no standard has a name for it.
GITHUB_APP: Final = "github_app_installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """A request that exchanges an access token for a longer-lived one, by its parameters."""

    grant_type: str
    #: The parameter that holds the access token.
    token_parameter: str = "access_token"
    method: str = "POST"
    #: None is the token endpoint.
    endpoint: str | None = None
    #: What it holds besides; None is what the client authenticates with at the token endpoint.
    parameters: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider; fields are named after RFC 8414 and RFC 7591, else as help.toml explains."""

    name: str
    client_id: str
    client_secret: Secret | None
    #: The latest first; in use while the provider does not know the newest secret yet.
    earlier_client_secrets: tuple[Secret, ...] = ()
    private_key: Secret | None = None
    key_id: str | None = None
    certificate: str | None = None
    team_id: str | None = None
    #: What each connection fills in as {name}: a pattern, or the values that there are.
    variables: Mapping[str, Rule] = field(default_factory=dict)
    #: Both are empty where no grant of `grant_types` asks them.
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    #: Where devices get their codes (RFC 8628 section 3.1).
    device_authorization_endpoint: str | None = None
    issuer: str | None = None
    #: None is the token endpoint.
    refresh_endpoint: str | None = None
    #: What names the user of a sign-in; None for user info, or else the id_token.
    identity: str | None = None
    userinfo_endpoint: str | None = None
    userinfo_method: str = "GET"
    #: {client_id} and {access_token} are filled in.
    userinfo_headers: Mapping[str, str] = field(default_factory=dict)
    userinfo_token_location: str = "header"
    #: What stands before the token in the Authorization header; "" for nothing.
    userinfo_token_scheme: str = "Bearer"
    #: Posted as JSON, such as a GraphQL query.
    userinfo_body: Mapping[str, Any] | None = None
    emails_endpoint: str | None = None
    revocation_endpoint: str | None = None
    debug_token_endpoint: str | None = None
    jwks_uri: str | None = None
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    scope_aliases: Mapping[str, str] = field(default_factory=dict)
    implied_scopes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    token_endpoint_auth_method: str = "client_secret_basic"
    #: Where the revocation endpoint takes another one alone; None for the same.
    revocation_endpoint_auth_method: str | None = None
    #: form: both parts are encoded as RFC 6749 section 2.3.1 says; raw: they are sent as they are.
    client_secret_basic_encoding: str = "form"
    #: The settings to try once when the client is refused by Basic; None where none are left.
    basic_fallback: Mapping[str, str] | None = None
    #: Stores the settings that have helped, for all processes.
    learn: Callable[[Mapping[str, str]], None] | None = field(default=None, compare=False)
    token_endpoint_auth_signing_alg: str | None = None
    client_assertion_audience: str = "token_endpoint"
    #: None is the client_id (RFC 7523 section 3).
    client_assertion_issuer: str | None = None
    code_challenge_method: str = "S256"
    uses_nonce: bool = True
    always_gives_id_token: bool = False
    authorization_response_iss_parameter_supported: bool = False
    #: Takes claims as essential ones (OpenID Connect Core section 5.5).
    claims_parameter_supported: bool = False
    #: The token endpoint takes one resource at a time (RFC 8707 section 2.2).
    single_resource_tokens: bool = False
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    response_type: str = "code"
    #: The provider's names of authorization parameters; "" leaves one out.
    parameter_names: Mapping[str, str] = field(default_factory=dict)
    #: The parameter that the code comes back as.
    code_parameter: str = "code"
    #: Parameters of the callback that the token request repeats.
    callback_parameters: tuple[str, ...] = ()
    token_request_format: Literal["form", "json", "query"] = "form"
    token_request_method: str = "POST"
    device_authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    token_parameters: Mapping[str, str] = field(default_factory=dict)
    refresh_parameters: Mapping[str, str] = field(default_factory=dict)
    token_headers: Mapping[str, str] = field(default_factory=dict)
    #: As `parameter_names`, of token requests.
    token_parameter_names: Mapping[str, str] = field(default_factory=dict)
    #: Where a member of the token answer stands that is nested, or has another name.
    token_response_paths: Mapping[str, str] = field(default_factory=dict)
    #: Members of a renewal's answer, which has no token, by which the token in hand lives on.
    prolonging_answer: Mapping[str, str] = field(default_factory=dict)
    #: That token, while its connection is renewed.
    token_in_hand: Secret | None = field(default=None, repr=False)
    default_lifetime_seconds: int | None = None
    minimum_renewal_gap_seconds: int = 0
    maximum_renewals_per_minute: int | None = None
    renewal_margin_seconds: int | None = None
    single_use_refresh_tokens: bool = False
    refresh_token_grace_seconds: int = 0
    grant_lifetime_seconds: int | None = None
    grant_idle_lifetime_seconds: int | None = None
    renewal: str = "refresh_token"
    #: The exchange that follows each sign-in.
    long_lived_token: TokenExchange | None = None
    #: The exchange that is the renewal, where `renewal` is access_token.
    renewal_exchange: TokenExchange | None = None
    #: Requests with an access token carry Facebook's proof that the client knows its secret.
    appsecret_proof: bool = False
    token_answer: str = "standard"
    redirect_uri_at_renewal: bool = False
    failure_kinds: Mapping[str, str] = field(default_factory=dict)
    failure_remedies: Mapping[str, str] = field(default_factory=dict)
    revocation: str = "rfc7009"
    #: Whether a sign-in is to yield a lasting connection, unless its request says otherwise.
    offline_access: bool = True
    #: The issuer publishes that scope, so that what it takes is known (OpenID Connect Core 11).
    publishes_offline_access: bool = False
    offline_scope: str | None = None
    offline_parameters: Mapping[str, str] = field(default_factory=dict)
    #: Further members of token answers and callbacks to keep; None for the usual ones.
    metadata: tuple[str, ...] | None = None
    #: oauth2, or what requests to the API carry in place of a token: api_key or basic.
    credential_type: str = "oauth2"
    #: How connections are made (RFC 7591): by sign-ins alone, unless the settings say otherwise.
    grant_types: tuple[str, ...] = (AUTHORIZATION_CODE,)
    #: Further claims of a JWT bearer assertion, as templates; and how long one lives.
    assertion_claims: Mapping[str, str] = field(default_factory=dict)
    assertion_lifetime_seconds: int = 300
    installation_token_endpoint: str | None = None
    #: Where the API wants credentials; None for where the standards have them.
    api_headers: Mapping[str, str] | None = None
    api_query_parameters: Mapping[str, str] | None = None
    check_endpoint: str | None = None
    check_method: str = "GET"
    profile: Mapping[str, str] = field(default_factory=dict)
    emails: Mapping[str, str] = field(default_factory=dict)
    told_once: tuple[str, ...] = ()
    email_trust: str = "claim"
    #: What is derived from the fields above once, for all requests; a changed copy begins anew.
    prepared: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def yields_id_token(self, scopes: Iterable[str]) -> bool:
        """Return whether a sign-in for these scopes yields an id_token that we can check.

        See OpenID Connect Core section 3.1.2.1. Without an issuer an id_token is ignored.
        """
        if self.identity in ("token_response", "none"):
            return False
        is_given = self.always_gives_id_token or "openid" in scopes
        return is_given and self.issuer is not None

    def names_its_users(self, scopes: Iterable[str]) -> bool:
        """Return whether a sign-in for these scopes yields its user, or is to yield none."""
        match self.identity:
            case "none" | "token_response":
                return True
            case "userinfo":
                return self.userinfo_endpoint is not None
        has_other = self.token_answer != "standard" or self.yields_id_token(scopes)
        return has_other or (self.identity is None and self.userinfo_endpoint is not None)

    @property
    def public_name(self) -> str:
        """The name that apps know it by: `name` is the key of its row."""
        return public_name(self.name)

    @property
    def has_sign_in(self) -> bool:
        """Return whether users can sign in: not with an API key, nor where clients act alone."""
        return self.credential_type == "oauth2" and AUTHORIZATION_CODE in self.grant_types

    @property
    def has_devices(self) -> bool:
        """Return whether users can connect a device by a code that they enter (RFC 8628)."""
        return self.credential_type == "oauth2" and DEVICE_CODE in self.grant_types

    @property
    def has_users(self) -> bool:
        """Return whether users agree to connections, and clients do not act alone."""
        return self.has_sign_in or self.has_devices

    @property
    def uses_pkce(self) -> bool:
        """Return whether sign-ins use PKCE (RFC 7636)."""
        return self.code_challenge_method != "none"
