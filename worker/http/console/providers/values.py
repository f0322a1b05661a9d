"""Values of a provider's form: settings as the texts of its inputs, and texts as settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import PydanticCustomError

from actors.providers.config.schema.body import validate_settings
from actors.providers.errors import ProviderInvalid
from worker.http.console.form_fields import (
    read_flag,
    read_lines,
    read_number,
    read_ticks,
    write_flag,
)
from worker.http.console.providers.fields import Field, list_groups
from worker.http.schemas.fields import check_storable_json

#: Ticked where a setting says that there is none.
VOID: Final = ".is_void"
_UNSET: Final = object()
#: Problems of these are shown beside another field.
_SHOWN_AT: Final = {"client_secrets": "client_secret"}


def list_fields() -> list[Field]:
    """Return the fields of all settings but the secrets."""
    every = (field for group in list_groups() for field in group.fields)
    return [field for field in every if field.kind != "secret"]


def write_form(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a form that shows a row's own settings."""
    form: dict[str, str] = {}
    for field in list_fields():
        if field.name in settings:
            form |= _write(field, settings[field.name])
    return form


def _write(field: Field, value: Any) -> dict[str, str]:
    if field.has_void and value == field.void:
        return {field.name + VOID: "on"}
    if field.kind == "ticks":
        return {f"{field.name}.{part}": "on" for part in value}
    return {field.name: write_text(field, value)}


def write_text(field: Field, value: Any) -> str:
    """Return the text of an input that shows a value."""
    match field.kind:
        case "json":
            return json.dumps(value, indent=2, ensure_ascii=False)
        case "flag":
            return write_flag(value)
        case "lines" | "ticks":
            return "\n".join(value)
        case _:
            return str(value)


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a form states, without its secrets.

    Raises:
        ProviderInvalid: A text is not JSON; the problems of the other settings stand beside it.
    """
    settings, problems = {}, {}
    for field in list_fields():
        try:
            value = check_storable_json(_read(field, form))
        except PydanticCustomError as error:
            problems[field.name] = error.message()
        except ValueError as error:
            problems[field.name] = f"must be JSON: {error}"
        else:
            if value is not _UNSET:
                settings[field.name] = value
    if problems:
        raise ProviderInvalid({**_find_problems(settings), **problems})
    return settings


def _find_problems(settings: Mapping[str, Any]) -> dict[str, str]:
    try:
        validate_settings(settings)
    except ProviderInvalid as error:
        return error.fields
    return {}


def _read(field: Field, form: Mapping[str, str]) -> Any:
    if form.get(field.name + VOID):
        return field.void
    if field.kind == "ticks":
        ticked = [it for it in read_ticks(form, field.name) if f".{it}" != VOID]
        return ticked or _UNSET
    # A blank alone may be meant, as a separator of scopes.
    text = form.get(field.name, "")
    text = text.replace("\r\n", "\n").strip() or ("" if text.isspace() else text)
    return _read_text(field, text) if text else _UNSET


def _read_text(field: Field, text: str) -> Any:
    match field.kind:
        case "json":
            return json.loads(text)
        case "flag":
            return read_flag(text)
        case "number":
            return read_number(text)
        case "lines":
            return read_lines(text)
        case _:
            return text


def sort_problems(fields: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """Return sentences by the input that each is shown beside; "" has those of no input."""
    names = set(known)
    sorted_: dict[str, str] = {}
    for pointer, sentence in fields.items():
        name, _, place = pointer.partition("/")
        name = _SHOWN_AT.get(name, name)
        where = f"line {int(place) + 1}" if place.isdigit() else place
        text = f"{where}: {sentence}" if place else sentence
        if name not in names:
            name, text = "", f"{pointer}: {sentence}"
        sorted_[name] = f"{sorted_[name]}; {text}" if name in sorted_ else text
    return sorted_
