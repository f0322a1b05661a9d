"""`import` of files as they come: each bad record is refused by itself, and a bad file at once."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from actors.connections.reading import list_connections
from config import current_settings
from tests.actors.sign_ins import configure_plain
from tests.scripted_provider import ScriptedProvider
from tests.worker.cli.conftest import Command

pytestmark = pytest.mark.usefixtures("tables")
_GOOD = '{"refresh_token": "r-%d"}'


@pytest.fixture(autouse=True)
def _scripted(provider: ScriptedProvider, tables: object) -> None:
    del tables
    configure_plain(provider)


def import_bytes(command: Command, path: Path, content: bytes, *flags: str) -> tuple[str, str]:
    """Import a file of these bytes; return what is printed, and what standard error says."""
    path.write_bytes(content)
    ended = command("import", str(path), "--provider", "scripted", *flags)
    return ended.stdout, ended.stderr


def reasons() -> dict[int, str]:
    found: dict[int, str] = {}
    for report in (current_settings().var_dir / "imports").glob("*.refused.jsonl"):
        lines = [json.loads(line) for line in report.read_text().splitlines()]
        found |= {line["number"]: line["reason"] for line in lines}
    return found


def assert_refused(wanted: dict[int, str]) -> None:
    """Check that these records are refused, each for a reason that has the text, and no other."""
    found = reasons()
    assert found.keys() == wanted.keys()
    assert [(number, why) for number, why in found.items() if wanted[number] not in why] == []


_LINES: dict[str, tuple[bytes, str | None]] = {
    "windows-newline": (b'\n{"refresh_token": "r-y"}\r', None),
    "other-members": (b'  \n{"refresh_token": "r-z", "unknown": [1], "id": 7}', None),
    "latin-1": ('{"refresh_token": "r-x", "subject": "J\xe9r\xf4me"}'.encode("latin-1"), "UTF-8"),
    "nul": (b'{"refresh_token": "r-\x00x"}', "no object"),
    "escaped-nul": (b'{"refresh_token": "r-\\u0000x"}', "characters that no token has"),
    "nul-in-subject": (b'{"refresh_token": "r-x", "subject": "\\u0000"}', "subject"),
    "nul-in-scope": (b'{"refresh_token": "r-x", "scope": "a\\u0000"}', "scope"),
    "half-a-character": (b'{"refresh_token": "r-x", "metadata": {"a": "\\ud800"}}', "Unicode"),
    "nan": (b'{"refresh_token": "r-x", "metadata": {"a": NaN}}', "no object"),
    "deep": (b'{"refresh_token": "r-x", "metadata": ' + b"[" * 99_999 + b"}", "no object"),
    "huge-line": (b'{"refresh_token": "r-x", "a": "' + b"x" * 3_000_000 + b'"}', "longer than"),
    "huge-number": (b'{"refresh_token": "r-x", "subject": ' + b"9" * 5000 + b"}", "no object"),
    "huge-token": (b'{"refresh_token": "' + b"x" * 40_000 + b'"}', "longer than"),
    "huge-scope": (b'{"refresh_token": "r-x", "scope": "' + b"x" * 9000 + b'"}', "scope"),
    "huge-profile": (
        b'{"refresh_token": "r-x", "profile": {"raw": {"a": "' + b"x" * 70_000 + b'"}}}',
        "larger",
    ),
    "token-type": (b'{"refresh_token": "r-x", "token_type": "' + b"x" * 99 + b'"}', "token_type"),
    "first-day": (b'{"refresh_token": "r-x", "created_at": "0001-01-01T00:00:00+14:00"}', "time"),
    "no-time": (b'{"refresh_token": "r-x", "created_at": "yesterday"}', "no time"),
    "a-list": (b'["refresh_token", "r-x"]', "no object"),
    "credentials": (b'{"credentials": {"api_key": "k"}}', "grant_types"),
    "an-app": (b'{"kind": "app", "id": "x"}', "no connection"),
}


def test_lines_that_are_hostile_stop_no_other(command: Command, tmp_path: Path) -> None:
    # Given such lines between good ones, after a byte order mark, and a last one that is cut off
    good = [(_GOOD % number).encode() for number in range(len(_LINES))]
    pairs = zip(good, (line for line, _ in _LINES.values()), strict=True)
    lines = [it for pair in pairs for it in pair]
    content = codecs.BOM_UTF8 + b"\n".join([*lines, good[0], good[0][:-3]])
    # When all is imported
    printed, _ = import_bytes(command, tmp_path / "all.jsonl", content)
    # Then the good ones are there, once each, and every other has its reason
    wanted = {2 * place + 2: why for place, (_, why) in enumerate(_LINES.values()) if why}
    wanted[len(lines) + 2] = "no object"
    assert_refused(wanted)
    assert f"{len(lines) + 2 - len(wanted) - 1} created, 1 known, {len(wanted)} refused." in printed
    # And what is stored can be shown
    items: list[Any] = list_connections()["items"]
    json.dumps(items, allow_nan=False, ensure_ascii=False).encode()


_ROWS: dict[str, tuple[bytes, str]] = {
    "latin-1": ("r-x,J\xe9r\xf4me".encode("latin-1"), "UTF-8"),
    "nul": (b"r-x,a\0b", "NUL"),
    "short": (b"r-x", "as many fields"),
    "long": (b"r-x,1,2", "as many fields"),
    "quotes": (b'r-x,"a"b"', "quotes"),
    "newline-in-a-field": (b'r-x,"a\nb"', "subject"),
    "huge": (b"r-x," + b"x" * 2_000_000, "longer than"),
}


def test_rows_that_are_hostile_stop_no_other(command: Command, tmp_path: Path) -> None:
    # Given such rows between good ones, as a spreadsheet of Europe writes them, and one cut off
    good = [f"r-{number},{number}".encode() for number in range(len(_ROWS))]
    pairs = zip(good, (row for row, _ in _ROWS.values()), strict=True)
    rows = [it for pair in pairs for it in pair]
    content = b"\r\n".join([b"refresh_token,subject", *rows, good[0], b'r-x,"3'])
    content = codecs.BOM_UTF8 + content.replace(b",", b";")
    # When all is imported
    printed, _ = import_bytes(command, tmp_path / "all.csv", content)
    # Then the good ones are there, once each, and every other has its reason
    wanted = {2 * place + 2: why for place, (_, why) in enumerate(_ROWS.values())}
    assert_refused({**wanted, len(rows) + 2: "ends within it"})
    assert f"{len(_ROWS)} created, 1 known, {len(_ROWS) + 1} refused." in printed


_FILES: list[tuple[str, bytes, str]] = [
    ("a.csv", "refresh_token\nx".encode("utf-16"), "UTF-16"),
    ("a.jsonl", _GOOD.encode("utf-16"), "UTF-16"),
    ("a.csv", b"", "no CSV"),
    ("a.csv", b"a,b\n1,2\n", "no column access_token"),
    ("a.csv", b"refresh_token,a,a\n", "twice"),
    ("a.json", b'[{"refresh_token": "r"', "cut off"),
    ("a.json", b'{"a": [], "b": []}', "no list"),
    ("a.age", b"", "--format"),
]


def test_a_file_that_cannot_be_read_is_refused_at_once(command: Command, tmp_path: Path) -> None:
    for name, content, says in _FILES:
        printed, error = import_bytes(command, tmp_path / name, content)
        assert (printed, list_connections()["items"]) == ("", [])
        assert says in error
        assert error.count("\n") == 1


def test_what_an_operator_mistypes_is_said(command: Command, tmp_path: Path) -> None:
    # Given a map that leads nowhere in a file without columns
    content = (_GOOD % 1).encode()
    flags = ("--map", "access_token=acess_token", "--dry-run")
    printed, error = import_bytes(command, tmp_path / "a.jsonl", content, *flags)
    assert printed == "1 records: 1 created. Nothing was stored.\n"
    assert error == "No record has anything where --map access_token=acess_token leads.\n"
    # And a column that there is not
    typed = ("--map", "refresh_token=tokn")
    printed, error = import_bytes(command, tmp_path / "a.csv", b"token,a\n1,2\n", *typed)
    assert error == "The file has no column for --map refresh_token=tokn.\n"
    # And a directory, and nothing at all
    ended = command("import", str(tmp_path), "--format", "csv")
    assert ended.stderr == "It is a directory, and no file.\n"
    printed, _ = import_bytes(command, tmp_path / "none.jsonl", b"\n\n")
    assert printed == "0 records: nothing to import.\n"
