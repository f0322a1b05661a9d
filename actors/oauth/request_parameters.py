"""Authentication request parameters (OpenID Connect Core 3.1.2.1) that one sign-in may ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from actors.oauth.errors import RequestParameterInvalid
from actors.providers.identity.authentication import AcrDemand
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.tokens.targets import RESOURCE_SENTENCE, read_resources
from catfeeder.verbs.sign_in_options import RequestParameters

#: Ten years, as longer lifetimes of other settings.
MAX_AGE_LIMIT: Final = 315_360_000
#: Names parted by single spaces; "none" asks for no page, and so for nothing else besides.
PROMPT: Final = re.compile(r"(?!none |.* none\b)[a-z_]{1,64}( [a-z_]{1,64}){0,7}")
_LOGIN_HINT: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,2048}")
ACR_VALUES: Final = re.compile(r"[\x21-\x7e]{1,255}( [\x21-\x7e]{1,255}){0,15}")
#: Language tags (RFC 5646 section 2.1).
UI_LOCALES: Final = re.compile("[A-Za-z0-9-]{1,35}( [A-Za-z0-9-]{1,35}){0,15}")
_SENTENCES: Final = {
    "prompt": (
        "must be names of lower case letters, parted by spaces, such as login, consent or "
        "select_account; none stands alone"
    ),
    "login_hint": "must be 1 to 2048 characters, none of them a control character",
    "max_age": f"must be whole seconds, from 0 to {MAX_AGE_LIMIT}",
    "acr_values": "must be names of visible ASCII characters, parted by spaces",
    "ui_locales": "must be language tags, parted by spaces, such as de en",
}


def write_parameters(asked: RequestParameters) -> dict[str, str]:
    """Return the parameters of the authorization URL, without those that are None.

    Raises:
        RequestParameterInvalid: One is outside its grammar; the sentence names it.
    """
    values = {name: asked.get(name) for name in _SENTENCES}
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if not _is_valid(name, value):
            raise RequestParameterInvalid(f"{name} {_SENTENCES[name]}.")
    return {name: str(value) for name, value in given.items()}


def _is_valid(name: str, value: Any) -> bool:
    if name == "max_age":
        return type(value) is int and 0 <= value <= MAX_AGE_LIMIT
    patterns = {
        "prompt": PROMPT,
        "login_hint": _LOGIN_HINT,
        "acr_values": ACR_VALUES,
        "ui_locales": UI_LOCALES,
    }
    return isinstance(value, str) and patterns[name].fullmatch(value) is not None


def read_asked_resources(asked: RequestParameters) -> list[str]:
    """Return the resources that a sign-in asks for (RFC 8707 section 2.1).

    Raises:
        RequestParameterInvalid: One of them is no absolute URI.
    """
    if (value := asked.get("resource")) is None:
        return []
    if (resources := read_resources(value)) is None:
        raise RequestParameterInvalid(f"resource {RESOURCE_SENTENCE}.")
    return resources


def find_acr_demand(
    asked: RequestParameters, query: Mapping[str, str], *, has_id_token: bool
) -> AcrDemand | None:
    """Return the `acr_values` that the id_token is checked against; None where none are asked.

    Raises:
        RequestParameterInvalid: `acr_essential` has no `acr_values`, or no id_token to prove one.
    """
    is_essential = bool(asked.get("acr_essential"))
    values = query.get("acr_values", "").split()
    if is_essential and not (values and has_id_token):
        raise RequestParameterInvalid(
            "acr_essential needs acr_values, and an id_token to prove one of them: a provider with "
            "an issuer, and the scope openid."
        )
    return AcrDemand(tuple(values), is_essential) if values and has_id_token else None


def request_essential_acr(query: Mapping[str, str], demand: AcrDemand) -> dict[str, str]:
    """Return parameters that ask for an acr as an essential claim, in place of `acr_values`.

    With both the behaviour is unspecified (OpenID Connect Core section 5.5.1.1).

    Raises:
        RequestParameterInvalid: The `claims` of the provider's settings are no JSON object.
    """
    try:
        claims = json.loads(query.get("claims", "{}"))
        of_token = {**claims.get("id_token", {})}
    except (ValueError, AttributeError, TypeError):
        raise RequestParameterInvalid(
            "acr_essential cannot join the claims of the provider's settings: no JSON object."
        ) from None
    of_token["acr"] = {"essential": True, "values": list(demand.values)}
    rest = {name: value for name, value in query.items() if name != "acr_values"}
    return {**rest, "claims": json.dumps({**claims, "id_token": of_token})}


def find_max_age(provider: Provider, query: Mapping[str, str], *, has_id_token: bool) -> int | None:
    """Return the `max_age` that auth_time in the id_token has to prove; None where none is asked.

    Raises:
        RequestParameterInvalid: One sign-in asks for it, and no id_token will prove it.
    """
    text = query.get("max_age", "")
    if has_id_token:
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else None
    if text != provider.authorization_parameters.get("max_age", ""):
        raise RequestParameterInvalid(
            f"max_age needs an id_token, whose auth_time proves it, and a sign-in with "
            f"{provider.name} yields none: it needs an issuer and the scope openid."
        )
    return None
