"""Form of an app: its settings as texts, and the changes that an operator has made to them."""

from __future__ import annotations

import json
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
_SHOWN: Final = ("name", *_LISTS, "scopes", *_NUMBERS, "allow_login", "webhook_url")
#: Ticked where a list bounds the app; an empty list lets nothing through.
_BOUND: Final = ".is_bound"
#: Of the form: the settings that it showed when it was opened, as JSON.
_BEFORE: Final = "before"
#: Of the form: what its logo becomes; empty, the logo stays as it is.
_LOGO: Final = "logo"
_NO_LOGO: Final = "none"


def write_form(app: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a form that shows an app."""
    fields = {"id": app.get("id", ""), "name": app.get("name", "")}
    for name in _LISTS:
        fields[name] = "\n".join(app.get(name, ()))
    for name in (*_LISTS, "scopes"):
        fields[name + _BOUND] = "on" if name in app else ""
    fields |= {f"scopes.{scope}": "on" for scope in app.get("scopes", ())}
    fields |= {name: str(app.get(name, "")) for name in (*_NUMBERS, "webhook_url")}
    before = {name: app[name] for name in _SHOWN if name in app}
    fields |= {"allow_login": write_flag(app.get("allow_login")), _BEFORE: json.dumps(before)}
    return fields


def find_logo(form: Mapping[str, str], app: Mapping[str, Any] | None) -> str:
    """Return the logo that a form shows: the one that was chosen in it, or the app's."""
    chosen, present = form.get(_LOGO, ""), str((app or {}).get(_LOGO, ""))
    return {"": present, _NO_LOGO: ""}.get(chosen, chosen)


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a form states but for the logo; None for one that it leaves out."""
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
    before = _read_before(form) or app
    stated = read_form(form).items()
    changes = {name: it for name, it in stated if _order(it) != _order(before.get(name))}
    if chosen := form.get(_LOGO):
        changes[_LOGO] = None if chosen == _NO_LOGO else chosen
    return changes


def _read_before(form: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        before = json.loads(form.get(_BEFORE, ""))
    except ValueError:
        return None
    return before if isinstance(before, dict) else None


def _order(value: Any) -> Any:
    """Return a value to compare: the order of a list says nothing here."""
    return sorted(value) if isinstance(value, list) else value
