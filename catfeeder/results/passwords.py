"""Results about passwords: hashes, checks, and what the policy says."""

from __future__ import annotations

from typing import Annotated, TypedDict


class PasswordHash(TypedDict):
    """The result of `hash_password`."""

    password_hash: Annotated[str, "A hash of bcrypt or Argon2id: store it beside the user."]


class _PasswordVerdict(TypedDict):
    valid: Annotated[bool, "The hash is of the password."]
    needs_rehash: Annotated[
        bool, "The hash is weaker than new ones, or of other bytes: check with `rehash`."
    ]


class PasswordCheck(_PasswordVerdict, total=False):
    """The result of `check_password`."""

    password_hash: Annotated[
        str, "The new hash that `rehash` asked for: store it in place of the one that was checked."
    ]


class _BrokenRule(TypedDict):
    code: Annotated[str, "The name of the rule, such as `password_too_short`."]
    detail: Annotated[str, "The sentence for people."]


class PolicyReason(_BrokenRule, total=False):
    """One rule that a password breaks."""

    count: Annotated[int, "How often a password has leaked, where the breach list says so."]


class _Judgement(TypedDict):
    acceptable: Annotated[bool, "It would be hashed."]
    reasons: Annotated[list[PolicyReason], "Every rule that it breaks."]


class PolicyVerdict(_Judgement, total=False):
    """What the policy says of a new password."""

    unchecked: Annotated[
        list[str], "The rules that could not be checked, since a breach list is away."
    ]
