"""Token answers and user info in the shape that the catalogues' facts give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.catalogue.demands import Demands

SUBJECT: Final = "4711"
PARTS: Final = {
    "subject": SUBJECT,
    "email": "jane@example.com",
    "email_verified": True,
    "name": "Jane Doe",
    "picture": "https://example.com/jane.jpg",
}
#: Members of the token answer, by the standard's names.
_STANDARD: Final = {"refresh_token": "refresh-1", "expires_in": 3600, "token_type": "Bearer"}


@dataclass(frozen=True)
class Account:
    """The user that each provider of the harness knows."""

    demands: Demands
    base: str

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of an id_token."""
        claims = {"sub": SUBJECT, "email": PARTS["email"], "name": PARTS["name"]}
        for part, path in self.demands.paths.items():
            put_at(claims, path, self.value_of(part))
        return claims

    def value_of(self, part: str) -> Any:
        """Return what stands at a part's path, which another part may have too."""
        paths = self.demands.paths
        same = [one for one in PARTS if paths.get(one) == paths.get(part)]
        return PARTS[next((one for one in ("email", "name") if one in same), part)]


def write_token_answer(account: Account, token: str) -> dict[str, Any]:
    """Return a token answer: members where they stand, and those that have to be kept."""
    demands = account.demands
    members: dict[str, Any] = {}
    paths = demands.get("token_response_paths", {})
    standard = {"access_token": token, **_STANDARD}
    if demands.get("renewal") == "access_token":
        del standard["refresh_token"]
    for name, value in standard.items():
        put_at(members, paths.get(name, name), value)
    if demands.get("identity") == "token_response":
        for part, path in demands.paths.items():
            put_at(members, path, account.value_of(part))
    for name in demands.kept["answer"]:
        put_at(members, name, kept_value(account, name))
    return members


def kept_value(account: Account, name: str) -> str:
    """Return the value of a member that has to be kept; some are the address of the API."""
    if account.demands.get("identity") == "token_response":
        for part, path in account.demands.paths.items():
            if path == name:
                return str(account.value_of(part))
    url = str(account.demands.get("userinfo_endpoint"))
    return f"{account.base}/api.example" if url.startswith(f"{{token.{name}}}") else f"kept-{name}"


def write_user_info(account: Account) -> Any:
    """Return user info that has each part where the catalogues say, and others elsewhere."""
    demands = account.demands
    raw: dict[str, Any] = {}
    if is_openid(demands) or "subject" not in demands.paths:
        raw["sub"] = SUBJECT
    for part, path in demands.paths.items():
        put_at(raw, path, account.value_of(part))
    for part, paths in demands.other_paths.items():
        last = demands.paths.get(part, "").rpartition(".")[2]
        for path in paths:
            # A path may lack its leading part; any other leads to something else.
            value = account.value_of(part) if path.rpartition(".")[2] == last else f"other-{part}"
            put_at(raw, path, value)
    return raw


def is_openid(demands: Demands) -> bool:
    """Return whether a provider has OpenID Connect, whose user info has sub."""
    return "openid" in demands.scopes or bool(demands.get("issuer"))


def put_at(raw: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path, unless something else stands there."""
    names = path.split(".")
    if path.startswith("https://"):
        names = [path]
    where: Any = raw
    for name, following in zip(names, [*names[1:], None], strict=True):
        empty: Any = value if following is None else ([] if following.isdecimal() else {})
        if isinstance(where, list):
            if not name.isdecimal():
                return
            if not where:
                where.append(empty)
            where = where[0]
        elif isinstance(where, dict):
            where = where.setdefault(name, empty)
        else:
            return
