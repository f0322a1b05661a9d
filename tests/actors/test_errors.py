"""The sentences of errors: every class of the service has one, without docstrings too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from config import ROOT

#: Imports all that the service consists of, and prints each error's own sentence and docstring.
#: Only `worker.performer` is left out: its import starts a worker.
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
found = [[kind.__name__, vars(kind).get("message"), kind.__doc__]
         for kind in {CatFeederError, *subclasses(CatFeederError)}]
print(json.dumps(found))
"""


def test_every_error_has_a_sentence_of_its_own_without_docstrings() -> None:
    command = [sys.executable, "-OO", "-c", _SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    errors: list[tuple[str, str | None, str | None]] = json.loads(done.stdout)

    assert len(errors) > 60
    assert [name for name, message, _ in errors if not message] == []
    assert [name for name, _, docstring in errors if docstring is not None] == []
