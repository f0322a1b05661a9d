"""Starts real provider software for a block, each in a process of its own at a free port."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import pytest
import requests

from config import ROOT

_NPM: Final = Path(__file__).parents[1] / "npm"
_INSTALL_SECONDS: Final = 60
_BROWSER_STEPS: Final = 10


@dataclass(frozen=True)
class Client:
    """A client that a provider has registered."""

    client_id: str
    method: str
    client_secret: str | None = None


@dataclass(frozen=True)
class Software:
    """A kind of provider: how it is started, and what is set about it here."""

    name: str
    #: Where its issuer is, under its origin; None for plain OAuth 2.0.
    issuer_path: str | None = ""
    #: The paths of endpoints that it does not publish.
    endpoints: tuple[tuple[str, str], ...] = ()
    is_node: bool = False

    def settings(self, origin: str) -> dict[str, Any]:
        """Return the provider's settings, less those of the client."""
        issuer = {} if self.issuer_path is None else {"issuer": origin + self.issuer_path}
        return {**issuer, **{name: origin + path for name, path in self.endpoints}}


DJANGO: Final = Software(
    "django_toolkit", issuer_path="/o", endpoints=(("revocation_endpoint", "/o/revoke_token/"),)
)
OIDC_PROVIDER: Final = Software("oidc-provider", is_node=True)
OAUTH2_SERVER: Final = Software(
    "oauth2-server",
    issuer_path=None,
    endpoints=(
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("userinfo_endpoint", "/userinfo"),
        ("revocation_endpoint", "/revoke"),
    ),
    is_node=True,
)


@contextmanager
def running(software: Software, clients: Sequence[Client], redirect_uri: str) -> Iterator[str]:
    """Start the software for the block, and yield its origin."""
    given = {"clients": [_registered(client) for client in clients], "redirect_uri": redirect_uri}
    with tempfile.TemporaryDirectory() as folder:
        command = _command(software, Path(folder))
        process = subprocess.Popen(
            [*command, json.dumps(given)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, f"{software.name} ended at once"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _registered(client: Client) -> dict[str, str]:
    known = {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "token_endpoint_auth_method": client.method,
    }
    return {name: text for name, text in known.items() if text is not None}


def _command(software: Software, folder: Path) -> list[str]:
    if not software.is_node:
        return [sys.executable, "-m", f"tests.journeys.software.{software.name}"]
    # Node looks for packages beside the file that imports them.
    (folder / "node_modules").symlink_to(installed_packages() / "node_modules")
    script = folder / f"{software.name}.mjs"
    shutil.copy(_NPM / script.name, script)
    return ["node", str(script)]


@cache
def installed_packages() -> Path:
    """Return a folder with npm's packages, installed once for each lock file; else skip."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    lock = _NPM / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    wanted = Path(sys.prefix) / f"npm-{digest}"
    if not wanted.exists():
        _install(wanted)
    return wanted


def _install(wanted: Path) -> None:
    with tempfile.TemporaryDirectory(dir=wanted.parent) as name:
        folder = Path(name) / "packages"
        folder.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(_NPM / file, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                command, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"npm's packages cannot be installed: {type(error).__name__}")
        # Another of pytest's workers may have been quicker.
        if not wanted.exists():
            folder.rename(wanted)


def consent(browser: requests.Session, authorization_url: str, redirect_uri: str) -> str:
    """Follow the provider's redirects as a user's browser does; return where the last one leads."""
    url = authorization_url
    for _ in range(_BROWSER_STEPS):
        answer = browser.get(url, allow_redirects=False, timeout=30)
        assert answer.is_redirect, f"{answer.status_code}: {answer.text[:500]}"
        url = urljoin(url, answer.headers["Location"])
        if url.startswith(redirect_uri):
            return url
    raise AssertionError("the provider redirects for ever")
