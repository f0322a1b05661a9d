"""Argon2id: named parameters, what is outdated beside bcrypt, and the budget of memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import argon2
import pytest

from actors.passwords.errors import PasswordHashTooLarge, PasswordHasNul, SchemeInvalid
from actors.passwords.hashing import PasswordHandling, check_password, hash_password
from actors.passwords.memory import MemoryBudget
from catfeeder.sealing import Secret
from config import ARGON2_SETS, ROOT, current_settings

pytestmark = pytest.mark.usefixtures("settings")


def choose(toml_conf: dict[str, Any], **passwords: object) -> None:
    """Set values of [Passwords] from now on."""
    toml_conf["Passwords"].update(passwords)
    current_settings.cache_clear()


def check(password: str, password_hash: str, **options: Any) -> dict[str, Any]:
    """Check, and ask for a new hash."""
    return dict(check_password(Secret(password), Secret(password_hash), rehash=True, **options))


@pytest.mark.parametrize("name", [name for name in ARGON2_SETS if name != "rfc9106-2-gib"])
def test_a_hash_has_the_parameters_of_its_name(name: str) -> None:
    # When a hash is made with a set of parameters
    made = hash_password(Secret("correct horse"), argon2=name)["password_hash"]
    # Then another library finds it right, with a salt of 128 bits and a tag of 256
    assert argon2.PasswordHasher().verify(made, "correct horse")
    found = argon2.extract_parameters(made)
    assert (found.memory_cost, found.time_cost, found.parallelism) == ARGON2_SETS[name]
    assert (found.type, found.version, found.salt_len, found.hash_len) == (
        argon2.Type.ID,
        19,
        16,
        32,
    )


def test_the_class_takes_a_scheme_by_keyword() -> None:
    # Given the seed's class, whose default stays bcrypt
    handling = PasswordHandling(error=84, success=0, debug=False, scheme="argon2id")
    assert PasswordHandling().hash_password("x").startswith("$2b$10$")
    # When Argon2id is its scheme, then a password of any length is hashed by it
    for password in ("x" * 200, b"\xff" * 80, ""):
        made = handling.hash_password(password)
        assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PasswordHandling().check_password(password, made.encode())
        assert not handling.check_password("other", made)
    # And what no form of bcrypt takes is refused by it too
    with pytest.raises(PasswordHasNul):
        handling.hash_password("a\0b")
    with pytest.raises(SchemeInvalid):
        PasswordHandling(scheme="md5").hash_password("x")


def test_a_hash_is_replaced_by_the_configured_scheme(toml_conf: dict[str, Any]) -> None:
    # Given hashes of bcrypt, one of a password that is longer than bcrypt reads
    old = hash_password(Secret("correct horse"))["password_hash"]
    cut = hash_password(Secret("x" * 72))["password_hash"]
    assert check("correct horse", old)["needs_rehash"] is False
    # When config.toml changes to Argon2id, then both are replaced, by one of all that was typed
    choose(toml_conf, scheme="argon2id", argon2="owasp-7-mib")
    for password, stored in (("correct horse", old), ("x" * 80, cut)):
        renewed = check(password, stored)["password_hash"]
        assert renewed.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
        assert check(password, renewed) == {"valid": True, "needs_rehash": False}
    # And a wrong password brings none
    assert check("wrong", old) == {"valid": False, "needs_rehash": True}


def test_no_hash_is_replaced_by_a_weaker_one(toml_conf: dict[str, Any]) -> None:
    # Given a service of bcrypt, and an app that asks for Argon2id
    made = hash_password(Secret("x"), scheme="argon2id")["password_hash"]
    assert check("x", made) == {"valid": True, "needs_rehash": False}
    # When the parameters become other ones of the same strength, then it stays as well
    choose(toml_conf, argon2="owasp-7-mib")
    assert check("x", made) == {"valid": True, "needs_rehash": False}
    # When they become stronger, then it stays with Argon2id
    choose(toml_conf, argon2="rfc9106-64-mib")
    assert check("x", made)["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    # And bcrypt is what an app gets that names it
    assert check("x", made, scheme="bcrypt")["password_hash"].startswith("$2b$04$")


def test_an_unknown_user_costs_what_a_known_one_does(toml_conf: dict[str, Any]) -> None:
    # Given Argon2id, and a user's hash
    choose(toml_conf, scheme="argon2id")
    stored = Secret(hash_password(Secret("x"))["password_hash"])
    # When a wrong password is checked against it, and against no hash
    known, unknown = (
        min(seconds_of_check(password_hash) for _ in range(3)) for password_hash in (stored, None)
    )
    # Then both take the same time
    assert 0.6 < known / unknown < 1.6


def seconds_of_check(password_hash: Secret | None) -> float:
    began = time.process_time()
    answer = check_password(Secret("wrong"), password_hash, rehash=True)
    assert not answer["valid"]
    return time.process_time() - began


def test_parameters_beyond_the_memory_are_refused() -> None:
    with pytest.raises(PasswordHashTooLarge, match="128 MiB"):
        hash_password(Secret("x"), argon2="rfc9106-2-gib")


def test_memory_is_lent_in_turn_and_no_more_than_there_is() -> None:
    budget, most, order = MemoryBudget(), 100, list[int]()

    def borrow(kib: int) -> None:
        with budget.borrow(kib, most):
            order.append(kib)
            time.sleep(0.01)

    # Given a large one that waits behind small ones
    with budget.borrow(40, most):
        threads = [threading.Thread(target=borrow, args=[kib]) for kib in (90, 30, 31, 32, 33)]
        for thread in threads:
            thread.start()
            time.sleep(0.01)
        # Then none overtakes it
        assert order == []
    for thread in threads:
        thread.join()
    assert order[0] == 90
    assert (budget.lent, budget.highest <= most) == (0, True)


def test_a_process_that_is_flooded_stays_within_its_memory() -> None:
    # Given a process with a budget of 64 MiB, when 16 threads hash with 19 MiB each at once
    program = """
        import resource, sys
        from concurrent.futures import ThreadPoolExecutor
        from actors.passwords.hashing import hash_password
        from actors.passwords.memory import BUDGET, share_one_arena
        from catfeeder.sealing import Secret
        import config
        config.TOML_CONF = {"Passwords": {"memory_mib": 64}}

        def peak_mib():
            unit = 1024 * 1024 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

        share_one_arena()
        hash_password(Secret("correct horse"), rounds=10)
        before = peak_mib()
        with ThreadPoolExecutor(16) as threads:
            passwords = [Secret(f"correct horse {number}") for number in range(30)]
            made = list(threads.map(lambda each: hash_password(each, scheme="argon2id"), passwords))
        print(len(made), BUDGET.highest // 1024, round(peak_mib() - before))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    made, lent_mib, grown_mib = map(int, ended.stdout.split())
    # Then all are made, three at a time, and the process has grown by no more than its budget
    assert (made, lent_mib) == (30, 57)
    assert grown_mib <= 64
