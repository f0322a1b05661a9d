"""TLS trust: the public authorities, or the operator's bundle, and a private authority on top."""

from __future__ import annotations

import ssl
from pathlib import Path

import requests.adapters
from urllib3.util.ssl_ import create_urllib3_context

from config import current_settings


def trusted_bundles() -> tuple[str, ...]:
    """Return the files or folders of trusted authorities.

    SSL_CERT_FILE and REQUESTS_CA_BUNDLE replace the public authorities, as they do for other
    programs; OAUTH_CA_FILE adds to them, so that public providers work beside a company's own.
    """
    settings = current_settings()
    bundle = settings.ca_bundle or requests.adapters.DEFAULT_CA_BUNDLE_PATH
    return (bundle, settings.ca_file) if settings.ca_file else (bundle,)


def build_context(bundles: tuple[str, ...]) -> ssl.SSLContext:
    """Return a context that verifies certificates by these authorities and by the host's name.

    Raises:
        OSError: A bundle cannot be read, or holds no certificate.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    for bundle in bundles:
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    return context
