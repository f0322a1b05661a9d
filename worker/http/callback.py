"""A provider's answer to a sign-in: read, redeemed by a worker, and passed on to the app."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from actors.errors import StateMissing, StateUnknown
from catfeeder.client import outcome_of
from catfeeder.errors import CatFeederError
from catfeeder.messages import EXCHANGE_CODE
from catfeeder.sealing import Secret
from models.states import TAB_VERIFICATION
from worker.http.refusals import MediaTypeUnsupported, ParametersInvalid, SignInRefused
from worker.http.shim import Shim
from worker.http.threads import in_database

#: Browsers and proxies give up after a minute; a provider has 15 seconds for each of our requests.
_EXCHANGE_SECONDS: Final = 40
_FORM: Final = "application/x-www-form-urlencoded"
#: The parameters that mean something to us; providers add others.
_KNOWN: Final = ("code", "error", "iss", "state", "user")
#: Apple tells the name in less; what is longer is somebody else's.
_LONGEST_USER: Final = 4096
#: What RFC 6749 and OpenID Connect name their errors like. Whatever else is sent is not repeated.
_ERROR: Final = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """The parameters of RFC 6749 sections 4.1.2 and 4.1.2.1, and RFC 9207's."""

    state: Secret
    code: Secret | None
    error: str | None
    iss: str | None
    #: What Apple tells of the user at the first consent, unsigned.
    user: Secret | None


async def read_answer(request: Request) -> ProviderAnswer:
    """Read the query of a GET, or the form of a POST.

    Raises:
        MediaTypeUnsupported: The POST is no form.
        ParametersInvalid: A parameter is there twice, or there is neither code nor error.
        StateMissing: There is no state.
    """
    if request.method == "GET":
        return _answer(request.query_params.multi_items())
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise MediaTypeUnsupported(f"The body must be a form: `Content-Type: {_FORM}`.")
    text = (await request.body()).decode(errors="replace")
    try:
        return _answer(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise ParametersInvalid from None


def _answer(pairs: Iterable[tuple[str, str]]) -> ProviderAnswer:
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
    return ProviderAnswer(
        state=Secret(found["state"]),
        code=Secret(code) if code else None,
        error=found.get("error"),
        iss=found.get("iss"),
        user=Secret(user) if user and len(user) <= _LONGEST_USER else None,
    )


async def finish_sign_in(shim: Shim, answer: ProviderAnswer) -> Response:
    """Redeem the code and send the browser to where the app wants it, or show the connection.

    Raises:
        StateUnknown: The state is not one of ours.
        CatFeederError: The sign-in failed and the app named no place to tell it at, or it could
            not begin to be finished, so that loading the page again may help.
    """
    # Nobody needs a key to come here, so a state that is not ours must not cost a job.
    pending = await in_database(TAB_VERIFICATION.of, answer.state)
    if pending is None:
        raise StateUnknown
    return_to: str | None = pending.return_to
    try:
        connection = await _redeem(shim, answer, pending.provider)
    except _EndedBadly as failure:
        if return_to is None:
            raise failure.error from None
        return _redirect(return_to, error=failure.error.code)
    if return_to is None:
        return JSONResponse(connection)
    return _redirect(return_to, connection_id=connection["id"])


class _EndedBadly(Exception):
    """The sign-in is over and has failed."""

    def __init__(self, error: CatFeederError) -> None:
        """Take the reason."""
        super().__init__()
        self.error = error


async def _redeem(shim: Shim, answer: ProviderAnswer, provider: str) -> dict[str, Any]:
    if answer.error is not None or answer.code is None:
        raise _EndedBadly(_refusal(answer.error or ""))
    arguments: dict[str, Any] = {"provider": provider, "code": answer.code, "state": answer.state}
    arguments |= {"iss": answer.iss, "user": answer.user}
    record = await run_in_threadpool(shim.send, EXCHANGE_CODE, arguments)
    try:
        connection: dict[str, Any] = outcome_of(await shim.wait(record, _EXCHANGE_SECONDS))
    except CatFeederError as error:
        raise _EndedBadly(error) from None
    return connection


def _refusal(error: str) -> SignInRefused:
    said = f": {error}" if _ERROR.fullmatch(error) else ""
    return SignInRefused(f"The provider did not sign the user in{said}.")


def _redirect(return_to: str, **parameters: str) -> RedirectResponse:
    parts = urlsplit(return_to)
    query = "&".join(filter(None, [parts.query, urlencode(parameters)]))
    return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=303)
