"""Flask: login, callback and logout, with the client of `make sdk`.

Flask's cookie is signed and holds a random id alone; to whom that belongs is known here, until a
logout or some hours have ended it. So a copy of the cookie is worth nothing after the logout.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from cachelib import BaseCache, SimpleCache
from catfeeder_http import CatFeeder, CatFeederError
from flask import Flask, current_app, redirect, request, session, url_for

_LIFETIME = timedelta(hours=8)


def create_app(catfeeder: CatFeeder, provider: str, secret_key: str, own_url: str) -> Flask:
    """Return the app; `catfeeder` is what `catfeeder_http.connect` returns."""
    app = Flask(__name__)
    app.secret_key = secret_key
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        # Lax: the provider's redirect has to bring the cookie along.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=_LIFETIME,
    )
    # For one process, and at most so many users, of whom the earliest go first: cachelib's
    # RedisCache in its place is for more.
    users = app.extensions["users"] = SimpleCache(10_000, default_timeout=_LIFETIME)
    app.register_error_handler(CatFeederError, _refuse)
    _add_sign_in(app, users, catfeeder, provider, own_url)
    _add_session(app, users)
    return app


def _add_sign_in(
    app: Flask, users: BaseCache, catfeeder: CatFeeder, provider: str, own_url: str
) -> None:
    @app.get("/login")
    def login() -> Any:
        begun = catfeeder.begin_sign_in(provider, own_url + url_for("callback"))
        session["state"] = begun.state
        return redirect(begun.authorization_url, 303)

    @app.get("/signed-in")
    def callback() -> Any:
        state = session.pop("state", None)
        connection = catfeeder.finish_sign_in(request.args, state)
        _end_session(users)
        session["id"] = secrets.token_urlsafe(32)
        users.set(session["id"], f"{connection.provider}:{connection.profile.subject}")
        return redirect(url_for("home"), 303)


def _add_session(app: Flask, users: BaseCache) -> None:
    # By POST alone, with SameSite=Lax: no other site can log the user out.
    @app.post("/logout")
    def logout() -> Any:
        _end_session(users)
        return redirect(url_for("home"), 303)

    @app.get("/")
    def home() -> Any:
        return {"user": users.get(session.get("id", ""))}


def _end_session(users: BaseCache) -> None:
    users.delete(session.get("id", ""))
    session.clear()


def _refuse(error: Any) -> Any:
    """Answer what the client raised on purpose; the browser is signed in as before."""
    current_app.logger.warning("No sign-in: %s", error.code)
    return {"code": error.code}, 400 if error.permanent else 503
