"""Starts real provider software for a block, each in a process of its own at a free port."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
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
from tests.provider.certificates import self_signed_certificate

_JOURNEYS: Final = Path(__file__).parents[1]
_INSTALL_SECONDS: Final = 90
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
    #: Where it comes from: the development tools, or a lock file of its own (`pypi`, `npm`).
    source: str = "dev"
    is_tls: bool = False
    #: Whether it decodes Basic credentials as RFC 6749 section 2.3.1 has it.
    decodes_basic: bool = True
    #: The path that ends all grants, of software that has no revocation endpoint.
    forget_path: str | None = None
    #: The clients that it lets revoke nothing.
    revokes_nothing_of: tuple[str, ...] = ()

    def settings(self, origin: str) -> dict[str, Any]:
        """Return the provider's settings, less those of the client."""
        issuer = {} if self.issuer_path is None else {"issuer": origin + self.issuer_path}
        return {**issuer, **{name: origin + path for name, path in self.endpoints}}


DJANGO: Final = Software(
    "django_toolkit", issuer_path="/o", endpoints=(("revocation_endpoint", "/o/revoke_token/"),)
)
# It authenticates clients by Basic alone where they revoke.
CANAILLE: Final = Software("canaille_server", source="pypi", revokes_nothing_of=("public",))
IDPYOIDC: Final = Software("idpyoidc_server", source="pypi", decodes_basic=False)
PYOP: Final = Software(
    "pyop_server",
    source="pypi",
    is_tls=True,
    forget_path="/forget",
    revokes_nothing_of=("basic", "post", "public"),
)
OIDC_PROVIDER: Final = Software("oidc-provider", source="npm")
BETTER_AUTH: Final = Software("better-auth", issuer_path="/api/auth", source="npm")
_PLAIN: Final = (
    ("authorization_endpoint", "/authorize"),
    ("token_endpoint", "/token"),
    ("userinfo_endpoint", "/userinfo"),
    ("revocation_endpoint", "/revoke"),
)
OAUTH2_SERVER: Final = Software("oauth2-server", None, _PLAIN, source="npm", decodes_basic=False)
OAUTH2ORIZE: Final = Software("oauth2orize", None, _PLAIN, source="npm", decodes_basic=False)


@dataclass(frozen=True)
class Served:
    """Software that runs: its origin, and the authority that its certificate is of."""

    origin: str
    ca_file: Path | None = None

    @property
    def verify(self) -> str | bool:
        """What requests takes for trusted authorities."""
        return True if self.ca_file is None else str(self.ca_file)


@contextmanager
def running(software: Software, clients: Sequence[Client], redirect_uri: str) -> Iterator[Served]:
    """Start the software for the block."""
    given: dict[str, Any] = {
        "clients": [_registered(client) for client in clients],
        "redirect_uri": redirect_uri,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ca_file = None
        if software.is_tls:
            ca_file, key = self_signed_certificate(folder)
            given.update(certificate=str(ca_file), key=str(key))
        command, environment = _command(software, folder)
        process = subprocess.Popen(
            [*command, json.dumps(given)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, f"{software.name} ended at once"
            host = "https://localhost" if software.is_tls else "http://127.0.0.1"
            yield Served(f"{host}:{port}", ca_file)
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


def _command(software: Software, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts the software, and its environment."""
    if software.source == "dev":
        return [sys.executable, "-m", f"tests.journeys.software.{software.name}"], dict(os.environ)
    if software.source == "pypi":
        packages = installed_packages(software.source)
        script = Path(__file__).with_name(f"{software.name}.py")
        return [sys.executable, str(script)], {**os.environ, "PYTHONPATH": str(packages)}
    script = _JOURNEYS / software.source / f"{software.name}.mjs"
    return place_script(software.source, folder, script.name, script.read_text()), dict(os.environ)


def place_script(source: str, folder: Path, name: str, text: str) -> list[str]:
    """Write a script of Node where it finds the packages of `source`; return what runs it."""
    # Node looks for packages beside the file that imports them.
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(installed_packages(source) / "node_modules")
    (folder / name).write_text(text)
    return ["node", str(folder / name)]


#: How the packages of a lock file are installed in the folder where the command runs.
_INSTALLERS: Final = {
    "npm": ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    "pypi": [
        *(sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"),
        *("--only-binary", ":all:", "--require-hashes", "-r", "requirements.lock", "--target", "."),
    ],
}
_INSTALLERS["moving"] = _INSTALLERS["pypi"]
_INSTALLERS["moving_npm"] = _INSTALLERS["npm"]
_INSTALLERS["axe_npm"] = _INSTALLERS["npm"]
_INSTALLERS["passwords_npm"] = _INSTALLERS["npm"]
_LOCKS: Final = {
    "npm": "package-lock.json",
    "pypi": "requirements.lock",
    "moving": "requirements.lock",
    "moving_npm": "package-lock.json",
    "axe_npm": "package-lock.json",
    "passwords_npm": "package-lock.json",
}


@cache
def installed_packages(source: str) -> Path:
    """Return a folder with the packages of npm or PyPI, made once for each lock file; else skip."""
    if _LOCKS[source] == "package-lock.json" and (
        shutil.which("node") is None or shutil.which("npm") is None
    ):
        pytest.skip("node and npm are not installed")
    lock = _JOURNEYS / source / _LOCKS[source]
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    wanted = Path(sys.prefix) / f"{source}-{digest}"
    if not wanted.exists():
        _install(source, wanted)
    return wanted


def _install(source: str, wanted: Path) -> None:
    with tempfile.TemporaryDirectory(dir=wanted.parent) as name:
        folder = Path(name) / "packages"
        shutil.copytree(
            _JOURNEYS / source, folder, ignore=lambda _, names: fnmatch.filter(names, "*.mjs")
        )
        try:
            subprocess.run(
                _INSTALLERS[source],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=_INSTALL_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"the packages of {source} cannot be installed: {error}")
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
