"""Assets: style sheets, fonts and scripts, from an installed package and from our own folder."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS_PATH: Final = "/assets"
#: Ships Tabler's and Font Awesome's files; it is found without being imported.
_PACKAGE: Final = "starlette_admin"
_OWN_FOLDER: Final = Path(__file__).with_name("static")
_MAX_AGE_SECONDS: Final = 3600


class _CachedFiles(StaticFiles):
    """Files that browsers keep for an hour, and then ask for by their ETag."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Answer with a file, or 304."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = f"public, max-age={_MAX_AGE_SECONDS}"
        return response


def build_asset_routes() -> list[BaseRoute]:
    """Return the routes of the package's files and of ours."""
    found = importlib.util.find_spec(_PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    package = [
        Mount(f"{ASSETS_PATH}/vendor", _CachedFiles(directory=Path(folder) / "static"))
        for folder in folders[:1]
    ]
    return [*package, Mount(ASSETS_PATH, _CachedFiles(directory=_OWN_FOLDER))]
