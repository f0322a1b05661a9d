"""OAuth callback: the answer is checked, redeemed by a worker, and passed on to the app."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Request
from starlette.responses import JSONResponse, Response

from actors.errors import AuthError
from actors.oauth.errors import BrowserMismatch, RedirectMismatch, StateUnknown
from actors.oauth.issuer_checks import check_issuer_of_error
from actors.oauth.pending import (
    check_arrival,
    check_pending,
    fail_sign_in,
    find_callback_names,
    find_latest_of_browser,
    find_sign_in,
    record_provider_error,
    store_callback_metadata,
    store_user_data,
)
from actors.oauth.refusals import ProviderError
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, OperatorError
from catfeeder.messages import EXCHANGE_CODE
from catfeeder.queue.jobs.store import unwrap_result
from catfeeder.queue.requester import act_for
from catfeeder.sealing import Secret
from models.oauth.sign_ins import TAB_VERIFICATION
from worker.http.asgi.threads import run_with_database
from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import ParametersInvalid, SignInRefused, TooManyAttempts
from worker.http.handlers.preconditions import has_provider
from worker.http.shim import Shim
from worker.http.sign_ins.authorization_response import (
    AuthorizationResponse,
    read_authorization_response,
)
from worker.http.sign_ins.pages import note_cancelled, note_sign_in
from worker.http.sign_ins.return_to import build_failure, redirect, relay, return_error
from worker.http.sign_ins.start import limit_refusals, record_sign_in_refusal

_log: Final = logging.getLogger(__name__)


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
        CatFeederError: There is no `return_to`, and the job could not be sent; loading the page
            again may help.
    """
    async with _record_refusals(shim, request):
        answer = await read_authorization_response(request)
        if answer.state is None:
            return await _refuse_without_state(shim, request, answer, provider_in_path)
        state = answer.state
        sign_in = await _find_sign_in(answer, state)
        answer = await run_with_database(_read_names, answer, sign_in)
    note_sign_in(request, provider=sign_in.provider, reference=sign_in.reference)
    try:
        check_pending(sign_in, utc_now())
        browser = shim.sign_in_cookies.read(request, state)
        check_arrival(sign_in, provider_in_path=provider_in_path, browser=browser)
        await _check_answer(answer, sign_in)
    except (AuthError, ParametersInvalid) as refused:
        return await _refuse(shim, request, refused, sign_in, answer)
    return await _end(shim, request, answer, state, sign_in)


async def _check_answer(answer: AuthorizationResponse, sign_in: TAB_VERIFICATION) -> None:
    """Raise the fault of an answer, or that its error comes from another issuer (RFC 9207)."""
    if answer.fault is not None:
        raise answer.fault
    if answer.error is not None and not sign_in.is_relayed:
        with act_for(sign_in.app):
            await run_with_database(check_issuer_of_error, sign_in, answer.iss)


@asynccontextmanager
async def _record_refusals(shim: Shim, request: Request) -> AsyncGenerator[None]:
    """Write the event of an answer that belongs to no sign-in."""
    try:
        yield
    except (AuthError, ParametersInvalid) as refused:
        await record_sign_in_refusal(shim, request, refused.code, None)
        raise


async def _find_sign_in(answer: AuthorizationResponse, state: Secret) -> TAB_VERIFICATION:
    try:
        return await run_with_database(find_sign_in, state)
    except StateUnknown:
        raise answer.fault or StateUnknown from None


def _read_names(answer: AuthorizationResponse, sign_in: TAB_VERIFICATION) -> AuthorizationResponse:
    """Return the answer with its code, by the names that its provider has for parameters.

    Raises:
        StateUnknown: The state came as a parameter that this provider does not return it by.
    """
    is_whole = answer.code is not None or answer.error is not None
    if answer.state_parameter == "state" and is_whole:
        return answer
    try:
        with act_for(sign_in.app):
            state_parameter, code_parameter = find_callback_names(sign_in)
    except AuthError:
        # A provider that was erased meanwhile has no names of its own.
        state_parameter, code_parameter = "state", "code"
    if answer.state_parameter not in ("state", state_parameter):
        raise StateUnknown
    return answer.take_code(code_parameter)


