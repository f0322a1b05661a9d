"""The examples of docs/classes.md, each a script of its own: a new VAR_DIR, and no service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from config import ROOT
from tests.oidc_provider import OidcProvider

_PAGE: Final = (ROOT / "docs" / "classes.md").read_text()
_EXAMPLES: Final = {
    int(number): code
    for number, code in re.findall(
        r"^## (\d)\. [^\n]+\n\n```python\n(.*?)```", _PAGE, re.DOTALL | re.MULTILINE
    )
}
_BCRYPT: Final = r"\$2b\$10\$[./A-Za-z0-9]{53}\n"
#: Behind an example with an app: asks it for an answer, as a browser would.
_CALL: Final = "\nfrom tests.examples.calls import call\n"
#: Configures a provider, as the operator does over HTTP.
_HOUSE: Final = """
import os
from actors.oauth import OAuthAuthentication
from actors.providers.config.settings import put_provider
from catfeeder.clock import utc_now
from models.migrate import ensure_tables
from tests.oidc_provider import OidcProvider

house = OidcProvider(int(os.environ["OAUTH_ALLOWED_PRIVATE_HOSTS"].partition(":")[2]))
ensure_tables(utc_now())
credentials = {"client_id": "app", "client_secret": "a-client-secret"}
put_provider("house", {"issuer": house.issuer, **credentials}, utc_now())

def consent():
    url = OAuthAuthentication()._generate_oauth_authorization_url("house")
    return house.consent(url, user="cat")
"""
#: Makes a connection whose token is due, and tells its version.
_DUE: Final = f"""{_HOUSE}
from datetime import timedelta
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS

back = consent()
OAuthAuthentication()._exchange_code_for_token("house", back["code"], back["state"])
with hold_connection():
    TAB_CONNECTIONS.update(renew_at=utc_now() - timedelta(seconds=1)).execute()

def version():
    with hold_connection():
        return TAB_CONNECTIONS.get().version
"""
#: Lets the loop of an example end as Ctrl-C does, once the token is another.
_UNTIL_RENEWED: Final = """
import time
def sleep(seconds, really_sleep=time.sleep, ends=time.monotonic() + 60):
    if version() > 1 or time.monotonic() > ends:
        raise KeyboardInterrupt
    really_sleep(0.05)
time.sleep = sleep
"""


def run(code: str, var_dir: Path, **environment: str) -> str:
    """Run a program in an interpreter and an environment of its own; return what it prints."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=var_dir.parent,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "VAR_DIR": str(var_dir),
            "SECRET_KEY": "a-secret-key-of-a-plain-program-alone",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout


def test_the_page_has_nine_examples() -> None:
    assert sorted(_EXAMPLES) == list(range(1, 10))


@pytest.mark.parametrize(
    ("number", "then", "printed"),
    [
        (1, "", _BCRYPT),
        (2, "", "True False\n"),
        (3, "", r"https://accounts\.google\.com/\S+client_id=an-id&\S+%3Agoogle\S+\n"),
        (5, 'print(call(app, "POST", "/shutdown").status_code)', "202\n"),
        (6, 'print(call(app, "GET", "/health").json())', "{'status': 'healthy'}\n"),
        (7, "", "True 5000 False\n"),
        (8, "", "True\n"),
    ],
)
def test_an_example_runs_by_itself(number: int, then: str, printed: str, tmp_path: Path) -> None:
    # Given an environment with credentials of a preset, and no VAR_DIR yet
    credentials = {"GOOGLE_CLIENT_ID": "an-id", "GOOGLE_CLIENT_SECRET": "a-secret"}
    # When the example runs, then it prints what it should
    code = _EXAMPLES[number] + (_CALL if then else "") + then
    assert re.fullmatch(printed, run(code, tmp_path / "var", **credentials))


def test_a_sign_in_ends_at_the_example_of_a_callback(
    tmp_path: Path, oidc_provider: OidcProvider
) -> None:
    then = 'print(call(app, "GET", "/callback", **consent()).json()["subject"])'
    code = _HOUSE + _EXAMPLES[4] + _CALL + then
    assert run(code, tmp_path / "var", OAUTH_ALLOWED_PRIVATE_HOSTS=oidc_provider.host) == "cat\n"


@pytest.mark.parametrize(
    "renewing",
    [_UNTIL_RENEWED + _EXAMPLES[9], "OAuthAuthentication().renew_oaths()"],
    ids=["crons", "renew_oaths"],
)
def test_a_token_that_is_due_is_renewed_without_a_worker(
    renewing: str, tmp_path: Path, oidc_provider: OidcProvider
) -> None:
    code = f"{_DUE}\n{renewing}\nprint(version())"
    assert run(code, tmp_path / "var", OAUTH_ALLOWED_PRIVATE_HOSTS=oidc_provider.host) == "2\n"


def test_a_preset_is_found_in_a_database_that_was_migrated_before(tmp_path: Path) -> None:
    # Given a database of `python -m worker migrate`, whose web process was never started
    migrate = "from worker.__main__ import main; main(['migrate'])"
    run(migrate, tmp_path / "var")
    # When the variables come, then the example works
    credentials = {"GOOGLE_CLIENT_ID": "an-id", "GOOGLE_CLIENT_SECRET": "a-secret"}
    assert "client_id=an-id&" in run(_EXAMPLES[3], tmp_path / "var", **credentials)
