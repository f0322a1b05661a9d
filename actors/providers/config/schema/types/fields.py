"""Field types of a provider's settings, each with the sentence for an invalid value."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from actors.providers.config.schema.types.placeholders import (
    refuse_placeholder,
    refuse_secrets_in_query,
    refuse_shown_secrets,
    refuse_url_placeholder,
)
from actors.providers.errors import AddressForbidden
from actors.providers.http.addresses import check_has_domain, check_url
from actors.providers.http.members import is_secret_name
from actors.providers.templates.places import PLACEHOLDER, Place, fill, list_placeholders
from catfeeder.sealing import Secret
from config import current_settings

_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
#: A name of RFC 6749 section 3.3.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")
_MEMBER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
_MAX_SECRET_LENGTH: Final = 4096
_MAX_PEM_LENGTH: Final = 16384
#: Parameters that every sign-in writes itself.
_RESERVED_PARAMETERS: Final = (
    *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method"),
)
#: With these the answer reaches the callback; a fragment stays in the browser.
_RESPONSE_MODES: Final = ("query", "form_post")


def _refuse_control(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not hold a line break or another control character")
    return text


def _check_scope_name(text: str) -> str:
    if not _SCOPE.fullmatch(text):
        raise ValueError(
            "must be 1 to 255 visible ASCII characters without blanks, quotes and backslashes"
        )
    return text


def _check_client_secret(secret: SecretStr) -> SecretStr:
    # RFC 6749 allows visible ASCII only, but not every provider obeys.
    if not 1 <= len(secret) <= _MAX_SECRET_LENGTH:
        raise ValueError(f"must have 1 to {_MAX_SECRET_LENGTH} characters")
    refuse_placeholder(_refuse_control(secret.get_secret_value()))
    return secret


def _check_address(url: str) -> str:
    if "{" in url or "}" in url:
        raise ValueError("must be a URL without { and }: nothing fills it in")
    refuse_url_placeholder(url)
    refuse_secrets_in_query(url)
    allowed = current_settings().allowed_private_hosts
    try:
        check_url(url, allowed)
        check_has_domain(url, allowed)
    except AddressForbidden:
        raise ValueError(
            "must be an https URL of a host with a public address, "
            "or one that OAUTH_ALLOWED_PRIVATE_HOSTS names"
        ) from None
    return url


#: What stands at each place while the rest of a URL is checked.
_SAMPLES: Final = {
    Place.ORIGIN: "https://example.com",
    Place.HOST: "example.com",
    Place.LABEL: "a",
    Place.PATH: "a",
    Place.QUERY: "a",
    Place.FORBIDDEN: "a",
}


def check_filled_in(url: str) -> str:
    """Check a URL with what stands for the placeholders that are left.

    Raises:
        ValueError: It leads where no provider may be.
    """
    return _check_address(fill(url, lambda _, place: _SAMPLES[place]))


def _check_template(url: str) -> str:
    """Check a URL that may have placeholders; what they stand for is known with the whole body."""
    rest = PLACEHOLDER.sub("", url)
    if "${" in url or "{" in rest or "}" in rest:
        raise ValueError(
            "holds { } of a template that nothing fills in: {name} is a variable, and {client_id} "
            "and {token.member} are known"
        )
    if any(it.place is Place.FORBIDDEN for it in list_placeholders(url)):
        raise ValueError(
            "may hold {name} within one label of its host, before a fixed domain, or within one "
            "segment of its path"
        )
    check_filled_in(url)
    return url


def _refuse_query(url: str) -> str:
    if "?" in url:
        raise ValueError("must be a URL without a query")
    return url


def _check_private_key(pem: SecretStr) -> SecretStr:
    # Imported late: it loads cryptography, which the shim does not need otherwise.
    from actors.providers.protocol.client_authentication.assertions import (
        PrivateKeyUnusable,
        read_private_key,
    )

    try:
        if len(pem.get_secret_value()) > _MAX_PEM_LENGTH:
            raise PrivateKeyUnusable
        read_private_key(Secret(pem.get_secret_value()))
    except PrivateKeyUnusable:
        raise ValueError(
            "must be a private key in PEM: of RSA with 2048 bits or more, an elliptic curve or "
            "Ed25519"
        ) from None
    return pem


def check_algorithm(pem: SecretStr, algorithm: str) -> None:
    """Make sure that a private key can sign by an algorithm (RFC 7518 section 3.1).

    Raises:
        ValueError: It cannot; the sentence says by which one it would.
    """
    from actors.providers.protocol.client_authentication.assertions import read_private_key
    from actors.providers.protocol.published_keys import fits_algorithm

    key, usual = read_private_key(Secret(pem.get_secret_value()))
    if not fits_algorithm(key, algorithm):
        raise ValueError(f"does not fit private_key, which signs by {usual}")


def _check_audience(audience: str) -> str:
    if audience in ("token_endpoint", "issuer"):
        return audience
    try:
        return _check_template(audience)
    except ValueError:
        raise ValueError("must be token_endpoint, issuer or an https URL") from None


def _check_certificate(pem: str) -> str:
    from actors.providers.protocol.client_authentication.assertions import (
        CertificateUnusable,
        read_certificate,
    )

    try:
        read_certificate(pem)
    except CertificateUnusable:
        raise ValueError("must be one certificate in PEM, of RSA or an elliptic curve") from None
    return pem


def _refuse_reserved_parameters(url: str) -> str:
    """Refuse a URL as developers' portals offer it to copy, with the app's parameters in it."""
    named = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    if own := [name for name in _RESERVED_PARAMETERS if name in named]:
        raise ValueError(f"must be a URL without {', '.join(own)}: each sign-in writes its own")
    return url


def _check_parameters(parameters: dict[str, str]) -> dict[str, str]:
    if own := [name for name in _RESERVED_PARAMETERS if name in parameters]:
        raise ValueError(f"must not hold {', '.join(own)}: each sign-in writes its own")
    if parameters.get("response_mode", "query") not in _RESPONSE_MODES:
        raise ValueError(f"response_mode must be {' or '.join(_RESPONSE_MODES)}")
    return parameters


def check_member_name(name: str) -> str:
    """Return the name of a member that may be kept in the clear; raise ValueError for another."""
    if not _MEMBER.fullmatch(name):
        raise ValueError("must be the name of a member: letters, digits, dots, colons, - and _")
    if is_secret_name(name):
        raise ValueError("may name a token or another secret, which is never kept in the clear")
    return name


Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f]*$"},
    ),
    AfterValidator(_refuse_control),
]

#: A text that is sent as it is.
Value = Annotated[Text, AfterValidator(refuse_placeholder)]


def _check_page_address(url: str) -> str:
    # A page within a page is reached by a fragment, which never leaves the browser.
    _check_template(url.partition("#")[0])
    return url


#: How URLs begin, for the OpenAPI document; the validators say what is wrong with them.
_ADDRESS: Final = "^https?://"
_TEMPLATE: Final = r"^(https?://|\{)"
URL = Annotated[
    str,
    Field(min_length=1, max_length=2048, json_schema_extra={"pattern": _ADDRESS}),
    AfterValidator(_check_address),
]
AuthorizationEndpoint = Annotated[
    str,
    Field(min_length=1, max_length=2048, json_schema_extra={"pattern": _TEMPLATE}),
    AfterValidator(_refuse_control),
    AfterValidator(_check_page_address),
    AfterValidator(_refuse_reserved_parameters),
]
#: A URL that a connection's variables, or members of its token answer, may fill in.
TemplateURL = Annotated[
    str,
    Field(min_length=1, max_length=2048, json_schema_extra={"pattern": _TEMPLATE}),
    AfterValidator(_check_template),
]
Issuer = Annotated[TemplateURL, AfterValidator(_refuse_query)]
#: Paths are appended to it (RFC 8414 section 2).
BaseURL = Annotated[URL, AfterValidator(_refuse_query)]
AssertionAudience = Annotated[
    str, Field(min_length=1, max_length=2048), AfterValidator(_check_audience)
]
MemberName = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{_MEMBER.pattern}$"}),
    AfterValidator(check_member_name),
]
ScopeName = Annotated[
    str,
    Field(json_schema_extra={"pattern": r"^[!#-\[\]-~]{1,255}$"}),
    AfterValidator(_check_scope_name),
]
OfflineScope = Annotated[ScopeName, AfterValidator(refuse_placeholder)]
ClientSecret = Annotated[SecretStr, AfterValidator(_check_client_secret)]
PrivateKey = Annotated[SecretStr, AfterValidator(_check_private_key)]
Certificate = Annotated[str, Field(max_length=_MAX_PEM_LENGTH), AfterValidator(_check_certificate)]
AuthorizationParameters = Annotated[
    dict[Text, Text], AfterValidator(_check_parameters), AfterValidator(refuse_shown_secrets)
]
