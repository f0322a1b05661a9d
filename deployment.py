"""Deployment: where the service is reached and where it writes, by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from addresses import check_host, check_url_path, expand_path, host_in_url
from environment import optional_variable
from settings import ServerSettings
from validation import check_redirect_uri, parse_port


class Place(TypedDict):
    """Where the service is reached, and where it writes."""

    host: str
    port: int
    var_dir: Path
    database_url: str
    redirect_uri: str


def load_place(env: Mapping[str, str | None], server: ServerSettings, root: Path) -> Place:
    """Return the place of a service; a relative VAR_DIR is in `root`.

    Raises:
        ConfigurationError: A variable cannot be used; the message names it.
    """
    host = check_host(optional_variable(env, "HOST") or server.host)
    port = parse_port(optional_variable(env, "PORT"), server.port)
    variable = optional_variable(env, "VAR_DIR") or "var"
    var_dir = expand_path("VAR_DIR", str(root / expand_path("VAR_DIR", variable)))
    database_url = check_url_path("DATABASE_URL", optional_variable(env, "DATABASE_URL"))
    redirect_uri = check_redirect_uri(optional_variable(env, "REDIRECT_URI"))
    return {
        "host": host,
        "port": port,
        "var_dir": var_dir,
        "database_url": database_url or f"sqlite:///{quote(str(var_dir / 'catfeeder.sqlite3'))}",
        "redirect_uri": redirect_uri or f"http://{host_in_url(host)}:{port}/v1/oauth/callback",
    }
