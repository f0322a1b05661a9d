"""Verdicts on new passwords: every rule that one breaks at once, and nothing is hashed."""

from __future__ import annotations

from collections.abc import Sequence

from actors.passwords.errors import PasswordBreached, PasswordRefused
from actors.passwords.normalization import check_visible, normalize_password
from actors.passwords.policy import find_refusals, is_waived
from actors.passwords.rules import check_hashable, encode_password
from actors.passwords.schemes import choose_scheme
from catfeeder.results import PolicyReason, PolicyVerdict
from catfeeder.sealing import Secret
from config import PasswordsSettings, current_settings


def check_policy(
    password: Secret, scheme: str | None = None, user_inputs: Sequence[str] = ()
) -> PolicyVerdict:
    """Perform `check_policy`: judge a password by every rule, those that ask a server included.

    Raises:
        PasswordNotText, SchemeInvalid, UserInputsInvalid: As `judge_password`.
    """
    return judge_password(
        password, current_settings().passwords, scheme, user_inputs, asks_server=True
    )


def judge_password(
    password: object,
    settings: PasswordsSettings,
    scheme: str | None,
    user_inputs: Sequence[str],
    *,
    asks_server: bool,
) -> PolicyVerdict:
    """Return whether a scheme would hash a password, every reason why not, and what is not known.

    Raises:
        PasswordNotText, SchemeInvalid, UserInputsInvalid: The question itself is wrong.
    """
    normalized = normalize_password(encode_password(password))
    refusals = _find_faults(normalized, choose_scheme(settings, scheme).read_bytes)
    text = normalized.decode(errors="surrogateescape")
    refusals += find_refusals(text, settings, user_inputs, asks_server=asks_server)
    counted = [each for each in refusals if not is_waived(each, settings)]
    verdict: PolicyVerdict = {
        "acceptable": not counted,
        "reasons": [_describe(refusal) for refusal in counted],
    }
    if len(counted) < len(refusals):
        verdict["unchecked"] = [PasswordBreached().code]
    return verdict


def _describe(refusal: PasswordRefused) -> PolicyReason:
    reason: PolicyReason = {"code": refusal.code, "detail": refusal.detail}
    if isinstance(refusal, PasswordBreached) and refusal.count is not None:
        reason["count"] = refusal.count
    return reason


def _find_faults(password: bytes, read_bytes: int | None) -> list[PasswordRefused]:
    """Return what keeps a scheme that reads so many bytes from hashing a password, if anything."""
    try:
        check_hashable(password, read_bytes)
        check_visible(password)
    except PasswordRefused as refusal:
        return [refusal]
    return []
