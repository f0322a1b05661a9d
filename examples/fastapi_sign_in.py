"""FastAPI: login, callback and logout, with the client of `make sdk`.

Sessions are rows here: the cookie holds a random id, which is another one after each sign-in.
"""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.responses import RedirectResponse

_COOKIE = "__Host-session"


class Sessions:
    """Sessions by a random name, which a cookie of the browser holds."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, str]] = {}  # Your database.

    def read(self, request: Request) -> dict[str, str]:
        """Return the session of a browser; an empty one where there is none."""
        return self._rows.get(request.cookies.get(_COOKIE, ""), {})

    def end(self, request: Request) -> dict[str, str]:
        """End the session of a browser, and return what it held."""
        return self._rows.pop(request.cookies.get(_COOKIE, ""), {})

    def begin(self, response: Response, content: dict[str, str]) -> None:
        """Begin a session under a new name."""
        name = secrets.token_urlsafe(32)
        self._rows[name] = content
        # Lax: the provider's redirect has to bring the cookie along.
        response.set_cookie(_COOKIE, name, secure=True, httponly=True, samesite="lax")


def create_app(catfeeder: Any, provider: str, own_url: str) -> FastAPI:
    """Return the app; `catfeeder` is what `catfeeder_http.connect` returns."""
    app = FastAPI()
    sessions = Sessions()

    # Plain functions: FastAPI calls them in threads, where they may wait for the service.
    @app.get("/login")
    def login(request: Request) -> Response:
        begun = catfeeder.begin_sign_in(provider, f"{own_url}/signed-in")
        response = RedirectResponse(begun.authorization_url, 303)
        sessions.begin(response, {**sessions.end(request), "state": begun.state})
        return response

    @app.get("/signed-in")
    def callback(request: Request) -> Response:
        session = sessions.read(request)
        state = session.pop("state", None)
        try:
            connection = catfeeder.finish_sign_in(request.query_params, state)
        except Exception as error:
            # Whatever it is, its browser is signed in as before.
            if not hasattr(error, "code"):
                raise
            raise HTTPException(400, error.code) from None
        sessions.end(request)
        response = RedirectResponse("/", 303)
        user = f"{connection.provider}:{connection.profile.subject}"
        sessions.begin(response, {"user": user})
        return response

    # By POST alone, with SameSite=Lax: no other site can log the user out.
    @app.post("/logout")
    def logout(request: Request) -> Response:
        sessions.end(request)
        response = RedirectResponse("/", 303)
        response.delete_cookie(_COOKIE, secure=True, httponly=True, samesite="lax")
        return response

    @app.get("/")
    def home(request: Request) -> dict[str, str | None]:
        return {"user": sessions.read(request).get("user")}

    return app