async def _refuse(
    shim: Shim,
    request: Request,
    refused: AuthError | ParametersInvalid,
    sign_in: TAB_VERIFICATION,
    answer: AuthorizationResponse,
) -> Response:
    """Write the event of a refused answer, and say so at `return_to` unless it strayed."""
    is_stray = isinstance(refused, BrowserMismatch | RedirectMismatch)
    try:
        await record_sign_in_refusal(shim, request, refused.code, sign_in)
    except TooManyAttempts:
        # An app that has named a page learns what became of its sign-in all the same.
        if is_stray or sign_in.return_to is None:
            raise
    if is_stray:
        raise refused
    return build_failure(refused, sign_in.return_to, answer)


async def _refuse_without_state(
    shim: Shim, request: Request, answer: AuthorizationResponse, provider: str | None
) -> Response:
    """Pass on an error that came without its state: the browser's cookie leads to the sign-in.

    The sign-in goes on, since anyone can make a browser open such an answer.
    """
    error = answer.error or ProviderError(None, None)
    cookies = shim.sign_in_cookies.read_pending(request)
    sign_in = await run_with_database(find_latest_of_browser, cookies, provider, utc_now())
    await limit_refusals(shim, request)
    if provider is not None and not await run_with_database(has_provider, provider):
        provider = None
    await run_with_database(record_provider_error, error, sign_in, utc_now(), provider)
    refusal = SignInRefused(error.sentence)
    if sign_in is None or sign_in.return_to is None:
        return to_problem(refusal)
    return return_error(sign_in.return_to, error, answer)


async def _end(
    shim: Shim,
    request: Request,
    answer: AuthorizationResponse,
    state: Secret,
    sign_in: TAB_VERIFICATION,
) -> Response:
    try:
        response = await _redeem(shim, request, answer, state, sign_in)
    except CatFeederError as failure:
        # The browser keeps its cookie. If it begins anew, the cookie leads to what the provider
        # sends only once, such as the user's name.
        if isinstance(failure, OperatorError):
            _log.error("%s", failure)
        return build_failure(failure, sign_in.return_to, answer)
    shim.sign_in_cookies.delete(request, response, state)
    return response


async def _redeem(
    shim: Shim,
    request: Request,
    answer: AuthorizationResponse,
    state: Secret,
    sign_in: TAB_VERIFICATION,
) -> Response:
    if answer.error is not None or answer.code is None:
        return await _end_refused(request, answer, state, sign_in)
    kept: dict[str, str] = {}
    if answer.further:
        with act_for(sign_in.app):
            kept = await run_with_database(store_callback_metadata, sign_in, state, answer.further)
    if sign_in.is_relayed and sign_in.return_to is not None:
        if answer.user is not None:
            with act_for(sign_in.app):
                await run_with_database(store_user_data, sign_in, state, answer.user)
        return relay(answer, sign_in.return_to, kept)
    arguments: dict[str, Any] = {"provider": sign_in.provider, "code": answer.code}
    arguments |= {"state": state, "iss": answer.iss, "user": answer.user}
    # A worker of an earlier release takes no `parameters`.
    arguments |= {"parameters": kept} if kept else {}
    with act_for(sign_in.app):
        record = await shim.send(EXCHANGE_CODE, arguments)
    connection = unwrap_result(await shim.wait(record, shim.limits.code_exchange_seconds))
    if sign_in.return_to is None:
        return JSONResponse(connection)
    return redirect(sign_in.return_to, {"connection_id": connection["id"]})


async def _end_refused(
    request: Request, answer: AuthorizationResponse, state: Secret, sign_in: TAB_VERIFICATION
) -> Response:
    error = answer.error or ProviderError(None, None)
    if error.is_users_choice:
        note_cancelled(request)
    await run_with_database(fail_sign_in, state, sign_in, error, utc_now())
    if sign_in.return_to is None:
        return to_problem(SignInRefused(error.sentence))
    return return_error(sign_in.return_to, error, answer)
