"""Pages of a sign-in's end: what a browser is shown where the app has named no page of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from starlette.responses import JSONResponse

from actors.providers.catalogue.search import find_title
from catfeeder.errors import CatFeederError
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.errors.problems import to_problem
from worker.http.pages.languages import choose_language
from worker.http.pages.templating import accepts_html, render_page

#: The codes of sign-ins that cannot be finished any more.
_EXPIRED: Final = frozenset({"state_expired", "state_unknown", "state_used", "outcome_unknown"})
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class BrowserRoute(GuardedRoute):
    """A route that a user's browser comes to: where it asks for HTML, the answer is a page.

    An app that asks for JSON, or for anything, gets the JSON that the page is made of.
    """

    def get_unguarded_handler(self) -> _Handler:
        """Return FastAPI's handler, with what it answers made into a page."""
        handle = super().get_unguarded_handler()

        async def handle_and_present(request: Request) -> Response:
            if not accepts_html(request):
                return await handle(request)
            try:
                response = await handle(request)
            except CatFeederError as error:
                response = to_problem(error)
            return _present(request, response) if isinstance(response, JSONResponse) else response

        return handle_and_present


def note_sign_in(request: Request, *, provider: str | None, reference: str | None) -> None:
    """Keep what the page of a sign-in's end names: the provider, and how operators find it."""
    request.state.sign_in = {"provider": provider, "reference": reference}


def note_cancelled(request: Request) -> None:
    """Keep that the user did not agree."""
    request.state.was_cancelled = True


def _present(request: Request, response: JSONResponse) -> Response:
    answer = json.loads(bytes(response.body))
    language = choose_language(request)
    known = getattr(request.state, "sign_in", {"provider": None, "reference": None})
    kind = _find_kind(request, response.status_code, answer)
    page = render_page(
        "sign_in_end.html",
        status=response.status_code,
        language=language.tag,
        words=language.words,
        kind=kind,
        provider=find_title(answer.get("provider") or known["provider"] or ""),
        reference=known["reference"] if kind == "failed" else None,
        detail=answer.get("detail") if kind == "failed" else None,
    )
    page.raw_headers.extend(header for header in response.raw_headers if _is_kept(header[0]))
    return page


def _is_kept(name: bytes) -> bool:
    return name in (b"set-cookie", b"retry-after")


def _find_kind(request: Request, status: int, answer: dict[str, Any]) -> str:
    """Return the name of the page's words."""
    if status < 400:
        return "connected"
    if getattr(request.state, "was_cancelled", False):
        return "cancelled"
    return "expired" if answer.get("code") in _EXPIRED else "failed"
