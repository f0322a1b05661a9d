"""Members of credentials: what a provider's kind takes, and how they are sealed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from actors.connections.credentials.errors import CredentialsInvalid
from actors.providers.protocol.provider import Provider
from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import digest_token

API_KEY: Final = "api_key"
BASIC: Final = "basic"
#: A field value of RFC 9110 section 5.5, as far as all servers read it alike.
_FIELD_VALUE: Final = re.compile("[!-~](?:[ -~]*[!-~])?")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_MAX_LENGTH: Final = 4096
_MAX_USERNAME_LENGTH: Final = 255
_DIGEST_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection is made from: its kind, its members by name, and whose account they are.

    `kind` is a `credential_type`, or the grant type that asks for tokens with them.
    """

    kind: str
    members: Mapping[str, str]
    account: str = ""

    @property
    def is_static(self) -> bool:
        """Return whether requests to the API carry the credentials themselves."""
        return self.kind in (API_KEY, BASIC)

    def serialize(self) -> Secret:
        """Return what the connection's row holds, to be sealed."""
        return Secret(json.dumps({"kind": self.kind, "members": dict(self.members)}))


def open_credentials(row: TAB_CONNECTIONS) -> Credentials | None:
    """Return the credentials that a connection was made from; None for a sign-in's.

    Raises:
        SealBroken: They were sealed for another row, or with a key that this process lacks.
    """
    stored = TAB_CONNECTIONS.credentials.open(row)
    if stored is None:
        return None
    parts = json.loads(stored.reveal())
    return Credentials(parts["kind"], parts["members"], row.provider_subject)


def read_static_credentials(provider: Provider, given: Mapping[str, Secret]) -> Credentials:
    """Return the credentials of an API key, or of Basic authentication (RFC 7617).

    Raises:
        CredentialsInvalid: A member is missing, unknown or cannot stand in a request.
    """
    return _READERS[provider.credential_type](reveal(given))


def reveal(given: Mapping[str, Secret]) -> dict[str, str]:
    """Return the members as text.

    Raises:
        CredentialsInvalid: One of them is too long, or an app's message has it in the clear.
    """
    if not all(isinstance(value, Secret) for value in given.values()):
        raise CredentialsInvalid("Each member of the credentials is a secret.")
    members = {name: value.reveal() for name, value in given.items()}
    if any(len(value) > _MAX_LENGTH for value in members.values()):
        raise CredentialsInvalid(
            f"No member of the credentials has more than {_MAX_LENGTH} letters."
        )
    return members


def check_names(members: Mapping[str, str], needed: set[str], optional: set[str]) -> None:
    """Check that credentials have the members that they need, and no other.

    Raises:
        CredentialsInvalid: A member is missing or unknown.
    """
    if not needed <= members.keys() <= needed | optional:
        wanted = ", ".join(sorted(needed)) or "nothing"
        more = f"; {', '.join(sorted(optional))} may be given" if optional else ""
        raise CredentialsInvalid(f"The credentials of this provider are {wanted}{more}.")


def _read_api_key(members: Mapping[str, str]) -> Credentials:
    check_names(members, {"api_key"}, set())
    key = members["api_key"]
    if not _FIELD_VALUE.fullmatch(key):
        raise CredentialsInvalid("An API key is of visible ASCII characters.")
    return Credentials(API_KEY, members, f"key-{digest(key)}")


def digest(text: str) -> str:
    """Return a keyed digest that identifies a secret, and reveals nothing of it."""
    return digest_token(Secret(text))[0][:_DIGEST_CHARACTERS]


def _read_basic(members: Mapping[str, str]) -> Credentials:
    """Read user name and password (RFC 7617 section 2); one of them may be empty."""
    check_names(members, {"username", "password"}, set())
    username, password = members["username"], members["password"]
    is_readable = ":" not in username and not _CONTROL.search(username + password)
    if not is_readable or not username + password or len(username) > _MAX_USERNAME_LENGTH:
        raise CredentialsInvalid(
            "username and password have no control characters and are not both empty, and username "
            f"has no colon and at most {_MAX_USERNAME_LENGTH} characters (RFC 7617)."
        )
    account = username or f"key-{digest(password)}"
    return Credentials(BASIC, members, account)


_READERS: Final[Mapping[str, Callable[[Mapping[str, str]], Credentials]]] = {
    API_KEY: _read_api_key,
    BASIC: _read_basic,
}
