"""Authorization response (RFC 6749 section 4.1.2): what a provider sends back by the browser.

It is parsed strictly here, and not yet believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from actors.oauth.errors import StateMissing
from catfeeder.sealing import Secret
from worker.http.errors.refusals import MediaTypeUnsupported, ParametersInvalid

_FORM: Final = "application/x-www-form-urlencoded"
#: The parameters that are read; providers add others.
_KNOWN: Final = ("code", "error", "iss", "state", "user")
#: Apple's user object is shorter; what is longer comes from elsewhere.
_MAX_USER_LENGTH: Final = 4096


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """The parameters of RFC 6749 sections 4.1.2 and 4.1.2.1, and RFC 9207's."""

    state: Secret
    code: Secret | None
    error: str | None
    iss: str | None
    #: Apple's user object at the first consent, unsigned.
    user: Secret | None


async def read_authorization_response(request: Request) -> AuthorizationResponse:
    """Parse the query of a GET, or the form of a POST.

    Raises:
        MediaTypeUnsupported: The POST is no form.
        ParametersInvalid: A parameter is there twice, or there is neither code nor error.
        StateMissing: There is no state.
    """
    if request.method == "GET":
        return _parse(request.query_params.multi_items())
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise MediaTypeUnsupported(f"The body must be a form: `Content-Type: {_FORM}`.")
    text = (await request.body()).decode(errors="replace")
    try:
        return _parse(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise ParametersInvalid from None


def _parse(pairs: Iterable[tuple[str, str]]) -> AuthorizationResponse:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise ParametersInvalid
        if name in _KNOWN:
            found[name] = value
    if not found.get("state"):
        raise StateMissing
    if not found.get("code") and not found.get("error"):
        raise ParametersInvalid("The provider's answer holds neither a code nor an error.")
    code, user = found.get("code"), found.get("user")
    return AuthorizationResponse(
        state=Secret(found["state"]),
        code=Secret(code) if code else None,
        error=found.get("error"),
        iss=found.get("iss"),
        user=Secret(user) if user and len(user) <= _MAX_USER_LENGTH else None,
    )
