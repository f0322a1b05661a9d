"""Tests of client assertions: for whom they are and how they are signed, as the operator says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.providers.errors import ProviderInvalid, ProviderNotConfigured
from actors.providers.protocol.client_authentication.methods import client_credentials
from actors.renewal.renew import renew_connection
from catfeeder.sealing import Secret
from tests.actors.providers.built import built
from tests.actors.sign_ins import configure, sign_in
from tests.provider.clients import KEY_ID, client_key_pem
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


_BY_KEY = {"token_endpoint_auth_method": "private_key_jwt"}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("audience", ["issuer", "token_endpoint", "{issuer}/elsewhere"])
@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA", "Ed25519", "RS512"])
def test_audience_and_algorithm_of_an_assertion_can_be_chosen(
    audience: str, algorithm: str, provider: ScriptedProvider
) -> None:
    # Given a provider that accepts assertions for one name and by one algorithm alone
    script, address = provider.script, audience.replace("{issuer}", provider.issuer)
    script.client_authentication, script.assertion_algorithm = "private_key_jwt", algorithm
    expected = {"issuer": provider.issuer, "token_endpoint": None}
    script.assertion_audience = expected.get(address, address)
    # When both are set
    configure(
        provider,
        client_secret=None,
        private_key=client_key_pem(algorithm),
        key_id=KEY_ID,
        **_BY_KEY,
        token_endpoint_auth_signing_alg=algorithm,
        client_assertion_audience=address,
    )
    # Then a user signs in and is renewed
    assert renew_connection(sign_in(provider).connection.id)["status"] == "active"


def test_an_algorithm_that_the_private_key_has_not_is_refused(provider: ScriptedProvider) -> None:
    key = {"private_key": client_key_pem("ES256"), "token_endpoint_auth_signing_alg": "PS256"}
    with pytest.raises(ProviderInvalid, match="which signs by ES256") as refusal:
        configure(provider, **key)
    assert set(refusal.value.fields) == {"token_endpoint_auth_signing_alg"}
    # And a key of the environment is seen when it is used
    found = replace(built(provider, **_BY_KEY), private_key=Secret(client_key_pem()))
    chosen = replace(found, token_endpoint_auth_signing_alg="PS256")
    with pytest.raises(ProviderNotConfigured, match="PS256"):
        client_credentials(chosen)


def test_an_issuer_that_is_unknown_is_no_audience(provider: ScriptedProvider) -> None:
    found = built(provider, **_BY_KEY, issuer=None)
    chosen = replace(found, client_assertion_audience="issuer")
    with pytest.raises(ProviderNotConfigured, match="set issuer"):
        client_credentials(chosen)
