"""bcrypt's limits: which hashes and passwords it can take; all others are typed errors."""

from __future__ import annotations

import contextlib

import hypothesis
import pytest
from hypothesis import strategies as st

from actors.passwords import PasswordHandling
from actors.passwords.errors import (
    PasswordHashInvalid,
    PasswordHashTooSlow,
    PasswordHasNul,
    PasswordTooLong,
)
from actors.passwords.rules import BcryptHash, check_hashable, parse_hash, truncate_password
from catfeeder.errors import CatFeederError
from config import Settings

SALT = "cVWp4XaNU8a4v1uMRum2SO"
DIGEST = "026BWLIoQMD/TXg5uZV.0P.uO8m3YEm"
HASH = f"$2b$04${SALT}{DIGEST}"


def test_a_hash_is_taken_apart_and_put_together() -> None:
    parts = parse_hash(HASH.encode())
    assert parts == BcryptHash("2b", 4, SALT.encode(), DIGEST.encode())
    assert parts.setting == HASH[:29].encode()


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
@pytest.mark.parametrize("rounds", [4, 9, 16])
def test_every_kind_that_can_be_checked_is_read(prefix: str, rounds: int) -> None:
    parts = parse_hash(f"${prefix}${rounds:02}${SALT}{DIGEST}".encode())
    assert (parts.prefix, parts.rounds) == (prefix, rounds)


@pytest.mark.parametrize(
    "password_hash",
    [
        "",
        "hunter2",
        "$2b$",
        HASH[:-1],  # truncated, as by a column of 59 characters
        HASH[:29],  # a salt alone
        HASH + "x",
        HASH + "\n",
        " " + HASH,
        HASH.replace("$2b$", "$2$"),  # before 1997
        HASH.replace("$2b$", "$2x$"),  # crypt_blowfish with the bug of CVE-2011-2483
        HASH.replace("$2b$", "$2B$"),
        HASH.replace("$04$", "$4$"),
        HASH.replace("$04$", "$03$"),
        HASH.replace("$04$", "$00$"),
        HASH.replace("$04$", "$32$"),
        HASH.replace("$04$", "$-4$"),
        HASH.replace("$04$", "$xx$"),
        HASH.replace("$04$", "$٠٤$"),  # digits, though not those of ASCII
        HASH.replace("S", "é", 1),
        HASH.replace("S", "+", 1),
        HASH.replace("S", "\0", 1),
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "5f4dcc3b5aa765d61d8327deb882cf99",
    ],
)
def test_anything_else_is_a_typed_error(password_hash: str) -> None:
    with pytest.raises(PasswordHashInvalid):
        parse_hash(password_hash.encode())


@pytest.mark.parametrize("rounds", [17, 31])
def test_a_hash_that_would_take_hours_is_refused(rounds: int) -> None:
    with pytest.raises(PasswordHashTooSlow):
        parse_hash(HASH.replace("$04$", f"${rounds}$").encode())


@hypothesis.given(password_hash=st.binary(max_size=70) | st.binary(min_size=60, max_size=60))
def test_reading_never_fails_otherwise(password_hash: bytes) -> None:
    with contextlib.suppress(PasswordHashInvalid, PasswordHashTooSlow):
        assert len(parse_hash(password_hash).setting) == 29


@hypothesis.given(at=st.integers(0, 59), byte=st.integers(0, 255))
def test_a_damaged_hash_is_refused_or_still_a_hash(at: int, byte: int) -> None:
    damaged = bytearray(HASH.encode())
    damaged[at] = byte
    with contextlib.suppress(PasswordHashInvalid, PasswordHashTooSlow):
        assert len(parse_hash(bytes(damaged)).setting) == 29


@pytest.mark.usefixtures("settings")
def test_a_salt_with_stray_bits_checks_as_passlib_made_it(settings: Settings) -> None:
    # Given a hash whose salt ends in a character with bits that bcrypt has no use for
    handling = PasswordHandling()
    handling.salt_rounds = settings.passwords.rounds
    password_hash = handling.hash_password("x")
    successor = {".": "/", "O": "P", "e": "f", "u": "v"}[password_hash[28]]
    stray = password_hash[:28] + successor + password_hash[29:]
    # Then it is still the password's, and no other's
    assert handling.check_password("x", stray) is True
    assert handling.check_password("y", stray) is False


def test_72_bytes_are_hashable_and_one_more_is_not() -> None:
    check_hashable(b"x" * 72)
    with pytest.raises(PasswordTooLong, match="has 73 bytes"):
        check_hashable(b"x" * 73)


def test_a_nul_is_found_wherever_it_stands() -> None:
    for password in (b"\0", b"a\0", b"\0a", b"x" * 71 + b"\0"):
        with pytest.raises(PasswordHasNul):
            check_hashable(password)
        with pytest.raises(PasswordHasNul):
            truncate_password(password)


def test_72_bytes_are_compared() -> None:
    assert truncate_password(b"x" * 80) == b"x" * 72
    assert truncate_password(b"x" * 72) == b"x" * 72


def test_a_refusal_is_a_value_error_that_holds_no_password() -> None:
    with pytest.raises(ValueError, match="73 bytes") as refusal:
        check_hashable(b"hunter2" + b"x" * 66)
    assert isinstance(refusal.value, CatFeederError)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.code == "password_too_long"
