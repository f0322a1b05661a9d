"""The documentation's examples of passwords, as an app would hold them."""

from __future__ import annotations

import pytest

from actors.passwords import PasswordHandling

pytestmark = pytest.mark.usefixtures("settings")


def test_example_1_hash_a_password_at_registration() -> None:
    password_handler = PasswordHandling(error=84, success=0, debug=False)

    def register_user(email: str, password: str) -> dict[str, str]:
        hashed_password = password_handler.hash_password(password)
        return {"email": email, "password": hashed_password}

    user = register_user("cat@example.com", "my_secure_password")
    assert user["password"] != "my_secure_password"
    assert user["password"].startswith("$2b$10$")
    assert len(user["password"]) == 60


def test_example_2_verify_a_password_at_login() -> None:
    password_handler = PasswordHandling(error=84, success=0, debug=False)
    stored = {"cat@example.com": password_handler.hash_password("my_secure_password").encode()}

    def login_user(email: str, password: str) -> bool:
        return password_handler.check_password(password, stored[email])

    assert login_user("cat@example.com", "my_secure_password") is True
    assert login_user("cat@example.com", "my_insecure_password") is False


def test_example_8_a_password_may_be_bytes() -> None:
    password_handler = PasswordHandling(error=84, success=0, debug=False)

    password_bytes = b"my_secure_password"
    hashed = password_handler.hash_password(password_bytes)

    assert isinstance(hashed, str)
    assert password_handler.check_password(password_bytes, hashed)
    assert password_handler.check_password("my_secure_password", hashed.encode("utf-8"))


@pytest.mark.parametrize("password", [12345, None, ["my_secure_password"]])
def test_error_handling_a_password_of_another_type_is_a_type_error(password: object) -> None:
    password_handler = PasswordHandling(error=84, success=0, debug=False)
    try:
        password_handler.hash_password(password)  # type: ignore[arg-type]
    except TypeError as error:
        message = str(error)
    assert "must be str or bytes" in message


@pytest.mark.parametrize("hashed", [12345, None, {"hash": "$2b$"}])
def test_error_handling_a_hash_of_another_type_is_a_type_error(hashed: object) -> None:
    password_handler = PasswordHandling(error=84, success=0, debug=False)
    try:
        password_handler.check_password("my_secure_password", hashed)  # type: ignore[arg-type]
    except TypeError as error:
        message = str(error)
    assert "must be str or bytes" in message
