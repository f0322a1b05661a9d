"""Keycloak's credentials: the JSON of a realm's export, with PBKDF2 or Argon2 in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from actors.passwords.stored.argon2_forms import Argon2Hash
from actors.passwords.stored.form import NUMBER, StoredHash, decode_base64
from actors.passwords.stored.pbkdf2_forms import build_pbkdf2

_PBKDF2: Final = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
_NUMBER: Final = re.compile(NUMBER)
_VERSIONS: Final = {"1.0": 0x10, "1.3": 0x13}


def parse_keycloak(text: str) -> StoredHash | None:
    """Return the hash of a credential, whose `secretData` and `credentialData` are JSON texts."""
    if not text.startswith("{"):
        return None
    credential = _read(text)
    secret, parameters = (_read(credential.get(name)) for name in ("secretData", "credentialData"))
    salt, digest = (_decode(secret.get(name)) for name in ("salt", "value"))
    algorithm, iterations = parameters.get("algorithm"), parameters.get("hashIterations")
    if not isinstance(algorithm, str) or type(iterations) is not int or iterations < 1:
        return None
    if algorithm in _PBKDF2:
        return build_pbkdf2(_PBKDF2[algorithm], iterations, salt, digest)
    if algorithm == "argon2" and salt and digest:
        return _build_argon2(parameters.get("additionalParameters"), iterations, salt, digest)
    return None


def _build_argon2(
    parameters: object, iterations: int, salt: bytes, digest: bytes
) -> Argon2Hash | None:
    """Return an Argon2 hash; each of its parameters is a list of one text."""
    if not isinstance(parameters, Mapping):
        return None
    try:
        [version_name], [kind] = parameters["version"], parameters["type"]
        version = _VERSIONS[version_name]
        memory, lanes = (_read_number(parameters[name]) for name in ("memory", "parallelism"))
    except (KeyError, TypeError, ValueError):
        return None
    is_usable = kind in ("id", "i", "d") and lanes > 0 and 8 * lanes <= memory < 1 << 32
    if not is_usable or len(salt) < 8 or len(digest) < 12 or iterations >= 1 << 32:
        return None
    return Argon2Hash(digest, kind, version, memory, iterations, lanes, salt, is_wrapped=True)


def _read_number(values: object) -> int:
    """Return the one number of a list.

    Raises:
        ValueError: The list has no such text alone.
    """
    match values:
        case [str(text)] if _NUMBER.fullmatch(text):
            return int(text)
    raise ValueError


def _read(value: object) -> Mapping[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _decode(value: object) -> bytes | None:
    return decode_base64(value) if isinstance(value, str) else None
