"""Field map: where the members of a connection stand in another system's records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actors.moving.errors import ImportFileInvalid
from actors.moving.records import DEAD_STATUSES, ImportRecord
from actors.moving.values import (
    parse_object,
    read_id,
    read_object,
    read_scope,
    read_text,
    read_texts,
    read_time,
    read_token,
    value_at,
)
from catfeeder.sealing import Secret

_OF_TOKENS: Final = (
    *("access_token", "refresh_token", "token_type", "scope"),
    *("expires_at", "refresh_token_expires_at"),
)
_TIMES: Final = ("expires_at", "refresh_token_expires_at", "created_at")
_PROFILE: Final = ("subject", "email", "email_verified", "name", "picture", "source", "raw")
#: Members that are objects, of which single ones can be mapped as well.
_OBJECTS: Final = ("metadata", "variables", "credentials")
_OTHERS: Final = ("provider", "subject", *_OBJECTS, "created_at")
_MAX_TOKEN_TYPE: Final = 64
#: Of a picture's address.
_MAX_SHOWN: Final = 2048


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where each member stands: `paths` has those that do not stand under their own name.

    A path is names parted by dots; it leads into JSON, also where that is the text of a column.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    #: The provider of records that name none.
    provider: str | None = None
    #: Our name of a provider, by the other system's.
    renamed: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False
    #: The mapped members that stood in any record.
    found: set[str] = field(default_factory=set)

    def read(self, members: Mapping[str, Any]) -> ImportRecord:
        """Return what a record says.

        Raises:
            ImportInvalid: A member of it cannot be what it stands for; the sentence names it.
        """
        provider = read_text("provider", self._find(members, "provider")) or self.provider or ""
        status = members.get("status")
        return ImportRecord(
            id=read_id(members.get("id")),
            provider=self.renamed.get(provider, provider),
            subject=read_text("subject", self._find(members, "subject")),
            access_token=read_token("access_token", self._find(members, "access_token")),
            refresh_token=read_token("refresh_token", self._find(members, "refresh_token")),
            token_type=read_text("token_type", self._find(members, "token_type"), _MAX_TOKEN_TYPE),
            scope=read_scope(self._find(members, "scope")),
            **{name: read_time(name, self._find(members, name)) for name in _TIMES},
            profile=self._read_profile(members),
            metadata=self._read_members(members, "metadata") or None,
            variables=read_texts("variables", self._read_members(members, "variables")),
            credentials=self._read_credentials(members),
            asked_scope=read_scope(value_at(members, self.paths.get("scope", "scope"))),
            missing_scope=read_scope(members.get("missing_scopes")) or "",
            status=status if status in DEAD_STATUSES else None,
            replace=self.replace,
        )

    def list_unused(self) -> list[str]:
        """Return the maps that have found nothing in any record that was read."""
        return [f"{name}={path}" for name, path in self.paths.items() if name not in self.found]

    def check_columns(self, names: Iterable[str]) -> None:
        """Check that a CSV has the columns that are mapped, and one that makes a connection.

        Raises:
            ImportFileInvalid: It has not.
        """
        known = [*names]
        for name, path in self.paths.items():
            if not {path, path.partition(".")[0]} & {*known}:
                raise ImportFileInvalid(f"The file has no column for --map {name}={path}.")
        usable = {"tokens", "credentials", "access_token", "refresh_token"}
        if not any(name.partition(".")[0] in usable for name in (*known, *self.paths)):
            raise ImportFileInvalid(
                "The file has no column access_token or refresh_token: --map says where the "
                "tokens are, such as --map refresh_token=token_secret."
            )

    def _find(self, members: Mapping[str, Any], name: str) -> Any:
        if (path := self.paths.get(name)) is not None:
            value = value_at(members, path)
            if value is not None:
                self.found.add(name)
            return value
        tokens = members.get("tokens")
        if isinstance(tokens, dict) and name in _OF_TOKENS and name in tokens:
            return tokens[name]
        return value_at(members, name)

    def _read_profile(self, members: Mapping[str, Any]) -> dict[str, Any]:
        whole = parse_object(members.get("profile"))
        found = {name: whole.get(name) for name in _PROFILE}
        # Mapped ones, and columns of CSV that are named so.
        for name in _PROFILE:
            if (full := f"profile.{name}") in self.paths or full in members:
                found[name] = self._find(members, full)
        texts = {name: read_text(name, found[name]) for name in ("subject", "email", "name")}
        is_verified = found["email_verified"]
        known = {"email_verified": is_verified if isinstance(is_verified, bool) else None}
        shown = {name: found[name] for name in ("picture", "source")}
        others = {name: it if _is_shown(it) else None for name, it in shown.items()}
        return {**texts, **known, **others, "raw": read_object("profile.raw", found["raw"]) or None}

    def _read_members(self, members: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return an object with what is mapped of its members."""
        return {**read_object(name, self._find(members, name)), **self._read_mapped(members, name)}

    def _read_mapped(self, members: Mapping[str, Any], name: str) -> dict[str, Any]:
        mapped = [path for path in self.paths if path.startswith(f"{name}.")]
        found = {path.partition(".")[2]: self._find(members, path) for path in mapped}
        return {member: value for member, value in found.items() if value is not None}

    def _read_credentials(self, members: Mapping[str, Any]) -> Mapping[str, Secret] | None:
        """Return credentials; no member at all stands for the provider's own client.

        Where maps lead into another system's `credentials`, that counts by them alone.
        """
        found = self._read_mapped(members, "credentials")
        leads_there = any(path.startswith("credentials.") for path in self.paths.values())
        if not leads_there:
            whole = self._find(members, "credentials")
            known = read_object("credentials", whole)
            if not found and not known and whole != {}:
                return None
            found = {**known, **found}
        if leads_there and not found:
            return None
        return {name: Secret(it) for name, it in read_texts("credentials", found).items()}


def _is_shown(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_SHOWN and value.isprintable()


def parse_pairs(texts: Iterable[str], *, are_members: bool = False) -> dict[str, str]:
    """Return `name=value` texts as a mapping; with `are_members` a name is that of a member.

    Raises:
        ImportFileInvalid: A text is no such pair, or names no member of a connection.
    """
    pairs = dict(_parse_pair(text) for text in texts)
    known = {*_OF_TOKENS, *_OTHERS, *(f"profile.{name}" for name in _PROFILE)}
    for name in pairs if are_members else ():
        parent, _, member = name.partition(".")
        if name not in known and not (member and parent in _OBJECTS):
            raise ImportFileInvalid(
                f"A connection has no {name}; it has {', '.join(sorted(known))}."
            )
    return pairs


def _parse_pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ImportFileInvalid(f"{text} is no pair such as refresh_token=token_secret.")
    return name, value
