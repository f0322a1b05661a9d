"""Validation of an app's settings: a sentence for each that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.api_keys import OPERATOR_SCOPES, SCOPES
from actors.apps.logos import find_logo_problem
from actors.passwords.schemes import MAXIMUM_ROUNDS
from config import current_settings, find_webhook_problem, is_return_origin

#: Without control characters, which a terminal would obey.
_NAME: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
_MAX_REQUESTS_PER_MINUTE: Final = 1_000_000


def find_app_problems(name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for the name and for each setting that cannot be used."""
    problems = {} if _NAME.fullmatch(name) else {"name": "must have 1 to 255 characters"}
    for setting, value in settings.items():
        check = _CHECKS.get(setting)
        if check is None:
            problems[setting] = f"is no setting of an app: those are {', '.join(_CHECKS)}"
        elif problem := check(value):
            problems[setting] = problem
    return problems


def _check_names(value: object) -> str | None:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if is_list else "must be a list of texts"


def _check_scopes(value: object) -> str | None:
    allowed = [scope for scope in SCOPES if scope not in OPERATOR_SCOPES]
    is_list = isinstance(value, list) and set(value) <= set(allowed)
    return None if is_list else f"must be some of {', '.join(allowed)}"


def _check_origins(value: object) -> str | None:
    if problem := _check_names(value):
        return problem
    assert isinstance(value, list)  # noqa: S101  # As `_check_names` found.
    wrong = [item for item in value if not is_return_origin(item)]
    if wrong:
        return "must be origins such as https://shop.example.com, without a path or a slash"
    return None


def _check_maximum_rounds(value: object) -> str | None:
    # Below the configured rounds, the app could not have a password hashed at all.
    least = current_settings().passwords.rounds
    is_bound = isinstance(value, int) and least <= value <= MAXIMUM_ROUNDS
    return None if is_bound else f"must be {least}, as config.toml has it, to {MAXIMUM_ROUNDS}"


def _check_rate(value: object) -> str | None:
    is_rate = isinstance(value, int) and 1 <= value <= _MAX_REQUESTS_PER_MINUTE
    return None if is_rate else f"must be 1 to {_MAX_REQUESTS_PER_MINUTE}"


def _check_flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _check_webhook_url(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    return find_webhook_problem(value, current_settings().allowed_private_hosts)


_CHECKS: Final = {
    "providers": _check_names,
    "scopes": _check_scopes,
    "return_to_origins": _check_origins,
    "maximum_rounds": _check_maximum_rounds,
    "requests_per_minute": _check_rate,
    "allow_login": _check_flag,
    "webhook_url": _check_webhook_url,
    "logo": find_logo_problem,
}
