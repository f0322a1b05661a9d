"""URL templates of the catalogues, written as the settings have them: base_url, or variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.catalogue.errors import LeftOut

URLS: Final = (
    *("authorization_endpoint", "token_endpoint", "refresh_endpoint", "userinfo_endpoint"),
    *("emails_endpoint", "revocation_endpoint", "issuer"),
)
_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_PARTS: Final = re.compile(r"(?:https://)?(\{[^{}]+\}(?=[^.]|$)|[^/?#]*)(.*)", re.DOTALL)
#: What the service fills in by itself.
_KNOWN: Final = ("client_id", "access_token", "access_token.0")
_LABEL: Final = "[a-z0-9-]+"
_SEGMENT: Final = "[A-Za-z0-9_-]+"
BASE_URL: Final = "{base_url}"


@dataclass
class Filled:
    """The URLs of a provider, and the variables that are left in them."""

    urls: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    #: Where the authorization endpoint is.
    origin: str = ""
    #: The names that base_url stands for.
    bases: set[str] = field(default_factory=set)


def write_urls(facts: Mapping[str, Any]) -> Filled:
    """Return the URLs of a provider.

    Raises:
        LeftOut: A host or a part of a URL is of a kind that no setting has.
    """
    known = facts.get("template_variables", {})
    given = {name: _clean(facts[name]) for name in URLS if facts.get(name)}
    _check_hosts(given, known)
    filled = Filled()
    for name, url in given.items():
        host, rest = _split(url)
        is_whole = _is_whole(host, known)
        if is_whole:
            filled.bases.add(host.strip("{}"))
        if name == "issuer" and is_whole and filled.origin not in ("", BASE_URL):
            continue  # It is another one for each customer, and discovery asks one.
        written = _write_one(name, rest, filled.origin) if is_whole else _fix(host, rest, filled)
        if name == "authorization_endpoint":
            filled.origin = BASE_URL if is_whole else _origin_of(written)
        filled.variables |= _variables_of(written, known)
        filled.urls[name] = written
    return filled


def _clean(url: str) -> str:
    """Return a URL without what the catalogues' code reads from a setting of its own.

    Raises:
        LeftOut: Nothing else is left of it.
    """
    text = re.sub(r"\{(\w+)\}base_url\{\}", r"{\1}", url).removesuffix("{}")
    if "{}" in text or re.fullmatch(r"\{\w+\}\w*ur[il]", text):
        raise LeftOut("each URL is a setting of the customer")
    return text


def _write_one(name: str, rest: str, origin: str) -> str:
    """Return the URL of a host that is a customer's own: that of the authorization endpoint."""
    is_known = origin not in ("", BASE_URL) and name != "token_endpoint"
    return (origin if is_known else BASE_URL) + _slashed(rest)


def _fix(host: str, rest: str, filled: Filled) -> str:
    return f"https://{_rename(host, filled.origin)}{rest}" if host else rest


def find_variables(texts: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of parameters, whose values stand alone."""
    names = [name for text in texts.values() for name in _PLACEHOLDER.findall(text)]
    return {name: _constrain(name, known, _SEGMENT) for name in names if name != "base_url"}


def _split(url: str) -> tuple[str, str]:
    found = _PARTS.fullmatch(url)
    assert found is not None, url
    return found[1], found[2]


def _is_whole(host: str, known: Mapping[str, Any]) -> bool:
    """Return whether a host is a customer's own, and none of a list."""
    name = host.strip("{}")
    is_alone = host == f"{{{name}}}" and not name.startswith("token.")
    return is_alone and "enum" not in known.get(name, {})


def _check_hosts(given: Mapping[str, str], known: Mapping[str, Any]) -> None:
    names = ("authorization_endpoint", "token_endpoint")
    hosts = {_split(given[name])[0] for name in names if name in given}
    if len([host for host in hosts if _is_whole(host, known)]) > 1:
        raise LeftOut("each customer has two hosts of its own, and base_url is one")


def _slashed(rest: str) -> str:
    return rest if not rest or rest.startswith(("/", "?")) else f"/{rest}"


def _origin_of(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _rename(host: str, origin: str) -> str:
    """Return a host whose variable has the name that it has in the authorization endpoint."""
    suffix = host.partition("}.")[2]
    is_same = host.startswith("{") and origin.startswith("https://{") and suffix
    if is_same and origin.endswith(f".{suffix}"):
        return origin.removeprefix("https://")
    return host


def _variables_of(url: str, known: Mapping[str, Any]) -> dict[str, Any]:
    host, rest = _split(url.removeprefix(BASE_URL) if url.startswith(BASE_URL) else url)
    found = {}
    for text, usual in ((host, _LABEL), (rest, _SEGMENT)):
        for name in _PLACEHOLDER.findall(text):
            if not name.startswith("token.") and name not in _KNOWN:
                found[name] = _constrain(name, known, usual)
    return found


def _constrain(name: str, known: Mapping[str, Any], usual: str) -> Any:
    """Return what a variable may be: a list, or a pattern."""
    fact = known.get(name, {})
    if "enum" in fact:
        return fact["enum"]
    pattern = fact.get("pattern", usual)
    return pattern.removeprefix("^").removesuffix("$")
