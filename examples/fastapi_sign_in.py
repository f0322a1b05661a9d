"""FastAPI: login, callback and logout, with the client of `make sdk`.

The cookie is signed and holds a random id alone; to whom that belongs is known here, until a logout
or some hours have ended it. So a copy of the cookie is worth nothing after the logout.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from cachelib import SimpleCache
from catfeeder_http import CatFeeder, CatFeederError
from fastapi import FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response

_HOURS_8 = 8 * 3600
_logger = logging.getLogger(__name__)


def create_app(catfeeder: CatFeeder, provider: str, secret_key: str, own_url: str) -> FastAPI:
    """Return the app; `catfeeder` is what `catfeeder_http.connect` returns."""
    app = FastAPI()
    app.add_middleware(
        SessionMiddleware,
        secret_key=secret_key,
        session_cookie="__Host-session",
        max_age=_HOURS_8,
        https_only=True,
        # The provider's redirect has to bring the cookie along.
        same_site="lax",
    )
    # For one process, and at most so many users, of whom the earliest go first: cachelib's
    # RedisCache in its place is for more.
    app.state.users = SimpleCache(threshold=10_000, default_timeout=_HOURS_8)
    app.add_exception_handler(CatFeederError, _refuse)
    _add_sign_in(app, catfeeder, provider, own_url)
    _add_session(app)
    return app


def _add_sign_in(app: FastAPI, catfeeder: CatFeeder, provider: str, own_url: str) -> None:
    # Plain functions: FastAPI calls them in threads, where they may wait for the service.
    @app.get("/login")
    def login(request: Request) -> Response:
        begun = catfeeder.begin_sign_in(provider, f"{own_url}/signed-in")
        request.session["state"] = begun.state
        return RedirectResponse(begun.authorization_url, 303)

    @app.get("/signed-in")
    def callback(request: Request) -> Response:
        state = request.session.pop("state", None)
        connection = catfeeder.finish_sign_in(request.query_params, state)
        _end_session(request)
        request.session["id"] = secrets.token_urlsafe(32)
        user = f"{connection.provider}:{connection.profile.subject}"
        app.state.users.set(request.session["id"], user)
        return RedirectResponse("/", 303)


def _add_session(app: FastAPI) -> None:
    # By POST alone, with SameSite=Lax: no other site can log the user out.
    @app.post("/logout")
    def logout(request: Request) -> Response:
        _end_session(request)
        return RedirectResponse("/", 303)

    @app.get("/")
    def home(request: Request) -> dict[str, str | None]:
        return {"user": app.state.users.get(request.session.get("id", ""))}


def _end_session(request: Request) -> None:
    request.app.state.users.delete(request.session.get("id", ""))
    request.session.clear()


def _refuse(_request: Request, error: Any) -> Response:
    """Answer what the client raised on purpose; the browser is signed in as before."""
    _logger.warning("No sign-in: %s", error.code)
    return JSONResponse({"code": error.code}, 400 if error.permanent else 503)
