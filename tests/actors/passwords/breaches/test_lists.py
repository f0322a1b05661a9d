"""Breach lists on this machine: every format finds what has leaked, and damage ends the start."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.passwords.breaches.bloom_builder import build_filter
from actors.passwords.breaches.bloom_filter import BLOCK_BYTES, BloomFilter
from actors.passwords.breaches.digests import Algorithm, Hit
from actors.passwords.breaches.lists import find_breach, open_breach_list
from actors.passwords.breaches.md4 import hash_md4
from actors.passwords.breaches.sorted_file import SortedFile
from actors.passwords.breaches.watched_list import WatchedList
from actors.passwords.errors import (
    BreachListInvalid,
    BreachListUnavailable,
    PasswordBreached,
    PasswordRefused,
)
from actors.passwords.policy import check_policy
from actors.passwords.verdicts import judge_password
from config import ConfigurationError, PasswordsSettings
from tests.actors.passwords.breaches.made_lists import (
    GOOD,
    LEAKED,
    list_lines,
    ntlm,
    sha1,
    write_file,
    write_folder,
)

Write = Callable[[Path], Path]


def _build(path: Path) -> Path:
    source = write_file(path.with_name("hashes"), list_lines())
    build_filter(source, path, 0.001, 1, lambda *_: None)
    return path


_FORMATS: dict[str, Write] = {
    "sha1": lambda path: write_file(path, list_lines()),
    "sha1-crlf": lambda path: write_file(path, list_lines(), "\r\n"),
    "sha1-lower-case": lambda path: write_file(path, map(str.lower, list_lines())),
    "sha1-few": lambda path: write_file(path, list_lines(others=0)),
    "sha1-uneven": lambda path: write_file(
        path,
        sorted([*list_lines(others=0), "F" * 40, *(f"{each:040X}:1" for each in range(9_000))]),
    ),
    "ntlm": lambda path: write_file(path, list_lines(ntlm)),
    "folder": lambda path: write_folder(path, list_lines(others=0)),
    "folder-bare": lambda path: write_folder(path, list_lines(others=0), ""),
    "folder-ntlm": lambda path: write_folder(path, list_lines(ntlm, others=0)),
}


def _name(path: Path, **passwords: Any) -> PasswordsSettings:
    return PasswordsSettings(breach_list=str(path), **passwords)


@pytest.mark.parametrize("write", _FORMATS.values(), ids=_FORMATS)
def test_what_has_leaked_is_refused_with_its_count(tmp_path: Path, write: Write) -> None:
    settings = _name(write(tmp_path / "list"))
    # When passwords that have leaked are judged, then each is refused, with how often it was seen
    for password, count in LEAKED.items():
        verdict = judge_password(password, settings, None, (), asks_server=False)
        [reason] = verdict["reasons"]
        assert (reason["code"], reason["count"]) == ("password_breached", count)
        times = "once" if count == 1 else f"{count:,} times"
        with pytest.raises(PasswordBreached, match=f"leaked {times}"):
            check_policy(password, settings)
    # And one that has leaked seldom may be taken, if config.toml says so
    check_policy("hunter2 hunter2", _name(tmp_path / "list", breach_minimum_count=2))
    assert find_breach(b"correct horse", settings, asks_server=False)
    # And others pass, in whatever form, and without the policy all do
    for password in (GOOD, "x" * 72, "\udcff" * 10, "😀" * 300):
        check_policy(password, settings)
    check_policy("correct horse", _name(tmp_path / "list", policy=False))


@pytest.mark.parametrize("end", ["", "\n\r\n\n"], ids=["no-end", "blank-lines"])
def test_every_line_of_a_file_is_found_and_no_other(tmp_path: Path, end: str) -> None:
    # Given lines of different lengths, some without a count, and an end as few lists have it
    lines = [
        line.partition(":")[0] if number % 3 else line for number, line in enumerate(list_lines())
    ]
    path = tmp_path / "list"
    path.write_text("\n".join(lines) + end)
    found = SortedFile(path)
    # Then each is found, the first and the last included, and none beside them
    for line in [*lines[::7], lines[0], lines[-1]]:
        digits, _, count = line.partition(":")
        hit = found.find(bytes.fromhex(digits))
        assert hit is not None
        assert hit.count == (int(count) if count else None)
    assert not any(found.find(os.urandom(20)) for _ in range(200))
    assert not any(found.find(each * 20) for each in (b"\0", b"\xff"))
    # And a filter of it has them all
    assert build_filter(path, tmp_path / "filter", 0.1, 1, lambda *_: None).entries == len(lines)


def test_a_filter_finds_all_and_little_else(tmp_path: Path) -> None:
    # Given a filter, built of a list with what leaked more than once
    source, path = write_file(tmp_path / "hashes", list_lines()), tmp_path / "filter"
    steps: dict[str, float] = {}
    built = build_filter(
        source, path, 0.01, 2, lambda step, done, total: steps.update({step: done / total})
    )
    assert steps == {"counting": 1, "building": 1}
    lines = [line for line in source.read_text().split() if not line.endswith(":1")]
    assert built.entries == len(lines)
    # Then it has them all, and a hundredth of others; and its size is that of ten bits for each
    found = BloomFilter(path)
    assert all(found.find(bytes.fromhex(line[:40])) for line in lines)
    wrong = sum(found.find(os.urandom(20)) is not None for _ in range(20_000)) / 20_000
    assert 0.004 < wrong < 0.016
    assert path.stat().st_size < len(lines) * 10 / 8 * 1.1 + 2 * BLOCK_BYTES
    # And the policy says that a password has leaked, and not how often
    with pytest.raises(PasswordBreached, match="is in a list of leaked ones"):
        check_policy("correct horse", _name(path))
    # And it replaces a filter, and no other file
    build_filter(source, path, 0.001, 1, lambda *_: None)
    with pytest.raises(BreachListInvalid, match="would replace a file that is no filter"):
        build_filter(source, source, 0.001, 1, lambda *_: None)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["filter", "hashes"]


def _flip_bit(at: int) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[at] ^= 1
        return bytes(changed)

    return flip


def _put_first_last(content: bytes) -> bytes:
    first, _, rest = content.partition(b"\n")
    return rest + first + b"\n"


@pytest.mark.parametrize(
    ("write", "change", "sentence"),
    [
        (None, None, "cannot be read: No such file"),
        (_FORMATS["sha1"], lambda _: b"", "not HASH:count"),
        (_FORMATS["sha1"], lambda _: b"password1\npassword2\n", "not HASH:count"),
        (_FORMATS["sha1"], lambda text: b"\n".join(text.split(b"\n")[::-1][1:]), "is not sorted"),
        (_FORMATS["sha1-few"], _put_first_last, "is not sorted"),
        (_FORMATS["sha1-few"], lambda text: text[:-9], "is cut off"),
        (_FORMATS["sha1-few"], lambda text: b"0" * 32 + b":1\n" + text, "of both SHA-1 and NTLM"),
        (_FORMATS["sha1"], lambda text: text[: text.index(b"\n", 9000) + 2], "is cut off"),
        (_FORMATS["sha1"], lambda text: text[: text.index(b"\n", len(text) // 2)], "is cut off"),
        (_FORMATS["sha1"], lambda text: text[:9000] + bytes(len(text) - 9000), "not HASH:count"),
        (_build, _flip_bit(10), "damaged head"),
        (_build, _flip_bit(-1), "is damaged or cut off"),
        (_build, lambda content: content[:-1], "is damaged or cut off"),
        (_build, lambda content: content + b"\0", "is damaged or cut off"),
        (_build, lambda content: content[:20], "is too short"),
    ],
    ids=[
        *("missing", "empty", "foreign", "unsorted", "one-astray", "last-cut", "mixed"),
        *("cut-behind-a-digit", "cut-behind-a-line", "zeros"),
        *("filter-head", "filter-bit", "filter-cut", "filter-longer", "filter-short"),
    ],
)
def test_a_list_that_cannot_be_used_ends_the_start(
    tmp_path: Path, write: Write | None, change: Callable[[bytes], bytes] | None, sentence: str
) -> None:
    path = tmp_path / "list"
    if write is not None and change is not None:
        write(path)
        path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ConfigurationError, match=sentence) as failure:
        open_breach_list(_name(path))
    assert str(failure.value).startswith(f"[Passwords] breach_list: {path} ")


def test_a_range_that_is_missing_is_said_and_config_decides(tmp_path: Path) -> None:
    # Given a folder whose download has a gap
    path = write_folder(tmp_path / "list", [])
    verdict = judge_password(GOOD, _name(path), None, (), asks_server=False)
    # Then the verdict says that leaks were not checked; or the password is refused
    assert verdict == {"acceptable": True, "reasons": [], "unchecked": ["password_breached"]}
    check_policy(GOOD, _name(path))
    strict = _name(path, breach_unavailable="refuse")
    [reason] = judge_password(GOOD, strict, None, (), asks_server=False)["reasons"]
    assert reason["code"] == "breach_list_unavailable"
    with pytest.raises(BreachListUnavailable) as failure:
        check_policy(GOOD, strict)
    assert isinstance(failure.value, PasswordRefused)
    # And so it does where a file is damaged, which has no more to say than one that is missing
    number = sha1(GOOD)[:5]
    (path / f"{number}.txt").write_text("<html>")
    assert judge_password(GOOD, _name(path), None, (), asks_server=False) == verdict
    # And one without the first of its files ends the start, or one with some of another algorithm
    last = path / "FFFFF.txt"
    was = last.read_text()
    last.write_text(f"{'0' * 27}:1\n")
    with pytest.raises(ConfigurationError, match="both SHA-1 and NTLM"):
        open_breach_list(_name(path.rename(tmp_path / "mixed")))
    path = (tmp_path / "mixed").rename(tmp_path / "list")
    last.write_text(was)
    (path / "00000.txt").unlink()
    with pytest.raises(ConfigurationError, match="without the range file 00000"):
        open_breach_list(_name(path.rename(tmp_path / "other")))


def test_a_list_that_was_replaced_is_asked_within_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a list that a process has open, without a password that leaks later
    path, now, leaked = tmp_path / "list", [0.0], bytes.fromhex(sha1("correct horse"))
    write_file(path, [f"{sha1('another')}:1"])
    watched = WatchedList(path, lambda: now[0])
    assert watched.get().find(leaked) is None

    # When files take its place, one after the other
    def replace_by(write: Write, seconds: float) -> None:
        write(tmp_path / "new").replace(path)
        now[0] += seconds

    replace_by(_FORMATS["sha1"], 9.9)
    assert watched.get().find(leaked) is None
    now[0] += 0.1
    # Then each is asked within ten seconds, of whatever format, and the first stays readable
    assert watched.get().find(leaked) == Hit(7)
    replace_by(_build, 10)
    before = watched.get()
    assert before.find(leaked) == Hit(None)
    # And one that is damaged is not, nor one that is gone: the former goes on, and the log says so
    with caplog.at_level(logging.ERROR):
        replace_by(lambda path: write_file(path, ["no hash"]), 10)
        assert watched.get() is before
        assert "not HASH:count, in SHA-1 or NTLM; the former is asked" in caplog.text
        path.unlink()
        now[0] += 10
        assert watched.get() is before
    assert before.find(leaked) == Hit(None)
    # And a whole one serves again
    replace_by(_FORMATS["ntlm"], 10)
    assert watched.get().algorithm is Algorithm.NTLM


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
        ("message digest", "d9130a8164549fe818874806e1c7014b"),
        ("1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
    ids=["empty", "abc", "words", "digits"],
)
def test_md4_is_that_of_rfc_1320(text: str, digest: str) -> None:
    assert hash_md4(text.encode()).hex() == digest
    assert ntlm("password") == "8846F7EAEE8FB117AD06BDD830B7586C"
