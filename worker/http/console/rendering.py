"""Rendering of the console's pages: what the frame around each of them needs."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

import catfeeder
from worker.http.console.access import Visit
from worker.http.console.notices import find_notice
from worker.http.pages.templating import render_page


class _Entry(NamedTuple):
    """A line of the menu; `icon` is Font Awesome's name."""

    name: str
    path: str
    icon: str


_MENU: Final = (
    _Entry("Overview", "/console", "gauge-high"),
    _Entry("Connections", "/console/connections", "link"),
    _Entry("Renewals", "/console/renewals", "rotate"),
    _Entry("Providers", "/console/providers", "building"),
    _Entry("Queues", "/console/queues", "layer-group"),
    _Entry("Jobs", "/console/jobs", "list-check"),
    _Entry("Events", "/console/events", "clock-rotate-left"),
    _Entry("Webhooks", "/console/webhooks", "paper-plane"),
    _Entry("Apps", "/console/apps", "cubes"),
    _Entry("Keys", "/console/keys", "key"),
)


def read_visit(request: Request) -> Visit:
    """Return the visit that `ConsoleRoute` has found."""
    visit: Visit = request.state.visit
    return visit


def render_console(
    request: Request, template: str, *, status: int = 200, **context: Any
) -> Response:
    """Answer with a page of the console, in its frame."""
    visit = read_visit(request)
    return render_page(
        f"console/{template}",
        status=status,
        visit=visit,
        menu=_MENU,
        path=request.url.path,
        app=request.query_params.get("app", ""),
        notice=find_notice(request),
        version=catfeeder.__version__,
        **context,
    )
