"""Page templates (Jinja2, escaped as HTML), answered under a strict Content Security Policy."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from worker.http.asgi.content_security import build_page_policy
from worker.http.pages.sentences import fill, isolate

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: A time as our sentences hold it (RFC 3339), or a command or setting between backticks.
_MARKED: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))|`(?P<code>[^`]+)`"
)
_FOLDER: Final = Path(__file__).with_name("templates")


def render_page(
    template: str, *, status: int = 200, form_targets: tuple[str, ...] = (), **context: Any
) -> HTMLResponse:
    """Answer with a page.

    `template` is a path below `templates/`; `form_targets` are origins beside our own to which
    the answers to its forms may redirect.
    """
    headers = {
        "Content-Security-Policy": build_page_policy(form_targets),
        # With `no-referrer` browsers hide a form's origin too, and it could not be checked.
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(render(template, **context), status, headers)


def accepts_html(request: Request) -> bool:
    """Return whether a request comes from a browser that is to show the answer to its user."""
    return "text/html" in request.headers.get("accept", "")


def render(template: str, **context: Any) -> str:
    """Return the text of a template, a whole page or a part of one."""
    return _get_environment().get_template(template).render(context)


@cache
def _get_environment() -> Environment:
    # Loaded with the first page: most web processes serve none.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["fill"] = fill
    environment.filters["isolated"] = isolate
    environment.filters["utc"] = _describe_utc
    environment.filters["marked"] = _mark
    return environment


def _describe_utc(value: str | datetime) -> str:
    """Return an RFC 3339 time as people read it; scripts turn it into the viewer's zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _mark(sentence: str) -> Markup:
    """Return a sentence as HTML, with its times as `<time>` and its commands as `<code>`."""
    from markupsafe import Markup, escape

    parts, end = [], 0
    for found in _MARKED.finditer(sentence):
        parts += [escape(sentence[end : found.start()]), _build_mark(found)]
        end = found.end()
    return Markup("").join([*parts, escape(sentence[end:])])


def _build_mark(found: re.Match[str]) -> Markup:
    from markupsafe import Markup, escape

    if found["code"] is not None:
        return Markup("<code>{}</code>").format(found["code"])
    try:
        text = _describe_utc(found["time"])
    except ValueError:
        return escape(found["time"])
    return Markup('<time datetime="{}">{}</time>').format(found["time"], text)
