"""Tests of docs/architecture.md and of the README's map: each name on them exists."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Final

from config import ROOT

_PAGE: Final = (ROOT / "docs" / "architecture.md").read_text()
_JOURNEYS: Final = re.findall(r"\| `((?:actors|catfeeder|models|worker)\.[\w.]+)` \|", _PAGE)


def test_there_are_five_journeys() -> None:
    assert len(re.findall(r"^### ", _PAGE, re.MULTILINE)) == 5
    assert len(_JOURNEYS) > 30


def test_each_function_on_a_journey_exists_at_most_two_packages_below_its_layer() -> None:
    for name in _JOURNEYS:
        assert callable(resolve(name)), name
        folder = (ROOT / name.replace(".", "/")).parent
        while not folder.is_dir():
            folder = folder.parent
        assert len(folder.relative_to(ROOT).parts) <= 1 + 2, name


def resolve(name: str) -> object:
    """Return the function or method of a dotted name."""
    path, attributes = name, list[str]()
    while not (ROOT / f"{path.replace('.', '/')}.py").is_file():
        path, _, attribute = path.rpartition(".")
        attributes.insert(0, attribute)
    found: object = importlib.import_module(path)
    for attribute in attributes:
        found = getattr(found, attribute)
    return found


def packages() -> dict[str, str]:
    """Return the first sentence of every package, by its folder."""
    found = {}
    for layer in ("actors", "catfeeder", "models", "worker"):
        for path in sorted((ROOT / layer).rglob("__init__.py")):
            folder = path.parent.relative_to(ROOT).as_posix()
            found[folder] = _sentence(path)
    return found


def _sentence(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def test_the_map_of_the_readme_has_a_line_for_each_package() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## Where things are")[2].partition("\n## ")[0]
    lines = dict(re.findall(r"^\| `([\w/]+)/` \| (.+) \|$", section, re.MULTILINE))

    assert lines == {folder: sentence.rstrip(".") for folder, sentence in packages().items()}
