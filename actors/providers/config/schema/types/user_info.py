"""User info types: the body and the token of the request, and paths into the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from actors.providers.config.schema.types.fields import Text
from actors.providers.config.schema.types.placeholders import refuse_json_path
from actors.providers.http.members import is_secret_name

#: GraphQL has braces and variables with a $ of its own.
_PLACEHOLDER: Final = re.compile(r"\$\{[^{}]*\}|\{(?:access_token|client_id|client_secret)\}")
_MAX_BODY_BYTES: Final = 8192
#: A token of RFC 9110 section 5.6.2, as authentication schemes are; "" for none.
_SCHEME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{0,64}")
#: Names parted by dots, each with conditions in brackets; `first + last` joins two.
_BRACKETS: Final = re.compile(r"\[([^\[\]=]+=[^\[\]]*|[0-9]{1,4})\]")


def _check_body(body: dict[str, Any]) -> dict[str, Any]:
    if left := [text for text in _list_texts(body) if _PLACEHOLDER.search(text)]:
        found = _PLACEHOLDER.findall(left[0])[0]
        raise ValueError(
            f"holds {found}, which nothing fills in: set userinfo_token_location to body for the "
            "access token"
        )
    if len(json.dumps(body)) > _MAX_BODY_BYTES:
        raise ValueError(f"must have {_MAX_BODY_BYTES} bytes as JSON at most")
    return body


def _list_texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict() | list():
            for item in value.values() if isinstance(value, dict) else value:
                yield from _list_texts(item)


def _check_scheme(scheme: str) -> str:
    if not _SCHEME.fullmatch(scheme):
        raise ValueError('must be the name of an authentication scheme, or "" for none')
    return scheme


def _check_path(path: str) -> str:
    refuse_json_path(path)
    rest = _BRACKETS.sub("", path)
    if "[" in rest or "]" in rest:
        raise ValueError("must have [name=value] or [place] behind the name of a list")
    if any(is_secret_name(part.rpartition(".")[2].strip()) for part in rest.split(" + ")):
        raise ValueError("may lead to a token or another secret, which is no part of a profile")
    return path


TokenScheme = Annotated[str, AfterValidator(_check_scheme)]
UserInfoBody = Annotated[dict[str, Any], AfterValidator(_check_body)]
ProfilePath = Annotated[Text, AfterValidator(_check_path)]
