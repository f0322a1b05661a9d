"""Login by a browser: begun by a link of an app, or by a third party (OpenID Connect Core 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from actors.oauth.sign_in import SignInWishes
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import DEFAULT_APP, acting_app
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import RequireScope, Scope
from worker.http.errors.refusals import ParametersInvalid
from worker.http.handlers.preconditions import check_login_allowed
from worker.http.schemas.sign_ins import Login
from worker.http.shim import Shim
from worker.http.sign_ins.authorization_response import read_form
from worker.http.sign_ins.return_to import build_failure
from worker.http.sign_ins.start import is_permitted_return_to, limit_sign_ins, start_sign_in

_VARIABLE: Final = re.compile(r"variables\[([^\[\]]*)\]")


async def start_login(
    shim: Shim,
    request: Request,
    provider: str,
    parameters: Login,
    variables: dict[str, str] | None,
) -> Response:
    """Begin a sign-in of the browser that asks; what goes wrong comes to `return_to` too.

    Raises:
        KeyRequired, KeyUnknown, KeyLacksScope: `login_requires_key` is on, and the key will not do.
        CatFeederError: As `start_sign_in`, where there is no `return_to` that is permitted.
    """
    if parameters.app is not None or not shim.settings.server.login_requires_key:
        acting_app.set(await run_with_database(check_login_allowed, parameters.app or DEFAULT_APP))
    if shim.settings.server.login_requires_key:
        await RequireScope(Scope.JOBS).check(request)
    return_to = parameters.return_to or parameters.target_link_uri
    wishes = _read_wishes(parameters, return_to, variables)
    try:
        return await _begin(shim, request, provider, wishes)
    except CatFeederError as failure:
        if return_to is None or not await run_with_database(is_permitted_return_to, return_to):
            raise
        return build_failure(failure, return_to)


def _read_wishes(
    parameters: Login, return_to: str | None, variables: dict[str, str] | None
) -> SignInWishes:
    return {
        "return_to": return_to,
        "variables": variables,
        "offline_access": parameters.offline_access,
        "iss": parameters.iss,
        "prompt": parameters.prompt,
        "login_hint": parameters.login_hint,
        "max_age": parameters.max_age,
        "acr_values": parameters.acr_values,
        "acr_essential": parameters.acr_essential,
        "ui_locales": parameters.ui_locales,
    }


async def _begin(shim: Shim, request: Request, provider: str, wishes: SignInWishes) -> Response:
    """Begin a sign-in and bind it to the browser by a cookie, unless an app asks in its place."""
    if shim.settings.server.login_requires_key:
        begun = await start_sign_in(shim, request, provider, **wishes)
        return RedirectResponse(begun.authorization_url, status_code=303)
    await limit_sign_ins(shim, request)
    browser = shim.sign_in_cookies.generate_secret()
    wishes |= {"browser": browser, "earlier_browsers": shim.sign_in_cookies.read_all(request)}
    begun = await start_sign_in(shim, request, provider, **wishes)
    shim.metrics.logins.labels(provider).inc()
    response = RedirectResponse(begun.authorization_url, status_code=303)
    shim.sign_in_cookies.bind(request, response, begun, browser)
    return response


def check_given_once(pairs: Iterable[tuple[str, str]]) -> None:
    """Make sure that no parameter of a login is there twice (RFC 6749 section 3.1).

    Others are ignored (OpenID Connect Core section 4).

    Raises:
        ParametersInvalid: One is, and two readers could take another value each.
    """
    known = [name for name, _ in pairs if name in Login.model_fields]
    if len(set(known)) != len(known):
        raise ParametersInvalid("Each parameter of a login may be there once.")


def read_variables(pairs: Iterable[tuple[str, str]]) -> dict[str, str] | None:
    """Return the parameters such as `variables[subdomain]`, as OpenAPI calls it a deepObject.

    Raises:
        ParametersInvalid: One is there twice.
    """
    found = [(match[1], text) for name, text in pairs if (match := _VARIABLE.fullmatch(name))]
    if len(dict(found)) != len(found):
        raise ParametersInvalid
    return dict(found) or None


async def read_login_form(request: Request) -> tuple[Login, dict[str, str] | None]:
    """Return the parameters of a form, and the variables among them.

    Raises:
        MediaTypeUnsupported, ParametersInvalid: The body is no form, or `check_given_once` fails.
        RequestValidationError: A field has no value that it may have.
    """
    pairs = await read_form(request)
    check_given_once(pairs)
    try:
        return Login.model_validate(dict(pairs)), read_variables(pairs)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in problems]
        ) from None
