"""Combinations of a provider's settings of which one makes another useless, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from actors.providers.http.members import is_secret_name
from actors.providers.protocol.provider import GITHUB_APP, JWT_BEARER

#: The parameters that one request has together, by their standard names.
_OF_SIGN_INS: Final = (
    *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method"),
)
_OF_EXCHANGES: Final = (
    *("client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri"),
)
_OF_RENEWALS: Final = ("client_id", "client_secret", "grant_type", "refresh_token", "scope")
#: Settings that serve some grants alone.
_OF_GRANTS: Final[Mapping[str, Sequence[str]]] = {
    "assertion_claims": (JWT_BEARER,),
    "assertion_lifetime_seconds": (JWT_BEARER, GITHUB_APP),
    "installation_token_endpoint": (GITHUB_APP,),
}
#: Members of token answers that are stored in the clear, or told to apps and logs.
_PLAIN_MEMBERS: Final = ("token_type", "scope", "error", "error_description")
_WELL_KNOWN: Final = "/.well-known/"


def find_useless(given: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with settings together; `given` are those without a preset's."""
    yield from _check_issuer(whole)
    yield from _check_grants(given, whole)
    yield from _check_user_info(whole)
    yield from _check_names_of_requests(whole)
    yield from _check_exchange(whole.get("long_lived_token", {}))
    yield from _check_answer(whole)
    yield from _check_scopes(whole)
    if given.get("revocation") == "none" and given.get("revocation_endpoint"):
        yield "revocation_endpoint", "is never asked where revocation is none: leave out one"


def _check_issuer(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    issuer = whole.get("issuer")
    if issuer is not None and _WELL_KNOWN in issuer:
        yield "issuer", f"is the URL before {_WELL_KNOWN}: leave that and all behind it out"
    if issuer is None and whole.get("client_assertion_audience") == "issuer":
        yield "client_assertion_audience", "is the issuer, and there is none: set issuer"


def _check_grants(given: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind, grants = whole.get("credential_type"), whole.get("grant_types")
    if kind in ("api_key", "basic") and "grant_types" in given:
        text = f"are grants of OAuth 2.0, and credential_type is {kind}: leave out one of them"
        yield "grant_types", text
    if grants == ["refresh_token"]:
        yield "grant_types", "make no connection: name the grant that yields refresh tokens too"
    for field, users in _OF_GRANTS.items():
        if given.get(field) is not None and not set(users) & set(grants or ()):
            yield field, f"serves the grant {' or '.join(users)} alone: name it in grant_types"
    if given.get("check_endpoint") and (kind or "oauth2") == "oauth2":
        text = "is asked with keys and passwords alone: set credential_type to api_key or basic"
        yield "check_endpoint", text


def _check_user_info(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    has_body = whole.get("userinfo_body") or whole.get("userinfo_token_location") == "body"
    if has_body and whole.get("userinfo_method") == "GET":
        text = "must be POST, which has a body: userinfo_body, or the token in it"
        yield "userinfo_method", text


def _check_names_of_requests(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the settings by which one request would have two parameters of one name."""
    usual = whole.get("parameter_names", {})
    at_token = {**usual, **whole.get("token_parameter_names", {})}
    field = "token_parameter_names" if "token_parameter_names" in whole else "parameter_names"
    for where, names, parameters in (
        ("parameter_names", usual, _OF_SIGN_INS),
        (field, at_token, _OF_EXCHANGES),
        (field, at_token, _OF_RENEWALS),
    ):
        written = [names.get(name, name) for name in parameters if names.get(name, name)]
        if twice := sorted({name for name in written if written.count(name) > 1}):
            yield where, f"gives {', '.join(twice)} to two parameters of one request"


def _check_exchange(exchange: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    parameters = exchange.get("parameters") or {}
    token = exchange.get("token_parameter") or "access_token"
    if token == "grant_type" or token in parameters:
        text = f"is {token}, which the request has for something else: name another"
        yield "long_lived_token/token_parameter", text
    if "grant_type" in parameters:
        yield "long_lived_token/parameters", "must not hold grant_type, which is a setting itself"


def _check_answer(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for member in _PLAIN_MEMBERS:
        path = whole.get("token_response_paths", {}).get(member, "")
        last = path.rpartition(".")[2]
        if last != member and is_secret_name(last):
            text = "may lead to a token or another secret, which is never kept in the clear"
            yield f"token_response_paths/{member}", text


def _check_scopes(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    separator = whole.get("scope_separator", " ")
    if split := [scope for scope in whole.get("scopes", ()) if separator in scope]:
        yield "scope_separator", f"stands within the scope {split[0]}, which it would split"
