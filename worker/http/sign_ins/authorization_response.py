"""Authorization response (RFC 6749 section 4.1.2): what a provider sends back by the browser.

It is parsed and bounded here, and not yet believed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from actors.oauth.errors import StateMissing, StateUnknown
from actors.oauth.pending import undo_second_encoding
from actors.oauth.refusals import ProviderError, read_provider_error
from catfeeder.sealing import Secret
from worker.http.errors.refusals import MediaTypeUnsupported, ParametersInvalid
from worker.http.schemas.oauth import (
    MAX_CODE_LENGTH,
    MAX_ISS_LENGTH,
    MAX_STATE_LENGTH,
    MAX_USER_LENGTH,
)

_FORM: Final = "application/x-www-form-urlencoded"
_KNOWN: Final = ("code", "iss", "state", "user")
_READ: Final = (*_KNOWN, "error", "error_description", "error_uri")
_SINGLE: Final = (*_KNOWN, "error")
_MAX_LENGTHS: Final = {"code": MAX_CODE_LENGTH, "iss": MAX_ISS_LENGTH}
_MAX_OTHER_LENGTH: Final = 8192
_MAX_PARAMETERS: Final = 100
#: A state as sign-ins make them: random digits, and the provider's name.
_STATE: Final = re.compile(r"[A-Za-z0-9_-]{43}:[a-z0-9_-]{1,64}")


_TOO_LONG: Final = ParametersInvalid(
    f"The parameters do not make an answer of a provider: there are more than {_MAX_PARAMETERS}."
)


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """The parameters of RFC 6749 sections 4.1.2 and 4.1.2.1, and RFC 9207's."""

    #: None only beside an error.
    state: Secret | None
    code: Secret | None
    error: ProviderError | None
    iss: str | None
    #: Apple's user object at the first consent, unsigned.
    user: Secret | None
    #: All other parameters.
    further: Mapping[str, str]
    #: Why the parameters make no answer. It is raised once the state has led to the sign-in.
    fault: ParametersInvalid | None
    #: The one fault is that there is neither a code nor an error.
    is_empty: bool = False
    #: The parameter that held the state, and those that came more than once.
    state_parameter: str = "state"
    repeated: frozenset[str] = frozenset()

    def take_code(self, name: str) -> AuthorizationResponse:
        """Return the answer with its code, where that came as a parameter of another name."""
        code = self.further.get(name)
        if self.code is not None or self.error is not None or code is None:
            return self
        if name in self.repeated or len(code) > MAX_CODE_LENGTH:
            return replace(self, fault=ParametersInvalid())
        further = {one: value for one, value in self.further.items() if one != name}
        fault = None if self.is_empty else self.fault
        return replace(self, code=Secret(code), further=further, fault=fault)


async def read_authorization_response(request: Request) -> AuthorizationResponse:
    """Parse the query of a GET, or the form of a POST.

    Raises:
        MediaTypeUnsupported: The POST is no form.
        ParametersInvalid: There are too many parameters, or more than one state.
        StateMissing: There is neither a state nor an error.
        StateUnknown: The state is too long for one of ours.
    """
    if request.method == "GET":
        return _parse(request.query_params.multi_items())
    # The body's bound is one of their number, too; `_parse` says what is wrong with many.
    return _parse(await read_form(request, max_fields=None))


async def read_form(
    request: Request, max_fields: int | None = _MAX_PARAMETERS
) -> list[tuple[str, str]]:
    """Return the fields of a form in their order; one may be there twice.

    Raises:
        MediaTypeUnsupported: The body is not said to be a form.
        ParametersInvalid: It is none, or has more fields than that.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise MediaTypeUnsupported(f"The body must be a form: `Content-Type: {_FORM}`.")
    text = (await request.body()).decode(errors="replace")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=max_fields)
    except ValueError:
        raise ParametersInvalid from None


def _parse(pairs: list[tuple[str, str]]) -> AuthorizationResponse:
    is_too_long = len(pairs) > _MAX_PARAMETERS
    if is_too_long:
        # Only the state is read, which says where the user goes on.
        pairs = list(dict.fromkeys(pair for pair in pairs if pair[0] == "state"))[:2]
    # A parameter without a value counts as left out (RFC 6749 section 3.1).
    found = {name: value for name, value in pairs if value}
    name = _find_state_parameter(found)
    pairs = [("state" if one == name else one, value) for one, value in pairs]
    found = {one: value for one, value in pairs if value}
    fault = _TOO_LONG if is_too_long else _find_fault(pairs)
    state = found.get("state")
    if fault is not None and (state is None or _is_ambiguous(pairs)):
        raise fault
    if state is not None and len(state) > MAX_STATE_LENGTH:
        raise StateUnknown
    if state is not None:
        found = _undo_second_encoding(found)
    counted = Counter(one for one, _ in pairs)
    repeated = frozenset(one for one, count in counted.items() if count > 1)
    return replace(_build_response(found, fault), state_parameter=name, repeated=repeated)


def _find_state_parameter(found: Mapping[str, str]) -> str:
    """Return the parameter that holds the state: some providers have another name for it.

    Its sign-in then says whether its provider does.
    """
    if "state" in found:
        return "state"
    named = [name for name, value in found.items() if _STATE.fullmatch(value)]
    return named[0] if len(named) == 1 else "state"


def _is_ambiguous(pairs: Iterable[tuple[str, str]]) -> bool:
    return len({value for name, value in pairs if name == "state"}) > 1


def _find_fault(pairs: Iterable[tuple[str, str]]) -> ParametersInvalid | None:
    """Return why the parameters make no answer, if they do not; no value is repeated."""
    seen = set()
    for name, value in pairs:
        if name in seen and name in _SINGLE:
            return ParametersInvalid()
        seen.add(name)
        limit = _MAX_LENGTHS.get(name, _MAX_OTHER_LENGTH)
        if len(value) > limit:
            shown = name if name in _KNOWN else "One of them"
            return ParametersInvalid(
                f"The parameters do not make an answer of a provider: {shown} has more than "
                f"{limit} characters."
            )
    return None


def _undo_second_encoding(found: Mapping[str, str]) -> dict[str, str]:
    others = {name: value for name, value in found.items() if name != "state"}
    state, values = undo_second_encoding(Secret(found["state"]), *others.values())
    decoded = dict(zip(others, values, strict=True))
    return {"state": state.reveal(), **{name: value for name, value in decoded.items() if value}}


def _build_response(
    found: Mapping[str, str], fault: ParametersInvalid | None
) -> AuthorizationResponse:
    state, code, user = (
        Secret(found[name]) if name in found else None for name in ("state", "code", "user")
    )
    # What else is called an error beside a code is none.
    named = {"error": found["error"]} if "error" in found else {}
    error = None
    if code is None or named:
        secrets = [secret for secret in (state, code) if secret is not None]
        others = {name: value for name, value in found.items() if name not in _KNOWN}
        error = read_provider_error(others, secrets)
    if state is None and error is None:
        raise StateMissing
    is_empty = fault is None and code is None and error is None
    if is_empty:
        fault = ParametersInvalid("The provider's answer holds neither a code nor an error.")
    return AuthorizationResponse(
        state=state,
        code=code,
        error=error,
        iss=found.get("iss"),
        # Apple's user object is shorter; what is longer comes from elsewhere.
        user=user if user and len(user.reveal()) <= MAX_USER_LENGTH else None,
        further={name: value for name, value in found.items() if name not in _READ},
        fault=fault,
        is_empty=is_empty,
    )
