"""bcrypt's limits: which hashes and passwords it can take; all others are typed errors."""

from __future__ import annotations

import contextlib
import time

import hypothesis
import pytest
from hypothesis import strategies as st

from actors.passwords import PasswordHandling
from actors.passwords.errors import (
    PasswordHashInvalid,
    PasswordHashTooLarge,
    PasswordHashTooSlow,
    PasswordHasNul,
)
from actors.passwords.rules import check_hashable, parse_hash, truncate_password
from actors.passwords.stored.bcrypt_forms import BcryptHash
from catfeeder.errors import CatFeederError
from config import Settings

SALT = "cVWp4XaNU8a4v1uMRum2SO"
DIGEST = "026BWLIoQMD/TXg5uZV.0P.uO8m3YEm"
HASH = f"$2b$04${SALT}{DIGEST}"


@pytest.mark.parametrize("prefix", ["2", "2a", "2b", "2x", "2y"])
@pytest.mark.parametrize("rounds", [4, 9, 16])
def test_every_kind_that_can_be_checked_is_read(prefix: str, rounds: int) -> None:
    parts = parse_hash(f"${prefix}${rounds:02}${SALT}{DIGEST}".encode())
    assert isinstance(parts, BcryptHash)
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
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ",
        "$argon2id$v=18$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "$argon2id$v=19$m=8,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "5f4dcc3b5aa765d61d8327deb882cf99",  # a digest that config.toml does not name
        "{SHA}I7dElEdfX4dJgLdnbVEeI9iG2mQ=",
        "{noop}hunter2",
        "scrypt:32767:8:1$salt$" + "0" * 128,  # N is no power of two
        "$scrypt$ln=0,r=8,p=1$c2FsdA$" + "A" * 43,
        "pbkdf2_sha256$0$salt$" + "A" * 43 + "=",
        "AQAAAAMAACcQAAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",  # no such PRF
        '{"secretData": "{}", "credentialData": "{}"}',
        "{" * 4000,
        "$2b$04$" * 1000,
    ],
)
def test_anything_else_is_a_typed_error(password_hash: str) -> None:
    with pytest.raises(PasswordHashInvalid):
        parse_hash(password_hash.encode())


@pytest.mark.parametrize(
    "password_hash",
    [
        HASH.replace("$04$", "$17$"),
        HASH.replace("$04$", "$31$"),
        HASH.replace("$2b$04$", "$bcrypt-sha256$v=2,t=2b,r=31$").replace(SALT, f"{SALT}$"),
        "$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "pbkdf2_sha256$2147483647$salt$" + "A" * 43 + "=",
        "$scrypt$ln=20,r=8,p=1024$c2FsdA$" + "A" * 43,
        "$6$rounds=999999999$salt$" + "a" * 86,
        "$P$S12345678" + "a" * 22,
        "AQAAAAF/////AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
        "$argon2id$v=19$m=65536,t=1,p=8192$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
    ],
    ids=[
        *("bcrypt-17", "bcrypt-31", "bcrypt-sha256", "argon2", "pbkdf2", "scrypt", "sha-crypt"),
        *("phpass", "asp-net", "argon2-lanes"),
    ],
)
def test_a_hash_that_would_take_hours_is_refused(password_hash: str) -> None:
    with pytest.raises(PasswordHashTooSlow, match="16 rounds"):
        parse_hash(password_hash.encode())


@pytest.mark.parametrize(
    "password_hash",
    [f"$6$salt${'a' * 86}", f"$5$salt${'a' * 43}", f"$P$B12345678{'a' * 22}"],
    ids=["sha512-crypt", "sha256-crypt", "phpass"],
)
def test_a_long_password_costs_what_its_rounds_digest_of_it(password_hash: str) -> None:
    # Given forms that digest all of a password in each round
    short, long = (parse_hash(password_hash.encode()).cost_of(length) for length in (8, 4096))
    assert long > 60 * short
    dear = password_hash.replace("$salt", "$rounds=999999$salt").replace("$B", "$J")
    assert parse_hash(dear.encode())
    # Then what would take minutes is refused, and what no software takes is never right, at once
    with pytest.raises(PasswordHashTooSlow):
        parse_hash(dear.encode(), length=4096)
    began = time.process_time()
    assert not PasswordHandling().check_password("x" * 1_000_000, password_hash)
    assert time.process_time() - began < 1


