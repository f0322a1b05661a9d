"""Placements: the templates of the headers and query parameters that carry a credential."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from actors.providers.config.schema.types.fields import TemplateURL
from actors.providers.protocol.placements import PLACEHOLDERS, list_placeholders
from actors.providers.templates.rules import VARIABLE_NAME

#: A token of RFC 9110 section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE: Final = re.compile("[!-~](?:[ -~]{0,2046}[!-~])?")
#: They frame or route a message (RFC 9110 section 7), so no credential stands in them.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
_OF_CLAIMS: Final = frozenset({"scope", "iss", "sub", "client_id"})
_PLACEMENTS: Final = ("api_headers", "api_query_parameters")
_PLACEHOLDERS_OF: Final = {
    "oauth2": ("access_token",),
    "api_key": ("api_key",),
    "basic": ("basic", "username", "password"),
}
_SLASHES_BEFORE_PATH: Final = 3


def _check_headers(templates: dict[str, str]) -> dict[str, str]:
    for name in templates:
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise ValueError(
                "each name is that of a header (RFC 9110), and none that frames messages"
            )
    if len({name.lower() for name in templates}) < len(templates):
        raise ValueError("must not hold a header twice")
    return _check_values(templates)


def _check_values(templates: dict[str, str]) -> dict[str, str]:
    """Check templates; which names there are is known with the whole body."""
    for text in templates.values():
        if not _VALUE.fullmatch(text):
            raise ValueError("each value is of visible ASCII characters")
        if "${" in text or not all(map(VARIABLE_NAME.fullmatch, list_placeholders(text))):
            shown = ", ".join(PLACEHOLDERS)
            raise ValueError(f"braces, without a $, hold the name of a variable or {shown}")
    return templates


def _check_claims(templates: dict[str, str]) -> dict[str, str]:
    if timed := sorted({"exp", "iat", "jti"} & templates.keys()):
        raise ValueError(f"must not hold {', '.join(timed)}: each assertion has its own")
    if {name for text in templates.values() for name in list_placeholders(text)} - _OF_CLAIMS:
        raise ValueError(f"braces hold one of {', '.join(sorted(_OF_CLAIMS))}")
    return _check_values(templates)


def _check_installation(url: str) -> str:
    """Check a URL that has its one placeholder in the path, so that it leads to no other host."""
    before, mark, after = url.partition("{installation_id}")
    is_in_path = before.count("/") >= _SLASHES_BEFORE_PATH and not set(before) & set("?#")
    if not mark or not is_in_path or "{installation_id}" in after:
        raise ValueError("is a URL whose path has {installation_id}, once")
    return url


def check_placements(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the templates that name what the kind of credentials lacks, or carry nothing of it."""
    kind = whole.get("credential_type") or "oauth2"
    known = {*_PLACEHOLDERS_OF[kind], "client_id", *whole.get("variables", {})}
    settings = [name for name in _PLACEMENTS if whole.get(name)]
    named = {name: set(_list_named(whole[name])) for name in settings}
    for setting, names in named.items():
        if foreign := sorted(names - known):
            text = f"which credential_type {kind} has not, nor does variables name it"
            yield setting, f"names {', '.join(foreign)}, {text}"
    if settings and not set().union(*named.values()) & set(_PLACEHOLDERS_OF[kind]):
        wanted = " or ".join(f"{{{name}}}" for name in _PLACEHOLDERS_OF[kind])
        yield settings[0], f"carries no credential: name {wanted} in it"


def _list_named(templates: Mapping[str, str]) -> list[str]:
    return [name for text in templates.values() for name in list_placeholders(text)]


HeaderTemplates = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_headers)]
QueryTemplates = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_values)]
AssertionClaims = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_claims)]
InstallationURL = Annotated[TemplateURL, AfterValidator(_check_installation)]
