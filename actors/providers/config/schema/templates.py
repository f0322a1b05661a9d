"""Templates of a provider's settings: whether something fills in each placeholder, and may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final

from actors.providers.config.schema.types.fields import check_filled_in
from actors.providers.errors import AddressForbidden
from actors.providers.http.members import is_secret_name
from actors.providers.protocol.filling import MEMBER_FIELDS, URL_FIELDS
from actors.providers.templates.places import (
    MEMBER_PREFIX,
    PLACEHOLDER,
    Place,
    Placed,
    fits_place,
    list_placeholders,
)

_OF_PATHS: Final = (Place.PATH, Place.QUERY)
_WITH_TOKEN: Final = ("userinfo_endpoint", "emails_endpoint")
_EXCHANGE: Final = "long_lived_token/endpoint"
#: What is filled in by other means, and checked with the type of its field.
_OF_FIELDS: Final = {
    ("tenantid", "issuer"),
    ("installation_id", "installation_token_endpoint"),
}
#: The access token, and its part before the first dot, which names the user with some providers.
_OF_TOKEN: Final = ("access_token", "access_token.0")
_OF_HEADERS: Final = ("client_id", "access_token")


def find_template_problems(
    given: Mapping[str, Any], preset: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the placeholders of settings, each by its field."""
    rules = {**preset.get("variables", {}), **given.get("variables", {})}
    exchange = given.get("long_lived_token", {}).get("endpoint")
    urls = {**{field: given.get(field) for field in URL_FIELDS}, _EXCHANGE: exchange}
    for field, url in urls.items():
        for placed in list_placeholders(url or ""):
            if problem := _find_problem(field, placed, rules):
                yield field, problem
        yield from _check_values(field, url or "", given.get("variables", {}))
    headers = given.get("userinfo_headers", {})
    texts = [(f"scopes/{place}", text) for place, text in enumerate(given.get("scopes", ()))]
    yield from _check_texts(texts, rules.keys())
    named = [(f"userinfo_headers/{header}", text) for header, text in headers.items()]
    yield from _check_texts(named, {*_OF_HEADERS, *rules})
    yield from _check_issuer({**preset, **given})


def _check_texts(texts: Iterable[tuple[str, str]], known: Set[str]) -> Iterator[tuple[str, str]]:
    """Yield the texts with a placeholder that nothing fills in."""
    for field, text in texts:
        for name in PLACEHOLDER.findall(text):
            if name not in known:
                yield field, _describe_unknown(name)


def _find_problem(field: str, placed: Placed, rules: Mapping[str, Any]) -> str | None:
    name, place = placed
    if name in rules:
        return _find_problem_of_variable(name, place, rules[name])
    if name.startswith(MEMBER_PREFIX):
        return _find_problem_of_member(field, name)
    if (name, field) in _OF_FIELDS:
        return None
    if name not in ("client_id", *_OF_TOKEN) or field == "client_assertion_audience":
        return _describe_unknown(name)
    if name in _OF_TOKEN and field not in _WITH_TOKEN:
        return f"must not hold {{{name}}}: user info alone may want it in a URL"
    return None if place in _OF_PATHS else f"may hold {{{name}}} in its path or query alone"


def _describe_unknown(name: str) -> str:
    return f"holds {{{name}}}, which nothing fills in: name it in variables"


def _find_problem_of_variable(name: str, place: Place, rule: Any) -> str | None:
    if place is Place.ORIGIN:
        return f"must not be {{{name}}} as a whole: begin it with https:// and a host"
    if place is Place.HOST and isinstance(rule, str):
        return (
            f"must have a fixed domain of two labels or more behind {{{name}}}, so that tokens "
            f"stay with the provider; or list the values of {name} in variables"
        )
    return None


def _find_problem_of_member(field: str, name: str) -> str | None:
    member = name.removeprefix(MEMBER_PREFIX)
    if field not in MEMBER_FIELDS:
        return f"must not hold {{{name}}}: there is no token answer yet when it is asked"
    if not member or is_secret_name(member):
        return f"must not hold {{{name}}}, which may be a secret"
    return None


def _check_values(field: str, url: str, variables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the variables with a listed value that may not stand where the URL has it."""
    for name, place in list_placeholders(url):
        rule = variables.get(name)
        for value in rule if isinstance(rule, list) else ():
            if not fits_place(value, place, is_listed=True) or not _leads_out(url, name, value):
                yield f"variables/{name}", f"has a value that cannot stand in {field}: {value}"


def _leads_out(url: str, name: str, value: str) -> bool:
    try:
        check_filled_in(url.replace(f"{{{name}}}", value))
    except (ValueError, AddressForbidden):
        return False
    return True


def _check_issuer(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = {it.name for it in list_placeholders(whole.get("issuer") or "")}
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if names & whole.get("variables", {}).keys() and not all(map(whole.get, needed)):
        yield "issuer", f"holds a variable, so discovery cannot ask it: give {', '.join(needed)}"
