"""Environment and `.env`: no variable is dropped or misread in silence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from addresses import expand_path
from setting_variables import PREFIX, SETTING_VARIABLES, is_meant_as_setting
from settings import ConfigurationError

ROOT: Final = Path(__file__).resolve().parent
#: Each may also be given as <NAME>_FILE. Providers' credentials follow the pattern below.
VARIABLES: Final = frozenset(
    {
        "ADMIN_API_KEY",
        "DATABASE_URL",
        "HOST",
        "LOG_FORMAT",
        "OAUTH_ALLOWED_PRIVATE_HOSTS",
        "OAUTH_CA_FILE",
        "OAUTH_NO_PROXY",
        "OAUTH_PROXY_URL",
        "PASSWORD_PEPPER",
        "PASSWORD_PEPPER_PREVIOUS",
        "PORT",
        "QUEUE_KEYS",
        "REDIRECT_URI",
        "REDIS_URL",
        "REQUESTS_CA_BUNDLE",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
        "SSL_CERT_FILE",
        "VAR_DIR",
    }
)
_CREDENTIAL: Final = re.compile(
    "[A-Z0-9][A-Z0-9_]*_"
    "(CLIENT_ID|CLIENT_SECRET|CLIENT_SECRET_PREVIOUS|TEAM_ID|KEY_ID|PRIVATE_KEY|CERTIFICATE)"
)
#: Set for a process that was given all that it needs: it reads no `.env`, and the process that
#: started it has checked the files that variables name.
IGNORE_ENV_FILE: Final = "CATFEEDER_IGNORE_ENV_FILE"
#: Those that are secret, or may hold a password.
_SECRETS: Final = frozenset(
    {
        "ADMIN_API_KEY",
        "DATABASE_URL",
        "OAUTH_PROXY_URL",
        "PASSWORD_PEPPER",
        "PASSWORD_PEPPER_PREVIOUS",
        "QUEUE_KEYS",
        "REDIS_URL",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
    }
)
#: Parts that only an OAuth client has; other programs have files of the other parts as well.
_CLIENT_PARTS: Final = re.compile("(.+)_(CLIENT_ID|CLIENT_SECRET|CLIENT_SECRET_PREVIOUS)")


def read_text(path: Path, what: str) -> str:
    """Return the text of a file.

    Raises:
        ConfigurationError: It cannot be read, or is not text; the message begins with `what`.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what} is not text in UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{what} cannot be read: {reason}.") from None


def is_known(name: str) -> bool:
    """Return whether a name is that of a variable of the service, or `<NAME>_FILE` of one."""
    names = (name, name.removesuffix("_FILE"))
    return any(_is_variable(each) or _CREDENTIAL.fullmatch(each) for each in names)


def _is_variable(name: str) -> bool:
    return name in VARIABLES or name in SETTING_VARIABLES


def is_secret_variable(name: str) -> bool:
    """Return whether a variable may hold a secret; each part of a provider's credentials counts."""
    if name.startswith("OTEL_"):
        # Those of the exporter of traces, which every process may need.
        return False
    return name in _SECRETS or _CREDENTIAL.fullmatch(name) is not None


def names_file(name: str) -> bool:
    """Return whether a name is `<NAME>_FILE` for a variable of the service."""
    return name.endswith("_FILE") and not _is_variable(name) and is_known(name)


def check_text(name: str, value: str) -> str:
    """Return a variable's value; the environment may hold any bytes.

    Raises:
        ConfigurationError: The value is no text.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} is not text in UTF-8.") from None
    return value


def _get_environement_variable(environement: Mapping[str, str | None], variable_name: str) -> str:
    """Return a variable of the environment; `<NAME>_FILE` names a file to read it from instead.

    Raises:
        ValueError: The variable is missing or empty; the message names it.
    """
    if value := environement.get(variable_name):
        return check_text(variable_name, value)
    path = environement.get(f"{variable_name}_FILE")
    if not path:
        raise ConfigurationError(
            f"The variable {variable_name} is missing from the environment and from .env."
        )
    return _read_named_file(f"{variable_name}_FILE", path)


def check_named_files(environment: Mapping[str, str | None]) -> None:
    """Refuse each `<NAME>_FILE` that names no file with a value, also where NAME itself counts.

    Raises:
        ConfigurationError: A file cannot be read, is empty, or is not text.
    """
    for name, path in environment.items():
        if path and names_file(name) and _is_ours(name.removesuffix("_FILE"), environment):
            _read_named_file(name, path)


def check_setting_names(environment: Mapping[str, str | None]) -> None:
    """Refuse a variable that begins as those of settings do, and is none.

    Raises:
        ConfigurationError: There is one; the message names the likeliest that was meant.
    """
    for name, value in environment.items():
        if is_meant_as_setting(name, value or "") and not is_known(name):
            raise ConfigurationError(
                f"{name} is not a setting. {suggest_name(name)}"
                "docs/configuration.md says how they are named."
            )


def _is_ours(name: str, environment: Mapping[str, str | None]) -> bool:
    """Return whether a variable can be no other program's: TLS_PRIVATE_KEY may well be."""
    if _is_variable(name) or _CLIENT_PARTS.fullmatch(name):
        return True
    clients = [_CLIENT_PARTS.fullmatch(other.removesuffix("_FILE")) for other in environment]
    return any(client and name.startswith(f"{client[1]}_") for client in clients)


def _read_named_file(variable: str, path: str) -> str:
    place = ROOT / expand_path(variable, path)
    if value := read_text(place, f"{variable} names a file that").strip():
        return value
    raise ConfigurationError(f"{variable} names a file that is empty.")


def optional_variable(environment: Mapping[str, str | None], name: str) -> str | None:
    """Return a variable, or None where it is missing or empty."""
    if environment.get(name) or environment.get(f"{name}_FILE"):
        return _get_environement_variable(environment, name)
    return None


def suggest_name(name: str) -> str:
    # What all settings begin with would make any two of them alike.
    names = {each.removeprefix(PREFIX): each for each in (*VARIABLES, *SETTING_VARIABLES)}
    close = difflib.get_close_matches(name.upper().removeprefix(PREFIX), names, n=1)
    return f"Did you mean {names[close[0]]}? " if close else ""
