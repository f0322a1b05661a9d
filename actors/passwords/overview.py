"""Overview: how new passwords are hashed and judged, in a sentence for operators."""

from __future__ import annotations

from actors.passwords.pepper import list_peppers
from config import Settings


def describe_hashing(settings: Settings) -> str:
    """Return a sentence on scheme and pepper; it names keys by their ids."""
    passwords = settings.passwords
    parameters = {"bcrypt": f"{passwords.rounds} rounds", "argon2id": passwords.argon2}
    scheme = f"New hashes are of {passwords.scheme} ({parameters[passwords.scheme]})"
    known = [pepper.key_id for pepper in list_peppers(settings)]
    if settings.password_pepper is None:
        former = f"; those of the pepper {', '.join(known)} are checked" if known else ""
        return f"{scheme}, without a pepper{former}."
    former = f"; those of {', '.join(known[1:])} are checked too" if known[1:] else ""
    return f"{scheme}, with the pepper {known[0]}{former}."
