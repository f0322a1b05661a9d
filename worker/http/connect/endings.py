"""Ends of connect pages: the link has expired, was opened elsewhere, or something failed."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from actors.connect.errors import ConnectLinkExpired
from catfeeder.errors import CatFeederError
from worker.http.connect.notices import find_notice
from worker.http.errors.statuses import get_status
from worker.http.pages.languages import choose_language
from worker.http.pages.templating import render_page

_BY_CODE: Final = {
    "connect_link_taken": "taken",
    "connect_link_expired": "expired",
    "connect_link_unknown": "expired",
    "form_forged": "forged",
}
_ICONS: Final = {"taken": "link-slash", "expired": "hourglass-end", "forged": "rotate"}


def render_ending(request: Request, error: CatFeederError) -> Response:
    """Answer with a page that says what the user can do."""
    language = choose_language(request)
    kind = _BY_CODE.get(error.code)
    words = language.words["connect"]
    shown = words["endings"][kind] if kind else words["endings"]["failed"]
    text = shown["text"] if kind else _find_text(words, find_notice(error.code))
    return render_page(
        "connect/ending.html",
        status=get_status(error.code),
        language=language.tag,
        title=shown["title"],
        text=text,
        back=error.return_to if isinstance(error, ConnectLinkExpired) else None,
        words=language.words,
        icon=_ICONS.get(kind or "", "circle-exclamation"),
    )


def _find_text(words: dict[str, Any], notice: str) -> str:
    """Return a notice that names no provider."""
    return str(words["notices_unnamed"].get(notice) or words["notices"][notice])
