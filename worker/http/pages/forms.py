"""HTML forms: where one comes from, and the fields of its `x-www-form-urlencoded` body."""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from worker.http.errors.refusals import FormForged, MediaTypeUnsupported, ParametersInvalid

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


async def read_own_form(request: Request, csrf_token: str) -> dict[str, str]:
    """Return the fields of a form of ours, less its token.

    Raises:
        FormForged: Another site's page sent it, or it does not carry the session's `csrf_token`.
        MediaTypeUnsupported, ParametersInvalid: As `read_form`.
    """
    check_origin(request)
    form = await read_form(request)
    if not hmac.compare_digest(form.pop("csrf_token", "").encode(), csrf_token.encode()):
        raise FormForged
    return form


def check_origin(request: Request) -> None:
    """Refuse a form that another site's page sent.

    Raises:
        FormForged: The browser says that another origin's page sent it.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        # Browsers say no site where a page came by plain HTTP.
        is_own = origin is None or origin.partition("://")[2] == request.headers.get("host")
    if not is_own:
        raise FormForged
