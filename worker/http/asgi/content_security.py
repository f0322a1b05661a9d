"""Content Security Policy (CSP level 3): what a browser may load and run of an answer of ours."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from fastapi.openapi.docs import get_swagger_ui_html

#: Answers are data. A browser that shows one, such as an error of the callback, loads nothing.
POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
DOCS_PATH: Final = "/docs"
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def build_page_policy(form_targets: Iterable[str] = ()) -> str:
    """Return the policy of a page for people: our files alone, and no script or style in it.

    Browsers apply `form-action` to where a form's answer redirects as well: `form_targets` are
    the origins beside our own.
    """
    targets = " ".join(["'self'", *form_targets])
    return (
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {targets}; script-src 'self'; style-src 'self'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'"
    )


def build_docs_policy(openapi_url: str, redirect_url: str) -> str:
    """Return the policy of /docs: our files, and the page's one inline script by its hash."""
    page = get_swagger_ui_html(
        openapi_url=openapi_url, title="", oauth2_redirect_url=redirect_url
    ).body
    hashes = [hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(bytes(page))]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return (
        f"{POLICY}; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'"
    )
