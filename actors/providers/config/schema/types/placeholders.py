"""Placeholders of other notations: what is left of a template that an operator has copied."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

#: A whole value such as ${CLIENT_ID}, {{secret}} or <your client id>.
_WHOLE: Final = re.compile(r"\$\{.*\}|\{\{?[^{}]*\}\}?|<[A-Za-z][A-Za-z0-9 _.-]*>", re.DOTALL)
#: OData has parameters such as $select, whose names begin so.
_ODATA: Final = re.compile(r"(?<=[?&])\$[A-Za-z]+(?==)")
_OF_TEMPLATES: Final = re.compile(r"[<>$]|%(?![0-9A-Fa-f]{2})")
_JSON_PATH: Final = re.compile(r"\$[.\[]|.*[{}]", re.DOTALL)
#: What is sealed as a setting of its own, or comes from a user's grant.
_SECRET_PARAMETERS: Final = (
    *("client_assertion", "client_secret", "code_verifier", "password", "refresh_token"),
)


def refuse_placeholder(text: str) -> str:
    """Return a text; raise ValueError for one that stands for another."""
    if _WHOLE.fullmatch(text):
        raise ValueError("is a placeholder that nothing fills in: give the value itself")
    return text


def refuse_url_placeholder(url: str) -> str:
    """Return a URL; raise ValueError for one with placeholders such as $tenant, <tenant> or %s."""
    if found := _OF_TEMPLATES.search(_ODATA.sub("", url)):
        raise ValueError(
            f"holds the {found[0]} of a template that nothing fills in: write what it stands for, "
            "or {name} and name it in variables; a URL's own is written in percent-encoding"
        )
    return url


def refuse_secrets_in_query(url: str) -> str:
    """Return a URL; raise ValueError for one with a secret in the clear, as logs would have it."""
    named = dict(parse_qsl(urlsplit(url).query))
    if own := [name for name in _SECRET_PARAMETERS if named.get(name, "{")[0] != "{"]:
        raise ValueError(f"must not hold {', '.join(own)}: a URL is no place for a secret")
    return url


def refuse_shown_secrets(parameters: dict[str, str]) -> dict[str, str]:
    """Return authorization parameters; raise ValueError where one is a secret of the client."""
    if own := [name for name in _SECRET_PARAMETERS if name in parameters]:
        raise ValueError(f"must not hold {', '.join(own)}: the user's browser would show it")
    return parameters


def refuse_json_path(path: str) -> str:
    """Return a path of members; raise ValueError for one in JSONPath's notation."""
    if _JSON_PATH.match(path):
        raise ValueError("must be names parted by dots, such as data.id, without $. and braces")
    return path
