"""Form of an app: its settings as texts, and the changes that an operator has made to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from worker.http.console.form_fields import (
    read_flag,
    read_lines,
    read_number,
    read_ticks,
    write_flag,
)

_LISTS: Final = ("providers", "return_to_origins")
_NUMBERS: Final = ("maximum_rounds", "requests_per_minute")
#: Ticked where a list bounds the app; an empty list lets nothing through.
_BOUND: Final = ".is_bound"


def write_form(app: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a form that shows an app."""
    fields = {"id": app.get("id", ""), "name": app.get("name", "")}
    for name in _LISTS:
        fields[name] = "\n".join(app.get(name, ()))
    for name in (*_LISTS, "scopes"):
        fields[name + _BOUND] = "on" if name in app else ""
    fields |= {f"scopes.{scope}": "on" for scope in app.get("scopes", ())}
    fields |= {name: str(app.get(name, "")) for name in (*_NUMBERS, "webhook_url")}
    return {**fields, "allow_login": write_flag(app.get("allow_login"))}


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a form states; None for one that it leaves out."""
    settings: dict[str, Any] = {"name": form.get("name", "").strip() or None}
    for name in _LISTS:
        is_bound = form.get(name + _BOUND)
        settings[name] = read_lines(form.get(name, "")) if is_bound else None
    ticked = [scope for scope in read_ticks(form, "scopes") if f".{scope}" != _BOUND]
    settings["scopes"] = ticked if form.get("scopes" + _BOUND) else None
    settings |= {name: read_number(form.get(name, "")) for name in _NUMBERS}
    settings["allow_login"] = read_flag(form.get("allow_login", ""))
    return {**settings, "webhook_url": form.get("webhook_url", "").strip() or None}


def find_changes(form: Mapping[str, str], app: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form changes of an app, as a merge patch: null removes a setting.

    What it does not change is left out: meanwhile another operator may have changed it.
    """
    stated = read_form(form).items()
    return {name: it for name, it in stated if _order(it) != _order(app.get(name))}


def _order(value: Any) -> Any:
    """Return a value to compare: the order of a list says nothing here."""
    return sorted(value) if isinstance(value, list) else value
