"""Ends of a sign-in in the browser: a redirect to the app's `return_to`, else a page of JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from starlette.responses import RedirectResponse, Response

from actors.oauth.refusals import ProviderError
from actors.providers.http.answers import clean_sentence
from catfeeder.errors import CatFeederError
from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import SignInRefused
from worker.http.sign_ins.authorization_response import AuthorizationResponse

_OWN_NAMES: Final = frozenset(
    {"code", "connection_id", "error", "error_description", "error_uri", "iss", "state"}
)


def relay(answer: AuthorizationResponse, return_to: str, further: Mapping[str, str]) -> Response:
    """Send the code to the app unspent; it is worth nothing without the verifier that we keep.

    `further` are parameters that the app cannot call the API without, such as `realmId`.
    """
    code = answer.code.reveal() if answer.code else None
    own = {"code": code, "state": _reveal_state(answer), "iss": answer.iss}
    return redirect(return_to, {**further, **own})


def return_error(return_to: str, error: ProviderError, answer: AuthorizationResponse) -> Response:
    """Send the provider's own code and description to the app (RFC 6749 section 4.1.2.1)."""
    parameters = {
        "error": error.error or SignInRefused().code,
        "error_description": error.description,
        "state": _reveal_state(answer),
        "iss": answer.iss,
    }
    return redirect(return_to, parameters)


def build_failure(
    error: CatFeederError, return_to: str | None, answer: AuthorizationResponse | None = None
) -> Response:
    """Say what went wrong here: to the app where it has named a page, else to the browser."""
    if return_to is None:
        return to_problem(error)
    sentence = clean_sentence(error.public_detail)
    parameters = {"error": error.code, "error_description": sentence}
    return redirect(return_to, {**parameters, "state": _reveal_state(answer)})


def redirect(return_to: str, parameters: Mapping[str, str | None]) -> RedirectResponse:
    """Send the browser to the app, with these parameters behind those that it has put there.

    A parameter of a name of ours is dropped: a link of an attacker's, which begins a sign-in with
    such a return_to, would have the app read that one.
    """
    parts = urlsplit(return_to)
    known = {name: value for name, value in parameters.items() if value is not None}
    kept = [field for field in parts.query.split("&") if not _is_ours(field, known)]
    query = "&".join(filter(None, [*kept, urlencode(known)]))
    return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=303)


def _is_ours(field: str, known: Collection[str]) -> bool:
    """Return whether some parser would read a name of ours in a field of a query.

    Some take a semicolon for a separator, `code[]` and `CODE` for `code`, and a dot for `_`.
    """
    names = (unquote_plus(part.partition("=")[0]) for part in field.split(";"))
    read = {re.sub(r"[. ]", "_", name.strip().partition("[")[0]).lower() for name in names}
    return not read.isdisjoint(_OWN_NAMES | {name.lower() for name in known})


def _reveal_state(answer: AuthorizationResponse | None) -> str | None:
    """Return the state, by which the app recognises the sign-in of its browser."""
    return None if answer is None or answer.state is None else answer.state.reveal()
