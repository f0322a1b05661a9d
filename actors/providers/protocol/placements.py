"""Placement of credentials: the headers and query parameters of requests to a provider's API."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actors.providers.protocol.tokens.types import read_token_type

#: What a template may name: the token of a grant, an API key, user name and password, the client.
PLACEHOLDERS: Final = ("access_token", "api_key", "username", "password", "client_id", "basic")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}|[{}]")
_HEADERS_BY_KIND: Final = {
    "api_key": {"Authorization": "Bearer {api_key}"},
    "basic": {"Authorization": "Basic {basic}"},
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a provider's API wants credentials; without templates, where standards have them."""

    headers: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None
    client_id: str = ""

    def place_token(
        self, access_token: str, token_type: str, variables: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return headers and query parameters for a token (RFC 6750 section 2.1)."""
        scheme = read_token_type(token_type)
        if self.headers is None and self.query is None:
            return {"Authorization": f"{scheme} {access_token}"}, {}
        usual = {"Authorization": f"{scheme} {{access_token}}"}
        return self._fill(usual, {**(variables or {}), "access_token": access_token})

    def place_members(
        self, kind: str, members: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return headers and query parameters for an API key, or user name and password."""
        return self._fill(_HEADERS_BY_KIND[kind], {**(variables or {}), **members})

    def _fill(
        self, usual: Mapping[str, str], members: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        values = {**members, "client_id": self.client_id, "basic": _encode_basic(members)}
        is_elsewhere = self.headers is None and self.query is not None
        headers = {} if is_elsewhere else self.headers or usual
        return _fill_each(headers, values), _fill_each(self.query or {}, values)


def _encode_basic(members: Mapping[str, str]) -> str:
    """Return user name and password as RFC 7617 section 2 joins them."""
    pair = f"{members.get('username', '')}:{members.get('password', '')}"
    return base64.b64encode(pair.encode()).decode()


def _fill_each(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: fill_template(text, values) for name, text in templates.items()}


def list_placeholders(template: str) -> list[str]:
    """Return the names in a template's braces; "" for a brace that stands alone."""
    return [found[1] or "" for found in _PLACEHOLDER.finditer(template)]


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Replace each name in braces; what fills it in is not looked at again."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1] or "", ""), template)
