"""Rendering of connect pages: the app's name and logo, and the words of the browser's language."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from actors.apps.registration import describe_app
from actors.apps.settings import read_app_settings
from worker.http.connect.access import read_visit
from worker.http.pages.languages import choose_language
from worker.http.pages.templating import render_page
from worker.http.sign_ins.return_to import redirect

_MARKS: Final = Path(__file__).with_name("marks.toml")


@dataclass(frozen=True, slots=True)
class Brand:
    """What the pages show of an app."""

    name: str
    logo: str | None


def read_brand(app: str) -> Brand:
    """Return the name and the logo of an app.

    Raises:
        AppUnknown, AppTampered: It was deleted meanwhile, or its row is not ours.
    """
    return Brand(describe_app(app)["name"], read_app_settings(app).get("logo"))


def render_connect(
    request: Request, template: str, brand: Brand, *, status: int = 200, **context: Any
) -> Response:
    """Answer with a page of the visit's session."""
    visit = read_visit(request)
    language = choose_language(request)
    return render_page(
        f"connect/{template}",
        status=status,
        language=language.tag,
        words=language.words["connect"],
        brand=brand,
        visit=visit,
        marks=read_marks(),
        back=build_way_back(request),
        **context,
    )


def build_way_back(request: Request) -> str | None:
    """Return where the page leads back to, with what was connected; None if the app named no page.

    A relayed sign-in has told the app already.
    """
    session = read_visit(request).session
    if session.return_to is None:
        return None
    ids = ",".join(session.connected or ())
    return str(redirect(session.return_to, {"connection_ids": ids}).headers["location"])


@cache
def read_marks() -> dict[str, str]:
    """Return the icons that stand for providers, by preset."""
    marks: dict[str, str] = tomllib.loads(_MARKS.read_text(encoding="utf-8"))["marks"]
    return marks