_S, _D = "c3Nzc3Nzc3Nzc3Nzc3Nzcw", "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M"
_KEYCLOAK = (
    '{{"secretData":{{"salt":"{s}==","value":"{d}="}},"credentialData":{{"algorithm":"argon2",'
    '"hashIterations":1,"additionalParameters":{{"version":["1.3"],"type":["id"],'
    '"memory":["{number}"],"parallelism":["1"]}}}}}}'
)
#: With digits of another script, as they are and as JSON escapes them.
_WIDE = "\N{FULLWIDTH DIGIT ONE}024"
_ODD_NUMBERS = ("+1024", "-1024", "01024", "1_024", " 1024", "1024 ", _WIDE, "\\uff11", "1e3", "")
_NUMBERED = {
    "pbkdf2": "pbkdf2_sha256${number}$salt${d}=",
    "passlib-pbkdf2": "$pbkdf2-sha256${number}${s}${d}",
    "werkzeug-pbkdf2": "pbkdf2:sha256:{number}$salt$" + "ab" * 32,
    "werkzeug-scrypt": "scrypt:{number}:8:1$salt$" + "ab" * 64,
    "werkzeug-scrypt-r": "scrypt:16:{number}:1$salt$" + "ab" * 64,
    "django-scrypt-p": "scrypt$1024$salt$8${number}${d}=",
    "scrypt-r": "$scrypt$ln=4,r={number},p=1${s}${d}",
    "argon2": "$argon2id$v=19$m={number},t=1,p=1${s}${d}",
    "argon2-t": "$argon2id$v=19$m=64,t={number},p=1${s}${d}",
    "sha-crypt": "$6$rounds={number}$salt$" + "a" * 86,
    "keycloak": _KEYCLOAK,
}


@pytest.mark.parametrize("form", _NUMBERED.values(), ids=_NUMBERED)
def test_a_parameter_is_a_plain_number(form: str) -> None:
    assert parse_hash(form.format(number="1024", s=_S, d=_D).encode())
    # When it has a sign, a leading zero, an underscore, a space, digits of another script or none
    for odd in _ODD_NUMBERS:
        with pytest.raises(PasswordHashInvalid):
            parse_hash(form.format(number=odd, s=_S, d=_D).encode())
    # And one that stands there twice is no form either
    twice = form.replace("{number}", "1024,m=1024").format(s=_S, d=_D)
    with pytest.raises(PasswordHashInvalid):
        parse_hash(twice.encode())


@pytest.mark.parametrize(
    "password_hash",
    [
        "$argon2id$v=19$m=131073,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "$scrypt$ln=17,r=8,p=1$c2FsdA$" + "A" * 43,
    ],
    ids=["argon2", "scrypt"],
)
def test_a_hash_that_would_take_more_than_the_memory_is_refused(password_hash: str) -> None:
    with pytest.raises(PasswordHashTooLarge, match="128 MiB"):
        parse_hash(password_hash.encode())


@hypothesis.given(password_hash=st.binary(max_size=70) | st.binary(min_size=60, max_size=60))
def test_reading_never_fails_otherwise(password_hash: bytes) -> None:
    with contextlib.suppress(PasswordHashInvalid, PasswordHashTooSlow):
        assert parse_hash(password_hash).cost > 0


@hypothesis.given(at=st.integers(0, 59), byte=st.integers(0, 255))
def test_a_damaged_hash_is_refused_or_still_a_hash(at: int, byte: int) -> None:
    damaged = bytearray(HASH.encode())
    damaged[at] = byte
    with contextlib.suppress(PasswordHashInvalid, PasswordHashTooSlow):
        assert parse_hash(bytes(damaged)).cost == 16


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


def test_a_nul_is_found_wherever_it_stands() -> None:
    for password in (b"\0", b"a\0", b"\0a", b"x" * 71 + b"\0"):
        with pytest.raises(PasswordHasNul):
            check_hashable(password)
        with pytest.raises(PasswordHasNul):
            truncate_password(password)


def test_a_refusal_is_a_value_error_that_holds_no_password() -> None:
    with pytest.raises(ValueError, match="73 bytes") as refusal:
        check_hashable(b"hunter2" + b"x" * 66)
    assert isinstance(refusal.value, CatFeederError)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.code == "password_too_long"
