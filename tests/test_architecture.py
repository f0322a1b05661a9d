"""Tests of the house itself: what every file has, what none may hold, and that its rules bite."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import settings as settings_module
from config import ROOT

PYPROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: The code of the service, each layer's.
LAYERS: Final = ("catfeeder", "models", "actors", "worker")


def tracked_files() -> list[Path]:
    """Return what belongs to the project, what is about to be added included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a checkout of git, which knows the project's files")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def modules(*folders: str) -> list[Path]:
    """Return the Python files in folders, or in the whole project."""
    python = [path for path in tracked_files() if path.suffix == ".py"]
    if not folders:
        return python
    return [path for path in python if path.relative_to(ROOT).parts[0] in folders]


# -- What every file has


def test_every_module_says_in_a_sentence_of_its_own_what_it_is_for() -> None:
    # Together they are the table of contents.
    sentences: dict[str, Path] = {}
    for path in modules():
        sentence = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]

        assert sentence.endswith("."), path
        assert sentence not in sentences, (path, sentences.get(sentence))
        sentences[sentence] = path


def test_no_module_is_too_long_to_be_read() -> None:
    longest = {path: len(path.read_text().splitlines()) for path in modules(*LAYERS)}

    assert [path for path, lines in longest.items() if lines > 300] == []


# -- What no file may hold


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of somebody's machine", r"(?<![\w.])/(root|home/\w+|Users/\w+|work)/"),
        (
            "the host of a package index",
            r"pypi\.(org|python)|pythonhosted|/simple/|index-url\s*=?h",
        ),
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    ],
)
def test_no_file_holds(what: str, pattern: str) -> None:
    found = []
    for path in tracked_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in re.finditer(pattern, text)]

    assert [line for line in found if not line.startswith("tests/test_architecture.py")] == [], what


# -- The lock files


LOCKS: Final = {
    "requirements.lock": "service",
    "requirements-dev.lock": "dev",
    "requirements-bench.lock": "bench",
    "requirements-otel.lock": "otel",
}


