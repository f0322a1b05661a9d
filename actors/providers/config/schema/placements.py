"""Placements: the templates of the headers and query parameters that carry a credential."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from actors.providers.protocol.placements import PLACEHOLDERS, list_placeholders

#: A token of RFC 9110 section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE: Final = re.compile("[!-~](?:[ -~]{0,2046}[!-~])?")
#: They frame or route a message (RFC 9110 section 7), so no credential stands in them.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)


def _check_headers(templates: dict[str, str]) -> dict[str, str]:
    for name in templates:
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise ValueError(
                "each name is that of a header (RFC 9110), and none that frames messages"
            )
    return _check_values(templates)


def _check_values(templates: dict[str, str]) -> dict[str, str]:
    for text in templates.values():
        if not _VALUE.fullmatch(text):
            raise ValueError("each value is of visible ASCII characters")
        if not set(list_placeholders(text)) <= set(PLACEHOLDERS):
            raise ValueError(f"braces hold one of {', '.join(PLACEHOLDERS)}")
    return templates


HeaderTemplates = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_headers)]
QueryTemplates = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_values)]
