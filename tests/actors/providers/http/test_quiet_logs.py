"""Tests that signing users in changes nothing of the host process, and shows nothing in its log."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest
import requests

from actors.providers.http.quiet_logs import silence_http_logs
from actors.providers.http.requests import get_json
from config import ROOT
from tests.actors.sign_ins import NAME, configure
from tests.provider.answers import json_answer
from tests.scripted_provider import ScriptedProvider

#: What an app does that signs users in by itself, at the loudest level of its own log.
_APP = """
import json, logging, os, sys, warnings
# These libraries add warning filters themselves on import.
import dramatiq, joserfc.jwt, oauthlib, requests_oauthlib, urllib3

def look():
    loggers = ("", "oauthlib", "requests_oauthlib", "requests_oauthlib.oauth2_session", "urllib3")
    levels = [(name, logging.getLogger(name).level) for name in loggers]
    return dict(os.environ), list(warnings.filters), levels, logging.root.manager.disable

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
before = look()
from actors.oauth import OAuthAuthentication
from urllib.parse import parse_qs, urlsplit
assert look() == before, "an import changes the process"

oauth = OAuthAuthentication(error=84)
url = oauth._generate_oauth_authorization_url("scripted")
page = requests_oauthlib.requests.get(url, allow_redirects=False)
query = {name: text for name, (text,) in parse_qs(urlsplit(page.headers["Location"]).query).items()}
tokens = oauth._exchange_code_for_token("scripted", query["code"], query["state"])
assert look() == before, "a sign-in changes the process"
print(json.dumps(tokens))
"""


@pytest.mark.usefixtures("tables")
def test_a_sign_in_changes_no_setting_of_the_process(
    provider: ScriptedProvider, environment: dict[str, str]
) -> None:
    # Given an app in a process of its own, and a provider without TLS that the operator allows
    configure(provider)

    # When the app signs a user in
    command = [sys.executable, "-W", "default", "-c", _APP]
    variables = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    variables.pop("OAUTHLIB_INSECURE_TRANSPORT", None)
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    # Then its environment, warnings and loggers are as they were, and its log shows no token
    assert ended.returncode == 0, ended.stderr
    tokens = json.loads(ended.stdout)
    assert tokens["access_token"] not in ended.stderr
    assert tokens["refresh_token"] not in ended.stderr
    assert provider.client_secret not in ended.stderr


def test_requests_of_the_host_are_logged_as_before(
    settings: object, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    del settings
    provider.answer(f"/{NAME}", json_answer({}))
    with caplog.at_level(logging.DEBUG):
        get_json(f"{provider.issuer}/{NAME}")
        assert "urllib3" not in {record.name.partition(".")[0] for record in caplog.records}

        requests.get(f"{provider.issuer}/{NAME}", timeout=60)
        assert f"/{NAME}" in caplog.text


def test_an_error_of_a_library_is_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("urllib3.connectionpool")

    with silence_http_logs():
        log.warning("quoted")
        log.error("broken")

    assert [record.message for record in caplog.records] == ["broken"]
