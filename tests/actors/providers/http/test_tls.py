"""Tests of trust: public authorities, a bundle in their place, and a private authority beside."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import config
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.forms import post_form
from actors.providers.http.requests import get_json
from actors.providers.http.tls import build_context, trusted_bundles
from tests.provider.answers import json_answer
from tests.provider.certificates import self_signed_certificate
from tests.provider.server import running_server

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The certificate of `private`, which no public authority has signed."""
    return self_signed_certificate(tmp_path)[0]


@pytest.fixture
def private(environment: dict[str, str], certificate: Path) -> Iterator[str]:
    """A URL of a server of a company's own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with running_server(lambda _: json_answer({"found": True}), context) as server:
        host = f"localhost:{server.server_address[1]}"
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = host
        config.current_settings.cache_clear()
        yield f"https://{host}/somewhere"


@pytest.mark.parametrize("variable", ["OAUTH_CA_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_private_authority_is_trusted_where_it_is_named(
    variable: str, private: str, certificate: Path, environment: dict[str, str]
) -> None:
    # Given a certificate that is not trusted
    with pytest.raises(ProviderUnreachable, match="OAUTH_CA_FILE"):
        get_json(private)
    with pytest.raises(ProviderUnreachable, match="OAUTH_CA_FILE"):
        post_form(private, {}, None)

    # When the operator names its authority
    environment[variable] = str(certificate)
    config.current_settings.cache_clear()

    # Then it is
    assert get_json(private) == {"found": True}
    assert post_form(private, {}, None).json() == {"found": True}


def number_trusted() -> int:
    return build_context(trusted_bundles()).cert_store_stats()["x509"]


def test_a_private_authority_joins_the_others_and_a_bundle_replaces_them(
    certificate: Path, environment: dict[str, str]
) -> None:
    public = number_trusted()
    assert public > 10

    environment["OAUTH_CA_FILE"] = str(certificate)
    config.current_settings.cache_clear()
    assert number_trusted() == public + 1

    environment["REQUESTS_CA_BUNDLE"] = str(certificate)
    config.current_settings.cache_clear()
    assert number_trusted() == 1


def test_a_folder_of_authorities_may_replace_the_public_ones(
    certificate: Path, environment: dict[str, str]
) -> None:
    (certificate.parent / "0a1b2c3d.0").symlink_to(certificate)
    environment["REQUESTS_CA_BUNDLE"] = str(certificate.parent)
    config.current_settings.cache_clear()

    # OpenSSL reads a folder's files as it needs them
    assert number_trusted() == 0


def test_a_trusted_certificate_of_another_host_is_refused(
    private: str, certificate: Path, environment: dict[str, str]
) -> None:
    port = private.split(":")[2].partition("/")[0]
    environment["OAUTH_CA_FILE"] = str(certificate)
    environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = f"127.0.0.1:{port}"
    config.current_settings.cache_clear()

    with pytest.raises(ProviderUnreachable, match="mismatch"):
        get_json(f"https://127.0.0.1:{port}/somewhere")