def locked(name: str) -> dict[str, str]:
    """Return each requirement of a lock file with all that belongs to it."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines).strip())
    return {canonicalize_name(re.split(r"[=; ]", entry, maxsplit=1)[0]): entry for entry in entries}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_pins_everything_by_hash(name: str) -> None:
    for requirement, entry in locked(name).items():
        assert re.match(r"[\w.-]+==[\w.+!]+( ;[^\\]+)? \\\n", entry), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_index(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "://" not in text
    assert not re.search(
        r"^\s*(-i|-f|--index|--extra-index|--find-links|--trusted)", text, re.MULTILINE
    )


@pytest.mark.parametrize(("name", "group"), LOCKS.items())
def test_a_lock_file_holds_all_that_is_asked_for(name: str, group: str) -> None:
    entries = locked(name)

    for requirement in [*PYPROJECT["project"]["dependencies"], *group_of(group)]:
        wanted = Requirement(requirement)
        entry = entries[canonicalize_name(wanted.name)]
        version = re.split(r"[= ;\\]+", entry)[1]
        assert wanted.specifier.contains(version), requirement


def group_of(name: str) -> list[str]:
    """Return the requirements of a dependency group, those of included groups with it."""
    requirements: list[str] = []
    for item in PYPROJECT["dependency-groups"][name]:
        requirements += group_of(item["include-group"]) if isinstance(item, dict) else [item]
    return requirements


@pytest.mark.parametrize("name", [name for name in LOCKS if name != "requirements.lock"])
def test_another_lock_holds_the_very_versions_of_the_services(name: str) -> None:
    # Else the tests, or the benchmarks, would run with other versions than the service.
    service, other = locked("requirements.lock"), locked(name)

    assert {name: other.get(name, "").partition("\n")[0] for name in service} == {
        name: entry.partition("\n")[0] for name, entry in service.items()
    }


# -- The rules of imports


#: For each contract of pyproject.toml an import that breaks it.
PLANTS: Final = {
    "Arrows go down only: worker, actors, models, then config beside catfeeder": (
        "models/oauth/sign_ins.py",
        "import actors.errors",
    ),
    "Tables know how to seal a column and the root of errors, and nothing else of the client": (
        "models/oauth/sign_ins.py",
        "import catfeeder.client",
    ),
    "bcrypt and Argon2 come in by actors.passwords": ("actors/errors.py", "import bcrypt"),
    "requests_oauthlib comes in by actors.providers": (
        "actors/errors.py",
        "import requests_oauthlib",
    ),
    "peewee comes in by models": ("worker/errors.py", "from playhouse import pool"),
    "fastapi comes in by worker": ("actors/errors.py", "import starlette.requests"),
    "addresses, environment and what else config is made of come in by config": (
        "actors/errors.py",
        "import settings",
    ),
    "toml and dotenv come in by config": ("worker/errors.py", "import toml"),
    "OpenTelemetry comes in by worker.telemetry, where traces are asked for": (
        "worker/errors.py",
        "import opentelemetry.trace",
    ),
    "cryptography comes in by catfeeder.sealing": ("models/db/fields.py", "import cryptography"),
    "The client carries nothing heavy, not even by a chain of imports": (
        "catfeeder/errors.py",
        "import requests",
    ),
    "The scheduler only asks: no bcrypt, no provider, no web framework, not even by a chain": (
        "worker/crons.py",
        "import worker.http.app",
    ),
    "typer and rich are the command line's: no process of the service loads them": (
        "worker/crons.py",
        "import rich.table",
    ),
    "The shim never hashes and never calls a provider, not even by a chain of imports": (
        "worker/http/app.py",
        "import actors.passwords.hashing",
    ),
    "Within actors: sign-in, renewal, connections, then providers, then what all share": (
        "actors/connections/planning.py",
        "import actors.renewal.sweep",
    ),
    "Within models: migrations, renewal, then the tables, then sealing, then the database": (
        "models/events.py",
        "import models.renewal.leases",
    ),
    "Within worker: the command line, what it starts, one process, the queue": (
        "worker/consuming/heartbeats.py",
        "import worker.process.perform",
    ),
    "Within catfeeder: both clients, their verbs, the queue, then what is sealed": (
        "catfeeder/queue/jobs/store.py",
        "import catfeeder.client",
    ),
    "Within worker.http: routes, sign-ins, handlers, jobs, authentication, ASGI, errors": (
        "worker/http/auth/rate_limits.py",
        "import worker.http.jobs.enqueuer",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code without anything else, to be spoilt."""
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, tmp_path / layer)
    for name in (
        "config.py",
        "addresses.py",
        "authorities.py",
        "configuration_files.py",
        "deployment.py",
        "env_file.py",
        "environment.py",
        "file_modes.py",
        "key_strength.py",
        "plain_http.py",
        "public_addresses.py",
        "setting_variables.py",
        "settings.py",
        "validation.py",
        "pyproject.toml",
    ):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def broken_contracts(directory: Path) -> set[str]:
    """Return the names of the contracts that the code in `directory` breaks."""
    ended = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    # A long name is broken over two lines.
    said = "".join(ended.stdout.split())
    verdicts = {}
    for name in PLANTS:
        verdict = re.search(re.escape("".join(name.split())) + "(KEPT|BROKEN)", said)
        assert verdict, ended.stdout + ended.stderr
        verdicts[name] = verdict[1]
    return {name for name, verdict in verdicts.items() if verdict == "BROKEN"}


def test_every_rule_of_imports_bites(copy: Path) -> None:
    # Given code that keeps to all of them
    assert broken_contracts(copy) == set()

    # When for each an import is planted that it forbids
    for name, statement in PLANTS.values():
        path = copy / name
        path.write_text(f"{path.read_text()}\n{statement}\n")

    # Then each is broken
    assert broken_contracts(copy) == set(PLANTS)


def test_for_every_rule_of_imports_there_is_one_that_breaks_it() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]

    assert {contract["name"] for contract in contracts} == set(PLANTS)


# -- Settings


def settings_of_config_toml() -> list[tuple[str, Any]]:
    """Return each setting of config.toml with its section's attribute."""
    return [
        (attribute, item)
        for attribute, kind in settings_module.SECTIONS.values()
        for item in dataclasses.fields(kind)
    ]


def test_every_setting_of_config_toml_has_an_effect() -> None:
    # A setting that nobody reads promises what does not happen.
    code = "\n".join(path.read_text() for path in [*modules(*LAYERS), ROOT / "config.py"])
    lines = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)

    # [Processes] is read by the names of the Procfile's lines.
    unread = [
        f"{attribute}.{item.name}"
        for attribute, item in settings_of_config_toml()
        if not re.search(rf"\.{item.name}\b", code)
        and not (attribute == "processes" and item.name in lines)
    ]

    assert unread == []
