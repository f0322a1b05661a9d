"""Route of the root: says what this is, and where to go."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import JSONResponse, Response

import catfeeder
from worker.http.pages.templating import accepts_html, render_page
from worker.http.routes.described_router import DescribedRouter

router = DescribedRouter(include_in_schema=False)


@router.get("/")
async def show_root(request: Request) -> Response:
    """Answer with a page, or with links for what is no browser; needs no key."""
    if accepts_html(request):
        return render_page("root.html", version=catfeeder.__version__)
    return JSONResponse(
        {
            "name": "Cat Feeder's auth worker",
            "version": catfeeder.__version__,
            "documentation": "/docs",
            "openapi": "/openapi.json",
            "health": "/health",
            "console": "/console",
        }
    )
