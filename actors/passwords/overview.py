"""Overview: how new passwords are hashed and judged, in a sentence for operators."""

from __future__ import annotations

from actors.passwords.breaches.lists import open_breach_list
from actors.passwords.pepper import list_peppers
from config import PasswordsSettings, Settings


def describe_passwords(settings: Settings) -> str:
    """Return sentences on scheme, pepper and breach list; they name keys by their ids.

    Raises:
        ConfigurationError: The breach list cannot be used.
    """
    return f"{_describe_hashing(settings)} {_describe_breaches(settings.passwords)}"


def _describe_breaches(passwords: PasswordsSettings) -> str:
    breach_list = open_breach_list(passwords)
    asked = [] if breach_list is None else [breach_list.describe()]
    asked += ["the range server of breach_range_url"] if passwords.breach_range_url else []
    if not asked or not passwords.policy:
        return "No list of leaked passwords is asked."
    return f"Leaked passwords are looked up in {' and '.join(asked)}."


def _describe_hashing(settings: Settings) -> str:
    passwords = settings.passwords
    parameters = {"bcrypt": f"{passwords.rounds} rounds", "argon2id": passwords.argon2}
    scheme = f"New hashes are of {passwords.scheme} ({parameters[passwords.scheme]})"
    known = [pepper.key_id for pepper in list_peppers(settings)]
    if settings.password_pepper is None:
        former = f"; those of the pepper {', '.join(known)} are checked" if known else ""
        return f"{scheme}, without a pepper{former}."
    former = f"; those of {', '.join(known[1:])} are checked too" if known[1:] else ""
    return f"{scheme}, with the pepper {known[0]}{former}."
