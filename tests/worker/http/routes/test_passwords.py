"""Passwords over HTTP: hashed, checked, and refused with the rule that they break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.passwords.breaches.range_server import RANGE_SERVER
from catfeeder.client import Client
from catfeeder.errors import JobFailed
from tests.actors.passwords.breaches.made_lists import sha1, write_file
from tests.actors.passwords.breaches.range_server import ScriptedRanges, serve_ranges
from tests.worker.http.answers import assert_problem

pytestmark = pytest.mark.config(Passwords={"policy": True})

PASSWORD = "correct horse battery staple"
#: Of the password above, by another library and with $2y$.
OLD_HASH = "$2y$04$0ObZKQLBTEoWZ4yY7LZcGOhY1KyR4Ycwy.BmoLODKnGkh1lpE4U2a"


@pytest.mark.usefixtures("worker")
def test_hash_password_and_check_password(http: httpx.Client) -> None:
    # Given a password that was hashed
    wait = {"Prefer": "wait=10"}
    hashed = http.post("/v1/passwords/hash", json={"password": PASSWORD}, headers=wait)
    assert hashed.status_code == 200
    result = hashed.json()["result"]
    assert result["password_hash"].startswith("$2b$04$")
    # When it is checked, and another one is
    right, wrong = (
        http.post("/v1/passwords/check", json={"password": text, **result}, headers=wait).json()
        for text in (PASSWORD, "incorrect horse")
    )
    # Then only the first is right
    assert right["result"] == {"valid": True, "needs_rehash": False}
    assert wrong["result"] == {"valid": False, "needs_rehash": False}


@pytest.mark.usefixtures("worker")
def test_hash_password_with_rounds_of_the_callers(http: httpx.Client) -> None:
    body = {"password": PASSWORD, "rounds": 5}
    answer = http.post("/v1/passwords/hash", json=body, headers={"Prefer": "wait=10"})
    assert answer.json()["result"]["password_hash"].startswith("$2b$05$")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"password": "seven77"}, "password_too_short"),
        ({"password": "Password1"}, "password_too_common"),
        ({"password": "ä" * 37}, "password_too_long"),
        ({"password": "long enough\0"}, "password_has_nul"),
        ({"password": " " * 12}, "password_blank"),
        ({"password": "\u200b\u00a0" * 8}, "password_blank"),
        ({"password": PASSWORD, "rounds": 3}, "rounds_out_of_range"),
        ({"password": PASSWORD, "rounds": 17}, "rounds_out_of_range"),
    ],
)
def test_hash_password_names_the_rule_that_is_broken(
    http: httpx.Client, body: dict[str, object], code: str
) -> None:
    members = assert_problem(http.post("/v1/passwords/hash", json=body), 422, code)
    assert str(body["password"]) not in str(members)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"password": PASSWORD, "password_hash": "no hash"}, "password_hash_invalid"),
        (
            {"password": PASSWORD, "password_hash": OLD_HASH.replace("$04$", "$31$")},
            "password_hash_too_slow",
        ),
        ({"password": "with \0", "password_hash": OLD_HASH}, "password_has_nul"),
    ],
)
def test_check_password_refuses_what_cannot_be_compared(
    http: httpx.Client, body: dict[str, str], code: str
) -> None:
    assert_problem(http.post("/v1/passwords/check", json=body), 422, code)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("password", "answer"),
    [
        (PASSWORD, {"valid": True, "needs_rehash": True}),
        ("incorrect horse", {"valid": False, "needs_rehash": True}),
    ],
)
def test_check_password_returns_a_new_hash_for_the_right_password_alone(
    http: httpx.Client, password: str, answer: dict[str, bool]
) -> None:
    wait = {"Prefer": "wait=10"}
    body = {"password": password, "password_hash": OLD_HASH, "rehash": True}
    result = http.post("/v1/passwords/check", json=body, headers=wait).json()["result"]
    new = result.pop("password_hash", "")
    assert (result, new.startswith("$2b$04$")) == (answer, answer["valid"])


@pytest.mark.usefixtures("worker")
def test_check_password_without_a_hash_is_no(http: httpx.Client) -> None:
    body = {"password": PASSWORD, "password_hash": None, "rehash": True}
    answer = http.post("/v1/passwords/check", json=body, headers={"Prefer": "wait=10"})
    assert answer.json()["result"] == {"valid": False, "needs_rehash": False}


def test_check_password_wants_a_hash_or_null(http: httpx.Client) -> None:
    # Given an app that forgot the hash, when it asks, then it hears so, and not that it is wrong
    answer = http.post("/v1/passwords/check", json={"password": PASSWORD})
    members = assert_problem(answer, 422, "invalid_request")
    assert [fault["pointer"] for fault in members["errors"]] == ["#/password_hash"]


def test_check_password_has_no_policy(http: httpx.Client) -> None:
    # Given a user whose password is older than the policy
    body = {"password": "", "password_hash": OLD_HASH}
    # When it is checked, then the job is taken in
    assert http.post("/v1/passwords/check", json=body).status_code == 202


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"{}", ["#/password"]),
        (b'{"password": 12345678, "rounds": "ten"}', ["#/password", "#/rounds"]),
        (b'{"password": "long enough", "rounds": true}', ["#/rounds"]),
        (b'{"password": "long enough", "rounds": 10.5}', ["#/rounds"]),
        (b'{"password": "\\ud800 half a pair"}', ["#/password"]),
        (b'{"password": "long enough", "round": 4}', ["#/round"]),
        (b"[]", ["#"]),
        (b"", ["#"]),
    ],
)
def test_hash_password_names_each_field_that_is_wrong(
    http: httpx.Client, body: bytes, pointers: list[str]
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = http.post("/v1/passwords/hash", content=body, headers=headers)
    members = assert_problem(answer, 422, "invalid_request")
    assert [fault["pointer"] for fault in members["errors"]] == pointers
    assert "long enough" not in answer.text


class TestOutsideOfTests:
    """A server as it is set up for real users."""

    @pytest.fixture
    def toml_conf(self) -> dict[str, Any]:
        """Nothing but defaults."""
        return {}

    def test_hash_password_has_a_floor_of_ten_rounds(self, http: httpx.Client) -> None:
        answer = http.post("/v1/passwords/hash", json={"password": PASSWORD, "rounds": 9})
        assert "from 10 to 16" in assert_problem(answer, 422, "rounds_out_of_range")["detail"]


@pytest.mark.config(Passwords={"policy": False})
def test_hash_password_takes_a_short_password(http: httpx.Client) -> None:
    assert http.post("/v1/passwords/hash", json={"password": "a"}).status_code == 202


@pytest.mark.usefixtures("worker")
def test_hash_password_by_the_scheme_and_parameters_of_the_request(http: httpx.Client) -> None:
    # Given a service that hashes with bcrypt, and a password that is too long for it
    long = "correct horse battery staple, " * 4
    wait = {"Prefer": "wait=10"}
    body = {"password": long, "scheme": "argon2id", "argon2": "owasp-7-mib"}
    # When Argon2id is asked for by name
    hashed = http.post("/v1/passwords/hash", json=body, headers=wait).json()["result"]
    # Then it is a PHC string of all of the password
    assert hashed["password_hash"].startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    answers = [
        http.post("/v1/passwords/check", json={"password": text, **hashed}, headers=wait).json()
        for text in (long, long[:72])
    ]
    # And it is not outdated, though bcrypt is the service's own
    assert [answer["result"]["valid"] for answer in answers] == [True, False]
    assert answers[0]["result"]["needs_rehash"] is False


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"scheme": "md5"}, "invalid_request"),
        ({"scheme": "argon2id", "rounds": 10}, "scheme_invalid"),
        ({"scheme": "bcrypt", "argon2": "owasp-7-mib"}, "scheme_invalid"),
        ({"argon2": "owasp-1-mib"}, "scheme_invalid"),
        ({"argon2": "rfc9106-2-gib"}, "password_hash_too_large"),
        ({"user_inputs": ["x" * 256]}, "invalid_request"),
        ({"user_inputs": ["x"] * 21}, "invalid_request"),
    ],
    ids=["unknown", "rounds", "set", "no-set", "memory", "long-input", "many-inputs"],
)
def test_hash_password_refuses_a_scheme_that_there_is_not(
    http: httpx.Client, more: dict[str, object], code: str
) -> None:
    assert_problem(http.post("/v1/passwords/hash", json={"password": PASSWORD, **more}), 422, code)


def test_check_password_lists_the_known_forms_and_echoes_nothing(http: httpx.Client) -> None:
    body = {"password": PASSWORD, "password_hash": "$unknown$canary"}
    members = assert_problem(
        http.post("/v1/passwords/check", json=body), 422, "password_hash_invalid"
    )
    assert "$argon2id$" in members["detail"]
    assert "pbkdf2_sha256$" in members["detail"]
    assert "canary" not in str(members)


_SALT = "c29tZXNhbHRzb21lc2FsdA"
_DIGEST = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY"


@pytest.mark.usefixtures("worker")
def test_a_forged_hash_is_its_callers_error_and_no_dead_letter(
    http: httpx.Client, client: Client
) -> None:
    # Given hashes that an app made up, on the queue itself, where no route has looked at them
    forged = {
        OLD_HASH.replace("$2y$", "{pepper:deadbeef}$2b$"): "pepper_unknown",
        f"{{pepper:deadbeef}}$argon2id$v=19$m=64,t=1,p=1${_SALT}${_DIGEST}": "pepper_unknown",
        f"{{pepper:deadbeef}}{OLD_HASH}": "password_hash_invalid",
        OLD_HASH.replace("$04$", "$31$"): "password_hash_too_slow",
        OLD_HASH.replace("$04$", "$99$"): "password_hash_invalid",
        f"$argon2id$v=19$m=4194304,t=1,p=1${_SALT}${_DIGEST}": "password_hash_too_",
        f"$argon2id$v=19$m=8,t=1,p=64${_SALT}${_DIGEST}": "password_hash_invalid",
        f"$argon2id$v=99$m=64,t=1,p=1${_SALT}${_DIGEST}": "password_hash_invalid",
        f"$scrypt$ln=99,r=8,p=1${_SALT}${_DIGEST}": "password_hash_",
        f"pbkdf2_sha256$0${_SALT}${_DIGEST}=": "password_hash_invalid",
        f"pbkdf2_md5$1000${_SALT}${_DIGEST}=": "password_hash_invalid",
        '{"credentialData": "{}", "secretData": "[]"}': "password_hash_invalid",
    }
    # When each is checked
    jobs = {made: client.check_password(PASSWORD, made) for made in forged}
    for made, job in jobs.items():
        # Then the app is told what is wrong with it, for good
        with pytest.raises(JobFailed) as failed:
            job.result(timeout=30)
        assert failed.value.code.startswith(forged[made])
        assert failed.value.permanent
    # And no operator is
    assert http.get("/v1/queues/passwords/dead-letters").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"password": PASSWORD}, []),
        ({"password": PASSWORD, "user_inputs": ["tabby.cat@example.com"]}, []),
        ({"password": "monkey"}, ["password_too_short", "password_too_common"]),
        (
            {"password": "tabby.cat1", "user_inputs": ["Tabby.Cat@example.com", "Cat Feeder"]},
            ["password_too_easy"],
        ),
        ({"password": "CatFeeder2", "user_inputs": ["Cat Feeder"]}, ["password_too_easy"]),
        ({"password": "tabbytabby", "user_inputs": ["Tabby"]}, ["password_too_easy"]),
        ({"password": "Acme2024!", "user_inputs": ["Acme"]}, ["password_too_easy"]),
        ({"password": "feederCat9", "user_inputs": ["Cat Feeder"]}, ["password_too_easy"]),
        (
            {"password": "tabby@example", "user_inputs": ["tabby@example.com"]},
            ["password_too_easy"],
        ),
        ({"password": "\u65e5\u672c" * 4, "user_inputs": ["\u65e5\u672c"]}, ["password_too_easy"]),
        ({"password": "acme sells shovels", "user_inputs": ["Acme"]}, []),
        ({"password": "ä" * 37}, ["password_too_long"]),
        ({"password": "ä" * 37, "scheme": "argon2id"}, []),
        ({"password": "long\0 enough"}, ["password_has_nul"]),
        ({"password": " " * 4}, ["password_blank", "password_too_short"]),
        ({"password": "", "user_inputs": ["Tabby"]}, ["password_blank", "password_too_short"]),
    ],
    ids=[
        *("good", "stranger", "every-rule", "personal", "app", "repeated", "year", "turned"),
        *("address", "two-characters", "phrase", "bcrypt", "argon2id"),
        *("nul", "blank", "empty"),
    ],
)
def test_policy_answers_with_every_reason_and_hashes_nothing(
    http: httpx.Client, body: dict[str, object], codes: list[str]
) -> None:
    # Given no worker
    answer = http.post("/v1/passwords/policy", json=body)
    # Then the answer is there at once
    assert answer.status_code == 200
    verdict = answer.json()
    assert [reason["code"] for reason in verdict["reasons"]] == codes
    assert verdict["acceptable"] == (not codes)
    assert not body["password"] or str(body["password"]) not in str(verdict["reasons"])


def test_hash_password_counts_what_is_known_of_the_user(http: httpx.Client) -> None:
    body = {"password": "tabby.cat1", "user_inputs": ["tabby.cat@example.com"]}
    assert_problem(http.post("/v1/passwords/hash", json=body), 422, "password_too_easy")


class TestLeakedPasswords:
    """A service with a breach list, and one with a range server."""

    @pytest.fixture
    def ranges(self) -> Iterator[ScriptedRanges]:
        """A range server of one password."""
        digest = sha1(PASSWORD)
        with serve_ranges({digest[:5]: f"{digest[5:]}:7"}) as server:
            RANGE_SERVER.forget_failure()
            yield server

    @pytest.fixture(params=["file", "server"])
    def environment(
        self,
        environment: dict[str, str],
        toml_conf: dict[str, Any],
        ranges: ScriptedRanges,
        tmp_path: Path,
        request: pytest.FixtureRequest,
    ) -> dict[str, str]:
        """The list's name in config.toml."""
        toml_conf["Passwords"] = {"rounds": 4}
        if request.param == "file":
            path = write_file(tmp_path / "list", [f"{sha1(PASSWORD)}:7"])
            toml_conf["Passwords"]["breach_list"] = str(path)
        else:
            url = f"http://{ranges.host}/range/{{prefix}}"
            toml_conf["Passwords"]["breach_range_url"] = url
        return {**environment, "OAUTH_ALLOWED_PRIVATE_HOSTS": ranges.host}

    @pytest.mark.usefixtures("worker")
    def test_every_way_in_refuses_what_has_leaked(self, http: httpx.Client, client: Client) -> None:
        # When a password that has leaked is judged and hashed, over HTTP and by the queue
        body = {"password": PASSWORD, "user_inputs": ["Tabby"]}
        verdict = http.post("/v1/passwords/policy", json=body).json()
        wait = {"Prefer": "wait=10"}
        hashed = http.post("/v1/passwords/hash", json=body, headers=wait)
        with pytest.raises(JobFailed) as failed:
            client.hash_password(PASSWORD).result(timeout=30)
        # Then each says so, with how often it was seen
        [reason] = verdict["reasons"]
        assert (verdict["acceptable"], reason["code"], reason["count"]) == (
            False,
            "password_breached",
            7,
        )
        members = hashed.json()
        refused = members if hashed.status_code == 422 else members["error"]
        assert refused["code"] == failed.value.code == "password_breached"
        assert "leaked 7 times" in refused["detail"]
        assert failed.value.permanent
        # And another is taken, and the check of one at a login is not asked
        good = {"password": "no list has this password"}
        assert http.post("/v1/passwords/policy", json=good).json() == {
            "acceptable": True,
            "reasons": [],
        }
        assert http.post("/v1/passwords/hash", json=good, headers=wait).json()["result"]
        check = {"password": PASSWORD, "password_hash": OLD_HASH}
        answer = http.post("/v1/passwords/check", json=check, headers=wait)
        assert answer.json()["result"]["valid"] is True
