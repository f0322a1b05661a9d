"""Password policy: what it refuses, what it lets pass, and that it can be off."""

from __future__ import annotations

import pytest

from actors.passwords.errors import PasswordTooEasy, PasswordTooShort
from actors.passwords.policy import check_policy
from catfeeder.queue.requester import acting_app
from config import PasswordsSettings


@pytest.mark.parametrize("password", ["", "short", "7 chars"])
def test_a_short_password_is_refused_with_its_length(password: str) -> None:
    with pytest.raises(PasswordTooShort, match=f"has {len(password)} characters.* 8"):
        check_policy(password, PasswordsSettings())


def test_characters_count_and_not_bytes() -> None:
    check_policy("żółw żuł", PasswordsSettings())
    with pytest.raises(PasswordTooShort):
        check_policy("żółwik", PasswordsSettings())


def test_each_rule_can_be_off() -> None:
    check_policy("password", PasswordsSettings(refuse_common=False))
    check_policy("x", PasswordsSettings(minimum_length=1, refuse_common=False))
    check_policy("x", PasswordsSettings(policy=False))


def test_the_id_of_the_app_that_asks_counts_by_itself() -> None:
    # Given passwords of an app's id, which no caller has passed
    check_policy("Web-Shop2024", PasswordsSettings())
    token = acting_app.set("web-shop")
    try:
        for password in ("Web-Shop2024", "shopwebshop", "shop.web!!"):
            with pytest.raises(PasswordTooEasy):
                check_policy(password, PasswordsSettings())
        check_policy("a web of shops in town", PasswordsSettings())
    finally:
        acting_app.reset(token)
