"""State hash: the SHA-256 by which a pending sign-in is found, and the reference made of it."""

from __future__ import annotations

import hashlib
from typing import Final

from catfeeder.sealing import Secret

#: Digits of a state's hash by which a sign-in's user can name it to an operator.
REFERENCE_DIGITS: Final = 10


def name_sign_in(state: Secret) -> str:
    """Return the reference of a sign-in: what its user may tell an operator, and worth nothing."""
    return hash_state(state)[:REFERENCE_DIGITS]


def hash_state(state: Secret) -> str:
    """Return the SHA-256 of a state, or of a browser's secret: 64 hexadecimal digits."""
    # Those that we made are ASCII; another that comes may hold what is no text.
    return hashlib.sha256(state.reveal().encode(errors="surrogatepass")).hexdigest()
