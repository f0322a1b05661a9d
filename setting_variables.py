"""Settings by environment: each one of config.toml as a variable CATFEEDER_<SECTION>_<KEY>."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final, get_origin, get_type_hints

from settings import SECTIONS

#: The values that variables give, by section and key.
Overrides = Mapping[str, Mapping[str, Any]]

PREFIX: Final = "CATFEEDER_"
#: What begins like a setting and is none: the service's own, and the queue key of a client.
_OTHERS: Final = frozenset(
    {
        "CATFEEDER_BOOT",
        "CATFEEDER_ENVIRONMENT_FD",
        "CATFEEDER_IGNORE_ENV_FILE",
        "CATFEEDER_QUEUE_KEY",
        "CATFEEDER_READY_FD",
        "CATFEEDER_RESTARTED",
        "CATFEEDER_SUPERVISOR_PID",
        "CATFEEDER_TRACEBACK",
    }
)
#: Kubernetes sets these in each container for a Service whose name begins with `catfeeder`.
_SERVICE_LINK: Final = re.compile(
    r"\w+_SERVICE_(HOST|PORT(_\w+)?)|\w+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
_SERVICE_URL: Final = re.compile(r"(tcp|udp|sctp)://.*")


def setting_variable(section: str, key: str) -> str:
    """Return the variable of a setting, such as CATFEEDER_OAUTH_LEASE_SECONDS."""
    return f"{PREFIX}{section.replace('.', '_')}_{key}".upper()


#: The section, the key and the type of the setting that each variable gives.
SETTING_VARIABLES: Final[Mapping[str, tuple[str, str, Any]]] = {
    setting_variable(section, key): (section, key, value_type)
    for section, (_, kind) in SECTIONS.items()
    for key, value_type in get_type_hints(kind).items()
}


def is_meant_as_setting(name: str, value: str) -> bool:
    """Return whether a variable of the environment can be nothing but one of a setting."""
    is_link = _SERVICE_LINK.fullmatch(name) or _SERVICE_URL.fullmatch(value)
    return name.startswith(PREFIX) and name not in _OTHERS and not is_link


def read_overrides(read: Callable[[str], str | None]) -> Overrides:
    """Return what the environment sets; `read` returns the text of a variable, or None."""
    overrides: dict[str, dict[str, Any]] = {}
    for variable, (section, key, kind) in SETTING_VARIABLES.items():
        text = read(variable)
        if text is not None:
            overrides.setdefault(section, {})[key] = _parse_text(text.strip(), kind)
    return overrides


def name_setting(overrides: Overrides, section: str, key: str) -> str:
    """Return where the value of a setting stands: its variable, or its place in config.toml."""
    if key in overrides.get(section, {}):
        return setting_variable(section, key)
    return f"config.toml: [{section}] {key}"


def _parse_text(text: str, kind: Any) -> Any:
    """Return a text as a value of TOML or of JSON, else as it is; its type is checked later.

    A string needs no quotes, and neither does a list of strings that is separated by commas.
    """
    if kind is str and not text.startswith('"'):
        return text
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for parse in (_parse_toml, json.loads):
        try:
            return parse(text)
        # A number of thousands of digits is a ValueError of int().
        except (ValueError, RecursionError):
            continue
    if get_origin(kind) is tuple and not text.startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _parse_toml(text: str) -> Any:
    [(_, value)] = tomllib.loads(f"value = {text}").items()
    return value
