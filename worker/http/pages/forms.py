"""HTML forms: reads the fields of an `application/x-www-form-urlencoded` body."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from worker.http.errors.refusals import MediaTypeUnsupported, ParametersInvalid

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 500


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of several with one name the last.

    Raises:
        MediaTypeUnsupported: The body is no form.
        ParametersInvalid: It is not UTF-8, or has too many fields.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM_TYPE:
        raise MediaTypeUnsupported(headers={"Accept": _FORM_TYPE})
    try:
        text = (await request.body()).decode()
        found = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise ParametersInvalid("The form is not in UTF-8, or has too many fields.") from None
    return dict(found)
