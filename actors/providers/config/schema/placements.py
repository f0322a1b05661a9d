"""Placements: the templates of the headers and query parameters that carry a credential."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from actors.providers.config.schema.field_types import TemplateURL
from actors.providers.protocol.placements import PLACEHOLDERS, list_placeholders

#: A token of RFC 9110 section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE: Final = re.compile("[!-~](?:[ -~]{0,2046}[!-~])?")
#: They frame or route a message (RFC 9110 section 7), so no credential stands in them.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
_CLAIM_PLACEHOLDERS: Final = ("scope", "iss", "sub", "client_id")
_SLASHES_BEFORE_PATH: Final = 3


def _check_headers(templates: dict[str, str]) -> dict[str, str]:
    for name in templates:
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise ValueError(
                "each name is that of a header (RFC 9110), and none that frames messages"
            )
    return _check_values(templates)


def _check_values(
    templates: dict[str, str], allowed: tuple[str, ...] = PLACEHOLDERS
) -> dict[str, str]:
    for text in templates.values():
        if not _VALUE.fullmatch(text):
            raise ValueError("each value is of visible ASCII characters")
        if not set(list_placeholders(text)) <= set(allowed):
            raise ValueError(f"braces hold one of {', '.join(allowed)}")
    return templates


def _check_claims(templates: dict[str, str]) -> dict[str, str]:
    if timed := sorted({"exp", "iat", "jti"} & templates.keys()):
        raise ValueError(f"must not hold {', '.join(timed)}: each assertion has its own")
    return _check_values(templates, _CLAIM_PLACEHOLDERS)


def _check_installation(url: str) -> str:
    """Check a URL that has its one placeholder in the path, so that it leads to no other host."""
    before, mark, after = url.partition("{installation_id}")
    is_in_path = before.count("/") >= _SLASHES_BEFORE_PATH and not set(before) & set("?#")
    if not mark or not is_in_path or set(before + after) & set("{}"):
        raise ValueError("is a URL whose path has {installation_id}, once")
    return url


HeaderTemplates = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_headers)]
QueryTemplates = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_values)]
AssertionClaims = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_claims)]
InstallationURL = Annotated[TemplateURL, AfterValidator(_check_installation)]
