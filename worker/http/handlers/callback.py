"""OAuth callback: the answer is checked, redeemed by a worker, and passed on to the app."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from fastapi import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from actors.errors import AuthError
from actors.oauth.errors import BrowserMismatch, RedirectMismatch
from actors.oauth.pending import (
    check_arrival,
    check_pending,
    fail_sign_in,
    find_sign_in,
    store_user_data,
)
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import EXCHANGE_CODE
from catfeeder.queue.jobs import unwrap_result
from catfeeder.queue.requester import act_for
from catfeeder.sealing import Secret
from models.oauth.sign_ins import TAB_VERIFICATION
from worker.http.asgi.threads import run_with_database
from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import ParametersInvalid, SignInRefused
from worker.http.handlers.authorization_response import (
    AuthorizationResponse,
    read_authorization_response,
)
from worker.http.handlers.sign_ins import record_sign_in_refusal
from worker.http.shim import Shim

#: The form of error codes in RFC 6749 and OpenID Connect; anything else is not repeated.
_ERROR: Final = re.compile(r"[a-z_]{1,64}")


async def finish_sign_in(
    shim: Shim, request: Request, provider_in_path: str | None = None
) -> Response:
    """Redeem the code and send the browser to where the app wants it, or show the connection.

    Raises:
        ParametersInvalid, MediaTypeUnsupported, StateMissing: This is no authorization response.
        StateUnknown: The state is not one of ours.
        RedirectMismatch, BrowserMismatch: The answer came to the wrong place. It is not passed on
            to `return_to`, since an attacker may have chosen that.
        TooManyAttempts: Too many refusals came from this address.
        CatFeederError: The job could not be sent; loading the page again may help.
    """
    sign_in: TAB_VERIFICATION | None = None
    try:
        answer = await read_authorization_response(request)
        sign_in = await run_with_database(find_sign_in, answer.state)
        check_pending(sign_in, utc_now())
        browser = shim.sign_in_cookies.read(request, answer.state)
        check_arrival(sign_in, provider_in_path=provider_in_path, browser=browser)
    except (AuthError, ParametersInvalid) as refused:
        await record_sign_in_refusal(shim, request, refused.code, sign_in)
        if sign_in is None or isinstance(refused, BrowserMismatch | RedirectMismatch):
            raise
        return _build_failure(refused, sign_in.return_to)
    try:
        response = await _redeem(shim, answer, sign_in)
    except _ExchangeFailed as failed:
        # The browser keeps its cookie. If it begins anew, the cookie leads to what the provider
        # sends only once, such as the user's name.
        return _build_failure(failed.failure, sign_in.return_to)
    shim.sign_in_cookies.delete(request, response, answer.state)
    return response


class _ExchangeFailed(Exception):
    """Carries the failure of a code exchange whose job was sent."""

    def __init__(self, failure: CatFeederError) -> None:
        super().__init__()
        self.failure = failure


async def _redeem(shim: Shim, answer: AuthorizationResponse, sign_in: TAB_VERIFICATION) -> Response:
    if answer.error is not None or answer.code is None:
        return await _end_refused(answer, sign_in)
    if sign_in.is_relayed and sign_in.return_to is not None:
        if answer.user is not None:
            with act_for(sign_in.app):
                await run_with_database(store_user_data, sign_in, answer.state, answer.user)
        return _relay(answer.code, answer, sign_in.return_to)
    arguments: dict[str, Any] = {"provider": sign_in.provider, "code": answer.code}
    arguments |= {"state": answer.state, "iss": answer.iss, "user": answer.user}
    with act_for(sign_in.app):
        record = await shim.send(EXCHANGE_CODE, arguments)
    try:
        connection = unwrap_result(await shim.wait(record, shim.limits.code_exchange_seconds))
    except CatFeederError as failure:
        raise _ExchangeFailed(failure) from None
    if sign_in.return_to is None:
        return JSONResponse(connection)
    return _redirect(sign_in.return_to, connection_id=connection["id"])


async def _end_refused(answer: AuthorizationResponse, sign_in: TAB_VERIFICATION) -> Response:
    error = answer.error if _ERROR.fullmatch(answer.error or "") else None
    await run_with_database(fail_sign_in, answer.state, sign_in, error, utc_now())
    suffix = f": {error}" if error else ""
    refusal = SignInRefused(f"The provider did not sign the user in{suffix}.")
    return _build_failure(refusal, sign_in.return_to)


def _relay(code: Secret, answer: AuthorizationResponse, return_to: str) -> Response:
    """Send the code to the app unspent; it is worth nothing without the verifier that we keep."""
    issuer = {} if answer.iss is None else {"iss": answer.iss}
    return _redirect(return_to, code=code.reveal(), state=answer.state.reveal(), **issuer)


def _build_failure(error: CatFeederError, return_to: str | None) -> Response:
    if return_to is None:
        return to_problem(error)
    return _redirect(return_to, error=error.code)


def _redirect(return_to: str, **parameters: str) -> RedirectResponse:
    parts = urlsplit(return_to)
    query = "&".join(filter(None, [parts.query, urlencode(parameters)]))
    return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=303)
