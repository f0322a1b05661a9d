"""What a fresh interpreter has loaded after an import: the linter reads, this test sees."""

from __future__ import annotations

import subprocess
import sys

import pytest

from config import ROOT

_OURS = {"actors", "catfeeder", "models", "worker"}
#: What the command line needs, and no process of the service.
_TYPED = {"rich", "typer"}
_HEAVY = {"argon2", "bcrypt", "fastapi", "requests_oauthlib", "starlette", "uvicorn"}


def loaded_by(statement: str) -> set[str]:
    """Run a statement in a new interpreter and return the packages that it has loaded."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(ended.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        # Another app installs the client with three packages behind it.
        ("import catfeeder.client", _HEAVY | {"dotenv", "peewee", "requests", "toml"}),
        # A program that only seals or catches an error does not even load the queue.
        (
            "import catfeeder",
            _HEAVY | {"cryptography", "dotenv", "dramatiq", "peewee", "redis", "toml"},
        ),
        # Settings are at the bottom of the layers; of the client they know the root of errors.
        ("import config", _OURS - {"catfeeder"}),
        # The tables serve every process, with and without a web framework or a queue.
        ("import models.migrate", _HEAVY | {"dramatiq", "redis", "requests"}),
        # The scheduler only asks for work.
        ("import worker.scheduler", _HEAVY | _TYPED | {"requests"}),
        # Sweeps and clean-up call nobody either.
        (
            "import actors.renewal.sweep, actors.upkeep.cleanup, actors.connections.forecasts",
            _HEAVY | {"requests"},
        ),
        # The shim never hashes and never calls a provider.
        (
            "import worker.http.app",
            {"argon2", "bcrypt", "psycopg", "requests", "requests_oauthlib"},
        ),
        # Who performs loads what a message needs when the first one comes, and no tables before.
        ("import worker.process.perform", _HEAVY | _TYPED | {"peewee", "requests"}),
        # The supervisor has processes to start, and starts them sooner without these.
        ("import worker.supervisor.run", _HEAVY | _TYPED | {"dramatiq", "redis", "requests"}),
        # Help is instant.
        (
            "import worker.__main__ as it; it.main(['--help'])",
            {"catfeeder", "config", "models", "rich"},
        ),
    ],
)
def test_an_import_loads_nothing_that_is_not_its_business(
    statement: str, unwanted: set[str]
) -> None:
    assert loaded_by(statement) & unwanted == set()
