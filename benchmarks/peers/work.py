"""Work of every peer: the same as that of our `check_password`."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import unquote, urlsplit

import bcrypt

#: The broker of all contenders.
REDIS_URL: Final = os.environ["BENCHMARK_REDIS_URL"]
#: Its path, for peers with a form of their own.
REDIS_SOCKET: Final = unquote(urlsplit(REDIS_URL).path)


def check(password: str, password_hash: str) -> bool:
    """Return whether the hash is of the password."""
    return bcrypt.checkpw(password.encode(), password_hash.encode())
