"""Apps that use one service: over HTTP, over the queue, and with nothing but the client's wheel."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import catfeeder
from catfeeder.queue.keys import AppKey
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import QUEUE_LABEL, Secret, derive_key
from config import ROOT
from tests.stack.stack import Stack

pytestmark = pytest.mark.journey

#: What belongs to the service; another app has none of it.
NOT_THERE: Final = [
    *("actors", "config", "models", "settings", "worker"),
    *("bcrypt", "dotenv", "fastapi", "peewee", "requests", "requests_oauthlib", "toml", "uvicorn"),
]
PROGRAM: Final = """\
import importlib.util, json, sys
import catfeeder

redis_url, queue_key, *not_there = sys.argv[1:]
client = catfeeder.connect(redis_url, queue_key)
password = "correct horse battery staple"
hashed = client.hash_password(password).result(timeout=60)
job = client.check_password("incorrect", hashed["password_hash"])
try:
    client.hash_password("x" * 73).result(timeout=60)
    failure = None
except catfeeder.JobFailed as error:
    failure = [error.code, error.permanent, str(error)]
print(json.dumps({
    "installed": catfeeder.__file__,
    "hashed": hashed,
    "right": client.check_password(password, hashed["password_hash"]).result(timeout=60),
    "wrong": job.result(timeout=60),
    "failure": failure,
    "there": [name for name in not_there if importlib.util.find_spec(name)],
    "loaded": sorted(set(not_there) & set(sys.modules)),
}))
client.close()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's wheel, built from a copy, since building writes beside the sources."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "catfeeder", source / "catfeeder")
    for name in ("LICENSE", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "--no-deps", "--no-build-isolation", "--wheel-dir", source / "dist", source],
        check=True,
    )
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def app(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an app that has installed the wheel and what the wheel asks for."""
    directory = tmp_path_factory.mktemp("app")
    venv.create(directory, with_pip=False)
    python = directory / "bin" / "python"
    (packages,) = directory.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(packages)
        (metadata,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        asked_for = re.findall(
            r"^Requires-Dist: (.*)$", files.read(metadata).decode(), re.MULTILINE
        )
    # From what is installed here, so that no network is needed.
    for name in closure(asked_for):
        copy_distribution(name, packages)
    return python


def closure(requirements: list[str]) -> set[str]:
    """Return the names of all that these requirements bring in."""
    names: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name not in names and (
            not requirement.marker or requirement.marker.evaluate({"extra": ""})
        ):
            names.add(name)
            waiting += distribution(name).requires or []
    return names


def copy_distribution(name: str, packages: Path) -> None:
    """Copy an installed distribution into another environment, its commands aside."""
    installed = distribution(name)
    for file in installed.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(installed.locate_file(file)), target)


def test_the_wheel_holds_the_client_and_nothing_of_the_service(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()

    client = [*(ROOT / "catfeeder").rglob("*.py"), ROOT / "catfeeder" / "py.typed"]
    sources = {path.relative_to(ROOT).as_posix() for path in client}
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert "catfeeder/py.typed" in names


def test_the_wheel_says_its_licence_and_the_version_that_all_else_tells(
    wheel: Path, stack: Stack
) -> None:
    # Given the wheel's metadata
    with zipfile.ZipFile(wheel) as files:
        (metadata,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(files.read(metadata).decode())
        licence = files.read(f"{metadata.removesuffix('METADATA')}licenses/LICENSE").decode()

    # Then it has the licence, whole
    assert (told["License-Expression"], told["License-File"]) == ("MIT", "LICENSE")
    assert licence == (ROOT / "LICENSE").read_text()
    # And one version is told everywhere, the last that the changelog has released
    version = told["Version"]
    assert stack.command("--version").stdout == f"catfeeder {version}\n"
    assert stack.call("GET", "/health").json()["version"] == version
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert released[:1] == [version]


def test_the_client_brings_in_few_packages(app: Path) -> None:
    (packages,) = app.parent.parent.glob("lib/python*/site-packages")

    installed = {path.name.partition("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert {"catfeeder", "dramatiq", "redis", "cryptography"} <= installed
    assert len(installed) <= 8, installed


def test_another_app_hashes_and_checks_passwords(app: Path, stack: Stack, tmp_path: Path) -> None:
    # Given a running service, and the key that its operator gives out
    queue_key = stack.command("queue-key").stdout.strip()

    # When an app elsewhere, of which the service knows nothing, asks for jobs
    ended = subprocess.run(
        [app, "-I", "-c", PROGRAM, stack.redis_url, queue_key, *NOT_THERE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    # Then it gets their results
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    said = json.loads(ended.stdout)
    assert said["hashed"]["password_hash"].startswith("$2b$10$")
    assert said["right"] == {"valid": True, "needs_rehash": False}
    assert said["wrong"] == {"valid": False, "needs_rehash": False}
    assert said["failure"][:2] == ["password_too_long", True]
    # And needs nothing of the service for it
    assert Path(said["installed"]).is_relative_to(app.parent.parent)
    assert said["there"] == []
    assert said["loaded"] == []


def test_an_app_with_a_wrong_key_learns_nothing(app: Path, stack: Stack, tmp_path: Path) -> None:
    # Given an app whose key is not the service's
    program = (
        "import sys, catfeeder\n"
        "client = catfeeder.connect(*sys.argv[1:])\n"
        "try:\n"
        "    client.hash_password('x').result(timeout=2)\n"
        "except catfeeder.JobTimeout as error:\n"
        "    print(error)\n"
    )

    # When it asks for a job
    ended = subprocess.run(
        [app, "-I", "-c", program, stack.redis_url, f"cfq_default.1.{'A' * 43}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    # Then no worker performs it, and the service goes on for all other apps
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "did not end in the time given" in ended.stdout
    assert stack.result("/v1/passwords/hash", {"password": "correct horse battery staple"})


def test_the_queue_and_http_share_one_service(stack: Stack) -> None:
    # Given an app that has the queue key, and another that speaks HTTP
    root = derive_key(Secret(stack.secret_key), QUEUE_LABEL)
    queue_key = AppKey.derive(root, DEFAULT_APP, 1).to_text()
    client = catfeeder.connect(stack.redis_url, queue_key)
    # When the one hashes and the other checks
    hashed = client.hash_password("grüße, 世界!").result(timeout=60)
    checked = stack.result("/v1/passwords/check", {"password": "grüße, 世界!", **hashed})
    client.close()
    # Then both mean the same password
    assert checked["valid"] is True
