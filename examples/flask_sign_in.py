"""Flask: login, callback and logout, with the client of `make sdk`.

The session is Flask's signed cookie: readable, but not to be changed, by its browser.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, redirect, request, session, url_for


def create_app(catfeeder: Any, provider: str, secret_key: str, own_url: str) -> Flask:
    """Return the app; `catfeeder` is what `catfeeder_http.connect` returns."""
    app = Flask(__name__)
    app.secret_key = secret_key
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        # Lax: the provider's redirect has to bring the cookie along.
        SESSION_COOKIE_SAMESITE="Lax",
    )

    @app.get("/login")
    def login() -> Any:
        begun = catfeeder.begin_sign_in(provider, own_url + url_for("callback"))
        session["state"] = begun.state
        return redirect(begun.authorization_url, 303)

    @app.get("/signed-in")
    def callback() -> Any:
        state = session.pop("state", None)
        try:
            connection = catfeeder.finish_sign_in(request.args, state)
        except Exception as error:
            # Whatever it is, its browser is signed in as before.
            if not hasattr(error, "code"):
                raise
            abort(400, error.code)
        # A session that was there before the sign-in ends with it.
        session.clear()
        session["user"] = f"{connection.provider}:{connection.profile.subject}"
        return redirect(url_for("home"), 303)

    # By POST alone, with SameSite=Lax: no other site can log the user out.
    @app.post("/logout")
    def logout() -> Any:
        session.clear()
        return redirect(url_for("home"), 303)

    @app.get("/")
    def home() -> Any:
        return {"user": session.get("user")}

    return app
