"""Targets of derived tokens: what may be asked for, and the key that it is stored by."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Final

from actors.derived_tokens.errors import InvalidScope, InvalidTarget
from actors.providers.protocol.tokens.targets import (
    MAX_TARGET_LENGTH,
    MAX_TARGETS,
    RESOURCE_SENTENCE,
    Target,
    is_audience,
    read_resources,
)

#: Names of RFC 6749 section 3.3.
_SCOPE: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,2048}")


def read_target(
    scope: str | None, resources: Sequence[str], audiences: Sequence[str]
) -> Target | None:
    """Return what a request asks for, in an order that is not its own; None for nothing.

    Raises:
        InvalidScope: The scope has characters that none has.
        InvalidTarget: A resource is no absolute URI (RFC 8707), or an audience no line of text.
    """
    if scope is not None and not (_SCOPE.fullmatch(scope) and scope.split()):
        raise InvalidScope("scope must be names of visible ASCII characters, parted by spaces.")
    if resources and read_resources(list(resources)) is None:
        raise InvalidTarget(f"resource {RESOURCE_SENTENCE}.")
    if len(audiences) > MAX_TARGETS or not all(map(is_audience, audiences)):
        raise InvalidTarget(
            f"audience must be 1 to {MAX_TARGET_LENGTH} characters, none of them a control "
            f"character, and at most {MAX_TARGETS} of them."
        )
    target = Target(_order((scope or "").split()), _order(resources), _order(audiences))
    return target if target.to_json() else None


def _order(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def build_key(connection_id: str, target: Target) -> str:
    """Return the key of a connection's token for exactly this target: 64 hexadecimal digits."""
    named = json.dumps([connection_id, target.to_json()], sort_keys=True)
    return hashlib.sha256(named.encode()).hexdigest()
