"""The sentences of errors: every class of the service has one, with docstrings and without."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from config import ROOT

#: Imports all that the service consists of, and prints each error's sentence and docstring. Only
#: `worker.performer` is left out: its import starts a worker.
_SCRIPT: Final = """
import importlib, json, pkgutil
from catfeeder.errors import CatFeederError

def subclasses(kind):
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)

for name in ("actors", "catfeeder", "models", "worker"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if module.name != "worker.performer":
            importlib.import_module(module.name)
found = {kind.__qualname__: kind for kind in subclasses(CatFeederError)}
print(json.dumps({name: [vars(kind).get("message"), kind.__doc__] for name, kind in found.items()}))
"""


def read_errors(*options: str) -> dict[str, list[str | None]]:
    """Return message and docstring by class, as an interpreter with these options has them."""
    command = [sys.executable, *options, "-c", _SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    errors: dict[str, list[str | None]] = json.loads(done.stdout)
    return errors


def test_every_error_keeps_its_sentence_without_docstrings() -> None:
    usual, optimized = read_errors(), read_errors("-OO")

    assert len(usual) > 60
    assert [name for name, (message, doc) in usual.items() if not message or not doc] == []
    assert optimized == {name: [message, None] for name, (message, _) in usual.items()}
