"""Configuration: where each setting is read, which source wins, and how a wrong one is refused."""

from __future__ import annotations

import ast
import base64
import dataclasses
import functools
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
import settings as settings_module
import validation
from config import (
    IGNORE_ENV_FILE,
    MINIMUM_KEY_LENGTH,
    ROOT,
    ConfigurationError,
    _get_environement_variable,
    _get_toml_variable,
    describe_exposures,
    describe_open_files,
    load_settings,
    optional_variable,
    provider_credential,
    read_environment,
    read_toml,
)
from setting_variables import SETTING_VARIABLES, setting_variable

_PROXIES: Final = ("10.0.0.0/8",)
SECRET = "canary-of-the-settings-7f1c9a04be63"


def refusal(toml_conf: dict[str, Any] | None = None, **environment: str) -> str:
    """Return the sentence with which settings are refused."""
    with pytest.raises(ConfigurationError) as refused:
        load_settings(environment, toml_conf or {})
    assert "\n" not in str(refused.value)
    return str(refused.value)


def sentence_of(read: Callable[[], object]) -> str:
    """Return the sentence with which a value is refused, or an empty one."""
    try:
        read()
    except ConfigurationError as refused:
        return str(refused)
    return ""


# -- The variables of the environment


def test_a_variable_is_read_from_the_environment() -> None:
    assert _get_environement_variable({"HOST": "::1"}, "HOST") == "::1"


@pytest.mark.parametrize("environment", [{}, {"DATABASE_URL": ""}, {"DATABASE_URL": None}])
def test_a_missing_variable_is_a_value_error_that_names_it(environment: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        _get_environement_variable(environment, "DATABASE_URL")
    assert optional_variable(environment, "DATABASE_URL") is None


def test_a_variable_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    # Given a secret in a file, as containers have it
    (tmp_path / "key").write_text(f"{SECRET}\n")

    # When the variable's _FILE names it
    environment = {"SECRET_KEY_FILE": str(tmp_path / "key")}

    # Then the file's text is the value
    assert load_settings(environment, {}).secret_key == SECRET
    # And a value given outright wins over the file's
    assert optional_variable({**environment, "SECRET_KEY": "x"}, "SECRET_KEY") == "x"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "SECRET_KEY_FILE names a file that cannot be read: No such file or directory."),
        (b"\xff\xfe\x00", "SECRET_KEY_FILE names a file that is not text in UTF-8."),
        (b" \n", "SECRET_KEY_FILE names a file that is empty."),
    ],
)
def test_a_file_that_cannot_be_used_is_named_by_its_variable(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "secret-file-name"
    if content is not None:
        path.write_bytes(content)

    assert refusal(SECRET_KEY_FILE=str(path)) == said
    assert "SECRET_KEY_FILE names a file that cannot be read" in refusal(SECRET_KEY_FILE="\0")


@pytest.mark.parametrize(
    "variables",
    [
        {"GOOGLE_CLIENT_ID_FILE": "/no/such"},
        {"MY_IDP_CLIENT_SECRET_PREVIOUS_FILE": "/etc"},
        {"APPLE_PRIVATE_KEY_FILE": "/dev/null", "APPLE_CLIENT_ID": "a"},
        {"SECRET_KEY_FILE": "/etc"},
        {"PORT_FILE": "/no/such", "PORT": "5000"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_start_reads_each_file_that_a_variable_names(variables: dict[str, str]) -> None:
    # Given a file that holds no value, even where the value given outright counts
    # Then the start ends with a sentence
    assert refusal(None, **variables).startswith(f"{next(iter(variables))} names a file that ")


def test_files_of_other_programs_are_theirs() -> None:
    assert load_settings({"TLS_PRIVATE_KEY_FILE": "/no/such"}, {}).secret_key is None


def test_a_relative_path_of_a_file_begins_at_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert optional_variable({"HOST_FILE": "Procfile"}, "HOST")


def test_the_environment_wins_over_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given variables in .env, and some of them in the environment
    env_file = tmp_path / ".env"
    env_file.write_text(
        "CF_A_CLIENT_ID=file\nCF_B_CLIENT_ID=file\nCF_C_CLIENT_ID=file\nCF_D_CLIENT_ID=file\n"
        "CF_E_CLIENT_ID=${HOME}\n# CF_F_CLIENT_ID=file\n"
    )
    monkeypatch.setenv("CF_A_CLIENT_ID", "environment")
    monkeypatch.setenv("CF_B_CLIENT_ID", "")
    monkeypatch.setenv("CF_C_CLIENT_ID_FILE", "a/path")

    # When both are read
    environment = read_environment(env_file)

    # Then the environment's value counts
    assert environment["CF_A_CLIENT_ID"] == "environment"
    # And an empty one counts as unset
    assert environment["CF_B_CLIENT_ID"] == "file"
    # And a file that the environment names is not hidden by a value of .env
    assert "CF_C_CLIENT_ID" not in environment
    assert environment["CF_C_CLIENT_ID_FILE"] == "a/path"
    # And what only .env has is there, word for word: a secret may have a dollar sign
    assert environment["CF_D_CLIENT_ID"] == "file"
    assert environment["CF_E_CLIENT_ID"] == "${HOME}"
    assert "CF_F_CLIENT_ID" not in environment
    # And without a .env the environment alone counts
    assert read_environment(tmp_path / "missing")["CF_A_CLIENT_ID"] == "environment"


def test_a_dotenv_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HOST=\xff")

    with pytest.raises(ConfigurationError, match=r"^\.env is not text in UTF-8\.$"):
        read_environment(tmp_path / ".env")
    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read: Is a directory\.$"):
        read_environment(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read: No such file or dir"):
        read_environment(tmp_path / "link")


def test_a_providers_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"GOOGLE_CLIENT_ID": "google-1", "MY_IDP_CLIENT_SECRET": "s", "X_CLIENT_ID": ""}
    monkeypatch.setitem(vars(config), "ENV", environment)

    assert provider_credential("google", "CLIENT_ID") == "google-1"
    assert provider_credential("google", "CLIENT_SECRET") is None
    assert provider_credential("my-idp", "CLIENT_SECRET") == "s"
    assert provider_credential("x", "CLIENT_ID") is None


# -- config.toml


_CONF: Final = {"Server_configuration": {"port": 80, "debug_mode": {"debug": True}}, "Crons": 3}


def test_a_value_of_config_toml_is_found_by_section_and_key() -> None:
    assert _get_toml_variable(_CONF, "Server_configuration", "port", default=5000) == 80
    assert _get_toml_variable(_CONF, "Server_configuration.debug_mode", "debug", default=False)


@pytest.mark.parametrize(
    "section",
    [
        "Server_configuration",
        "Server_configuration.debug_mode",
        "Nothing.at.all",
        "Server_configuration.port",
        "Crons",
    ],
)
def test_the_default_holds_where_config_toml_has_no_value(section: str) -> None:
    assert _get_toml_variable(_CONF, section, "host", default="::1") == "::1"
    assert _get_toml_variable(_CONF, section, "host") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[Crons]\nclean_tokens =\n", 2),
        ("[Crons\nclean_tokens = true\n", 1),
        ("[Crons]\n\nclean_tokens = tru\n", 3),
        ("[Crons]\nclean_tokens = true\nclean_tokens = true\n", 3),
        ("[Crons]\nx = 1\n[Crons]\nx = 2\n", 3),
        ('[OAuth]\nreturn_to_origins = ["a\n', 2),
        ("[OAuth]\nreturn_to_origins = [\n", 2),
        # The package toml reads these without a word: the end of the first and 2 are lost.
        ("[Crons]\nx = '''\ny = 1\n", 3),
        ("x = 1\ny = [1 2]\n", 2),
        # And it stumbles over this one.
        (".=#", 1),
    ],
)
def test_malformed_toml_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)

    with pytest.raises(
        ConfigurationError, match=rf"config\.toml is not valid TOML: .*line {line}\b"
    ):
        read_toml(path)


@given(text=st.text(alphabet="[]=\"\n#{},.'\\ \t\x00é_ab1-:e", max_size=40) | st.text())
def test_no_text_makes_the_toml_parser_fail_in_any_other_way(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    sentence = sentence_of(lambda: read_toml(path))

    assert sentence == "" or sentence.startswith(("config.toml ", "config.toml, line "))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[A]\nb = 1\nc = ["d", 2]\ne = 3\n', 3),
        ("a = 1\nb .c = 2\n", 2),
        ("a = [\n  1,\n  2.0,\n]\nb = 3\n", 4),
        ("a =0x1\n", 1),
    ],
)
def test_toml_that_two_parsers_read_differently_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    (tmp_path / "config.toml").write_text(text)

    with pytest.raises(ConfigurationError) as refused:
        read_toml(tmp_path / "config.toml")

    assert str(refused.value) == (
        f"config.toml, line {line}: `toml`, the package behind TOML_CONF, does not read this as "
        "the TOML standard has it: write it in a plainer way."
    )


@pytest.mark.parametrize(
    "text", ["", "a = 1\nb = 2020-01-01T00:00:00Z\n", '[a]\nb = [\n  "c#d", # e\n  "f",\n]\n']
)
def test_toml_is_read_as_the_standard_has_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)

    assert read_toml(tmp_path / "config.toml") == tomllib.loads(text)


def test_without_a_config_toml_the_defaults_hold(tmp_path: Path) -> None:
    assert read_toml(tmp_path / "missing") == {}
    assert load_settings({}, {}).server == settings_module.ServerSettings()


def test_a_byte_order_mark_of_an_editor_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("\ufeff[Crons]\nclean_tokens = false\n")

    assert read_toml(tmp_path / "config.toml") == {"Crons": {"clean_tokens": False}}


def test_our_config_toml_holds_the_defaults() -> None:
    # Else the file would mislead its reader.
    assert load_settings({}, read_toml()) == load_settings({}, {})


def test_our_config_toml_names_every_setting() -> None:
    conf = read_toml()
    for name, (_, kind) in settings_module.SECTIONS.items():
        table = validation.find_table(conf, name)
        in_file = {key for key in table if f"{name}.{key}" not in settings_module.SECTIONS}
        assert in_file == {item.name for item in dataclasses.fields(kind)}, name


# -- What is checked


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[Cron]", "[Cron] is not a section. Did you mean [Crons]?"),
        ("[OAuht]", "[OAuht] is not a section. Did you mean [OAuth]?"),
        ("port = 5000", "[port] is not a section. docs/configuration.md lists all there are."),
        (
            '["Server_configuration.debug_mode"]',
            "[Server_configuration.debug_mode] is not a section. Write it without quotes.",
        ),
        ("Crons = []", "Crons must be a section, [Crons]."),
        (
            "[Server_configuration]\ndebug_mode = true",
            "Server_configuration.debug_mode must be a section, [Server_configuration.debug_mode].",
        ),
        (
            "[Crons]\nclean_token = true",
            "[Crons] clean_token is not a setting. Did you mean clean_tokens?",
        ),
        (
            "[Crons]\nlease_seconds = 9",
            "[Crons] lease_seconds is not a setting. It belongs to [OAuth].",
        ),
        (
            "[Server_configuration.debug_mode]\ndebugg = true",
            "[Server_configuration.debug_mode] debugg is not a setting. Did you mean debug?",
        ),
        ("[Crons]\nclean_tokens = 1", "[Crons] clean_tokens must be true or false."),
        ("[OAuth]\nlease_seconds = true", "[OAuth] lease_seconds must be a whole number."),
        ("[OAuth]\nlease_seconds = '80'", "[OAuth] lease_seconds must be a whole number."),
        ("[OAuth]\nlease_seconds = 80.0", "[OAuth] lease_seconds must be a whole number."),
        ("[Processes]\nweb = 0", "[Processes] web must be 1 to 64."),
        ("[Processes]\nweb = 65", "[Processes] web must be 1 to 64."),
        (
            "[Server_configuration]\nhost = ''",
            "[Server_configuration] host must be a string that is not empty.",
        ),
        (
            "[OAuth]\nreturn_to_origins = 'a'",
            "[OAuth] return_to_origins must be a list of strings.",
        ),
        (
            "[OAuth]\nreturn_to_origins = ['a', 1]",
            "[OAuth] return_to_origins must be a list of strings.",
        ),
        (
            "[Crons]\nclean_tokens_interval = 0",
            "[Crons] clean_tokens_interval must be 1 to 315360000.",
        ),
        (
            "[Passwords]\nrounds = 9",
            "[Passwords] rounds must be 10 to 16; fewer are for tests alone.",
        ),
        ('[Passwords]\nscheme = "md5"', "[Passwords] scheme must be one of bcrypt, argon2id."),
        (
            '[Passwords]\nargon2 = "rfc9106-2-gib"',
            "[Passwords] memory_mib must be at least 2048, which one hash of rfc9106-2-gib takes.",
        ),
        (
            '[Passwords]\naccept_digests = ["md5", "crc32"]',
            "[Passwords] accept_digests may have md5, sha1, sha256, sha512, django_md5, "  # noqa: ISC004
            "django_sha1, ldap_md5, ldap_smd5, ldap_sha, ldap_sha256, ldap_sha384, ldap_sha512; "
            "'crc32' is none of them.",
        ),
        ("[Passwords]\nrounds = 17", "[Passwords] rounds must be 4 to 16."),
        (
            "[OAuth]\nwebhook_url = 'file:///etc/passwd'",
            "[OAuth] webhook_url must begin with https:// or http:// and a host.",
        ),
        (
            "[OAuth]\nwebhook_url = 'https://app.example.com:port/'",
            "[OAuth] webhook_url is not a URL.",
        ),
        *(
            (
                f"[OAuth]\nwebhook_url = 'https://{url}'",
                "[OAuth] webhook_url must hold no user name, password or fragment.",
            )
            for url in ("user:canary@app.example.com/", "@app.example.com/", "app.example.com/#x")
        ),
        *(
            (
                f"[OAuth]\nwebhook_url = 'https://{host}/hook'",
                "[OAuth] webhook_url must not lead to a private address, "  # noqa: ISC004
                "unless its host:port stands in OAUTH_ALLOWED_PRIVATE_HOSTS.",
            )
            for host in (
                *("127.0.0.1", "10.0.0.1:8443", "[::1]", "2130706433", "0x7f.1", "192.168.1.1"),
                *("169.254.169.254", "[::ffff:10.0.0.1]", "localhost", "hooks.internal"),
            )
        ),
        (
            "[OAuth]\nwebhook_url = 'http://app.example.com/hook'",
            "[OAuth] webhook_url must begin with https://, unless its host:port stands in "  # noqa: ISC004
            "OAUTH_ALLOWED_PRIVATE_HOSTS.",
        ),
    ],
)
def test_a_wrong_value_of_config_toml_is_refused_by_name(text: str, sentence: str) -> None:
    assert refusal(tomllib.loads(text)) == f"config.toml: {sentence}"


@pytest.mark.parametrize(
    ("oauth", "minimum"),
    [
        ({"lease_seconds": 59}, 60),
        ({"read_timeout_seconds": 30}, 140),
        ({"connect_timeout_seconds": 20}, 120),
    ],
)
def test_a_lease_that_ends_before_the_call_to_the_provider_may_is_refused(
    oauth: dict[str, int], minimum: int
) -> None:
    assert refusal({"OAuth": oauth}) == (
        f"config.toml: [OAuth] lease_seconds must be at least {minimum}, four times "
        "connect_timeout_seconds and read_timeout_seconds together: two would renew the same "
        "connection at once."
    )
    # One that is long enough is taken
    load_settings({}, {"OAuth": {**oauth, "lease_seconds": minimum}})


def test_values_of_config_toml_become_settings() -> None:
    server = {"cors_origins": ["https://a.example"], "debug_mode": {"testing": True}}
    # Hashes as cheap as these are for tests alone.
    conf = {"Server_configuration": server, "Passwords": {"rounds": 4}}
    conf |= {"Crons": {"clean_tokens": False}, "OAuth": {"webhook_url": ""}}

    chosen = load_settings({}, conf)

    assert chosen.server.cors_origins == ("https://a.example",)
    assert chosen.debug.testing
    assert not chosen.crons.clean_tokens
    assert chosen.passwords.rounds == 4


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.datetimes()
toml_values = st.recursive(
    scalars | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    [*settings_module.SECTIONS, "debug_mode", "port", "host", "rounds", "cors_origins", "policy"]
)


@given(
    st.dictionaries(names | st.text(max_size=5), toml_values, max_size=3)
    | st.dictionaries(names, st.dictionaries(names, toml_values, max_size=3), max_size=3)
)
def test_no_toml_table_fails_in_any_other_way(conf: dict[str, Any]) -> None:
    sentence = sentence_of(lambda: load_settings({}, conf))

    assert sentence == "" or sentence.startswith("config.toml: ")


variables = st.sampled_from(
    ["HOST", "PORT", "VAR_DIR", "REDIRECT_URI", "OAUTH_ALLOWED_PRIVATE_HOSTS"]
)


@given(st.dictionaries(variables, st.text(max_size=12)))
def test_no_environment_fails_in_any_other_way(environment: dict[str, str]) -> None:
    sentence = sentence_of(lambda: load_settings(environment, {}))

    assert sentence == "" or sentence.partition(" ")[0] in environment


# -- Settings of config.toml that the environment gives


_SERVER = "CATFEEDER_SERVER_CONFIGURATION"


@pytest.mark.parametrize(
    ("variables", "section", "key", "value"),
    [
        ({"CATFEEDER_OAUTH_LEASE_SECONDS": "120"}, "oauth", "lease_seconds", 120),
        ({"CATFEEDER_CRONS_CLEAN_TOKENS": "False"}, "crons", "clean_tokens", False),
        ({"CATFEEDER_PROCESSES_PASSWORDS": "0"}, "processes", "passwords", 0),
        ({f"{_SERVER}_DEBUG_MODE_DEBUG": "true"}, "debug", "debug", True),
        ({f"{_SERVER}_TRUSTED_PROXIES": '["10.0.0.0/8"]'}, "server", "trusted_proxies", _PROXIES),
        ({f"{_SERVER}_TRUSTED_PROXIES": " 10.0.0.0/8"}, "server", "trusted_proxies", _PROXIES),
        (
            {f"{_SERVER}_CORS_ORIGINS": "https://a.example, https://b.example"},
            *("server", "cors_origins", ("https://a.example", "https://b.example")),
        ),
        ({f"{_SERVER}_TRUSTED_HOSTS": "[]"}, "server", "trusted_hosts", ()),
        ({"CATFEEDER_OAUTH_WEBHOOK_URL": '""'}, "oauth", "webhook_url", ""),
        (
            {"CATFEEDER_OAUTH_WEBHOOK_URL": "https://hooks.example.com/in"},
            *("oauth", "webhook_url", "https://hooks.example.com/in"),
        ),
    ],
)
def test_a_variable_sets_what_config_toml_sets_and_wins(
    variables: dict[str, str], section: str, key: str, value: object, tmp_path: Path
) -> None:
    # Given a config.toml that says otherwise
    conf = {
        "OAuth": {"lease_seconds": 100, "webhook_url": "https://other.example.com/"},
        "Server_configuration": {"trusted_hosts": ["auth.example.com"], "host": "::1"},
    }

    # Then the variable counts, and all else stays as the file has it
    chosen = load_settings(variables, conf)
    assert getattr(getattr(chosen, section), key) == value
    assert chosen.host == "::1"
    # And so it does where it stands in .env, and where it names a file
    lines = [f"{name}='{text}'" for name, text in variables.items()]
    (tmp_path / ".env").write_text("\n".join(lines))
    read = read_environment(tmp_path / ".env")
    assert load_settings({name: read[name] for name in variables}, conf) == chosen
    for name, text in variables.items():
        (tmp_path / name).write_text(text)
    files = {f"{name}_FILE": str(tmp_path / name) for name in variables}
    assert load_settings(files, conf) == chosen


def test_every_setting_has_a_variable_of_its_own_that_takes_its_default() -> None:
    count = sum(len(dataclasses.fields(kind)) for _, kind in settings_module.SECTIONS.values())
    defaults = {
        setting_variable(section, field.name): json.dumps(field.default)
        for section, (_, kind) in settings_module.SECTIONS.items()
        for field in dataclasses.fields(kind)
    }

    assert len(defaults) == count
    assert load_settings(defaults, {}) == load_settings({}, {})


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("CATFEEDER_OAUTH_LEASE_SECONDS", "soon", " must be a whole number."),
        ("CATFEEDER_OAUTH_LEASE_SECONDS", "1.5", " must be a whole number."),
        ("CATFEEDER_OAUTH_LEASE_SECONDS", "0", " must be 1 to 315360000."),
        ("CATFEEDER_OAUTH_LEASE_SECONDS", "59", " must be at least 60, four times"),
        ("CATFEEDER_CRONS_CLEAN_TOKENS", "yes", " must be true or false."),
        ("CATFEEDER_PASSWORDS_ROUNDS", "9", " must be 10 to 16; fewer are for tests alone."),
        (f"{_SERVER}_CORS_ORIGINS", "[1]", " must be a list of strings."),
        (f"{_SERVER}_CORS_ORIGINS", "a.example", " must list origins such as"),
        (f"{_SERVER}_TRUSTED_PROXIES", "proxy", " must be addresses, networks"),
        ("CATFEEDER_OAUTH_WEBHOOK_URL", "http://a.example/", " must begin with https://"),
        (
            "CATFEEDER_OAUTH_LEASE_SECOND",
            "90",
            " is not a setting. Did you mean CATFEEDER_OAUTH_LEASE_SECONDS? ",
        ),
        ("CATFEEDER_SERVER_PORT", "80", f" is not a setting. Did you mean {_SERVER}_PORT? "),
        ("CATFEEDER_COLOUR", "blue", " is not a setting. docs/configuration.md says"),
    ],
)
def test_a_variable_that_sets_nothing_usable_is_refused_by_its_name(
    variable: str, text: str, sentence: str
) -> None:
    assert refusal({}, **{variable: text}).startswith(f"{variable}{sentence}")


def test_what_begins_like_a_setting_and_is_none_is_left_alone() -> None:
    # Given what Kubernetes sets for a Service `catfeeder`, a provider of that name, and our own
    links = {
        "CATFEEDER_SERVICE_HOST": "10.0.0.7",
        "CATFEEDER_SERVICE_PORT_HTTP": "5000",
        "CATFEEDER_PORT": "tcp://10.0.0.7:5000",
        "CATFEEDER_WEB_PORT_5000_TCP_ADDR": "10.0.0.7",
        "CATFEEDER_CLIENT_ID": "cats",
    }
    code = "".join(path.read_text() for path in (ROOT / "worker").rglob("*.py"))
    own = re.findall(r'"(CATFEEDER_\w+)"', code + (ROOT / "environment.py").read_text())
    assert len(own) >= 4

    # Then none of them ends a start
    assert load_settings({**links, **dict.fromkeys(own, "1")}, {}) == load_settings({}, {})


@given(
    st.dictionaries(
        st.sampled_from(sorted(SETTING_VARIABLES)),
        st.text(max_size=12) | toml_values.map(lambda value: json.dumps(value, default=str)),
        max_size=3,
    )
)
def test_no_variable_of_a_setting_fails_in_any_other_way(environment: dict[str, str]) -> None:
    sentence = sentence_of(lambda: load_settings(environment, {}))

    assert sentence == "" or sentence.partition(" ")[0].startswith(("CATFEEDER_", "HOST"))


# -- What the environment sets


def test_without_any_variable_the_defaults_hold() -> None:
    chosen = load_settings({}, {})

    assert (chosen.host, chosen.port) == ("127.0.0.1", 5000)
    assert chosen.var_dir == ROOT / "var"
    assert chosen.database_url == f"sqlite:///{ROOT}/var/catfeeder.sqlite3"
    assert chosen.redirect_uri == "http://127.0.0.1:5000/v1/oauth/callback"
    assert (chosen.redis_url, chosen.secret_key, chosen.admin_api_key) == (None, None, None)
    assert chosen.log_format == "text"
    assert chosen.allowed_private_hosts == frozenset()


def test_host_and_port_of_the_environment_win_over_config_toml() -> None:
    conf = {"Server_configuration": {"host": "192.0.2.1", "port": 80}}

    chosen = load_settings({"HOST": "192.0.2.2", "PORT": "8080"}, conf)

    assert (chosen.host, chosen.port) == ("192.0.2.2", 8080)
    assert chosen.redirect_uri == "http://192.0.2.2:8080/v1/oauth/callback"
    assert load_settings({"HOST": "", "PORT": ""}, conf).port == 80


_NO_PORT: Final = "PORT must be a whole number from 1 to 65535."
_NO_URI: Final = "REDIRECT_URI must begin with https:// or http:// and a host."
_NO_HOST: Final = "OAUTH_ALLOWED_PRIVATE_HOSTS must list host:port, which {!r} is not."
_NO_PROXY: Final = (
    "OAUTH_PROXY_URL must be http:// or https:// with a host and a port, such as "
    "http://proxy.example.com:3128; a user name and password may stand before the host."
)


@pytest.mark.parametrize(
    ("variable", "sentence", "values"),
    [
        ("PORT", _NO_PORT, ["0", "65536", "-1", "80.0", "1e3", "http", " 80", "٣", "9" * 5000]),
        (
            "REDIRECT_URI",
            _NO_URI,
            [
                *("example.com/callback", "ftp://x.example/", "https://", "js:1"),
                *("https://x.example:99999/", "https://x.example:port/", "https://x.example:0/"),
            ],
        ),
        (
            "OAUTH_ALLOWED_PRIVATE_HOSTS",
            _NO_HOST,
            ["localhost", "localhost:", ":80", "http://x:80", "x:80/path", "x:http"],
        ),
        ("OAUTH_NO_PROXY", "OAUTH_NO_PROXY must list host:port, which {!r} is not.", ["x", "*"]),
        (
            "OAUTH_PROXY_URL",
            _NO_PROXY,
            [
                *("proxy:3128", "socks5://proxy:1080", "http://", "http://proxy:port"),
                *("http://proxy:99999", "http://proxy/path", "http://[::1", "http://pro xy"),
            ],
        ),
        ("LOG_FORMAT", "LOG_FORMAT must be text or json.", ["JSON", "xml", " json"]),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused(
    variable: str, sentence: str, values: list[str]
) -> None:
    for value in values:
        assert refusal(None, **{variable: value}) == sentence.format(value)
    # And one wrong host among others is named
    assert refusal(OAUTH_ALLOWED_PRIVATE_HOSTS="good.example:80,bad") == _NO_HOST.format("bad")


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("https://auth.example.com/callback", None),
        ("http://127.8.7.6:5000/callback", None),
        ("http://[::1]:5000/callback", None),
        ("http://cats.localhost/callback", None),
        ("http://auth.example.com/callback", "is http, so the network can read codes"),
        ("http://10.0.0.5/callback", "is http, so the network can read codes"),
        ("http://0.0.0.0:5000/callback", "is http, so the network can read codes"),
        ("http://localhost.example.com/callback", "is http, so the network can read codes"),
        ("https://auth.example.com/callback?a=b", "has a query, a fragment or a user name"),
        ("https://auth.example.com/callback#", "has a query, a fragment or a user name"),
        ("https://me@auth.example.com/callback", "has a query, a fragment or a user name"),
    ],
)
def test_an_address_that_shows_codes_to_the_network_is_told_at_the_start(
    uri: str, problem: str | None, tmp_path: Path
) -> None:
    variables = {"REDIRECT_URI": uri, "VAR_DIR": str(tmp_path / "none")}
    told = [
        sentence
        for sentence in describe_exposures(variables, load_settings(variables, {}))
        if sentence.startswith("REDIRECT_URI")
    ]
    assert (told == []) if problem is None else told[0].startswith(f"REDIRECT_URI {problem}")


def test_a_path_hangs_on_the_repository_and_not_on_the_working_directory(tmp_path: Path) -> None:
    assert load_settings({"VAR_DIR": "else/where"}, {}).var_dir == ROOT / "else/where"
    assert load_settings({"VAR_DIR": str(tmp_path)}, {}).var_dir == tmp_path


@pytest.mark.parametrize("variable", ["OAUTH_CA_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authorities_that_cannot_be_read_are_refused(variable: str, tmp_path: Path) -> None:
    empty, absent = tmp_path / "empty.pem", tmp_path / "absent.pem"
    empty.write_text("no certificate")

    assert "without a certificate in PEM" in refusal(None, **{variable: str(empty)})
    assert "cannot be read: No such file" in refusal(None, **{variable: str(absent)})
    # A folder serves if OpenSSL finds a certificate there, which it does by names that are hashes
    (tmp_path / "0a1b2c3d.0").write_text("no certificate")
    assert "`openssl rehash`" in refusal(None, **{variable: str(tmp_path)})
    (tmp_path / "company.pem").write_bytes(Path(certifi.where()).read_bytes())
    assert "`openssl rehash`" in refusal(None, **{variable: str(tmp_path)})
    (tmp_path / "0a1b2c3d.1").symlink_to("company.pem")
    chosen = load_settings({variable: str(tmp_path)}, {})
    assert str(tmp_path) in (chosen.ca_bundle, chosen.ca_file)
    # And a process that another one has given all that it needs does not read them once more
    chosen = load_settings({variable: str(empty), IGNORE_ENV_FILE: "1"}, {})
    assert str(empty) in (chosen.ca_bundle, chosen.ca_file)


def test_the_password_of_the_proxy_is_not_shown() -> None:
    url = "http://me:canary@proxy.internal:3128"
    chosen = load_settings({"OAUTH_PROXY_URL": url}, {})

    assert chosen.proxy_url == url
    assert "canary" not in repr(chosen)
    assert "canary" not in refusal(None, OAUTH_PROXY_URL="ftp://me:canary@proxy")


def test_a_folder_with_special_characters_survives_the_url() -> None:
    chosen = load_settings({"VAR_DIR": "/tmp/a b#c?d%e"}, {})

    assert chosen.database_url == "sqlite:////tmp/a%20b%23c%3Fd%25e/catfeeder.sqlite3"


def test_private_hosts_are_a_list_of_host_and_port() -> None:
    chosen = load_settings(
        {"OAUTH_ALLOWED_PRIVATE_HOSTS": " Localhost:9000 ,[::1]:80,,10.0.0.1:443"}, {}
    )

    assert chosen.allowed_private_hosts == {"localhost:9000", "[::1]:80", "10.0.0.1:443"}


def test_the_secret_key_must_be_there_and_long() -> None:
    for environment in ({}, {"SECRET_KEY_PREVIOUS": SECRET}):
        with pytest.raises(ConfigurationError, match="SECRET_KEY is not set"):
            load_settings(environment, {}).secret_keys()
    assert load_settings({"SECRET_KEY": SECRET[:32]}, {}).required_secret_key() == SECRET[:32]


_DIGITS = "1234567890"
WEAK_KEYS = {
    "short": SECRET[:31],
    "one_character": "x" * 64,
    "few_characters": "abcbacabbcaacbcabbacbaccabcacbba",
    "pattern": "S3cr3t!S3cr3t!S3cr3t!S3cr3t!S3cr3t!",
    "long_pattern": "correct-horse-" * 3,
    "padded": "k7Qx" + "0" * 40,
    "counting": _DIGITS * 4,
    "alphabet": "abcdefghijklmnopqrstuvwxyz" + _DIGITS,
    "backwards": "9876543210zyxwvutsrqponmlkjihgfedcba",
    "keyboard": "qwertyuiopasdfghjklzxcvbnm" + _DIGITS,
    "changeme": "changeme-changeme-changeme-changeme",
    "placeholder": "your-very-long-random-secret-key-here",
    "instruction": "PLEASE_change_this_secret_before_production_1234",
    "example": "insert-a-32-characters-example-key-here",
}


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "ADMIN_API_KEY", "SECRET_KEY_PREVIOUS", "PASSWORD_PEPPER"]
)
@pytest.mark.parametrize("weak", WEAK_KEYS.values(), ids=WEAK_KEYS)
def test_a_key_that_can_be_guessed_is_refused_unseen(name: str, weak: str) -> None:
    environment = {"SECRET_KEY": SECRET, name: weak}
    said = sentence_of(lambda: load_settings(environment, {}))

    # Then the sentence names the setting and the way to a good one, and no key
    assert said.startswith(f"{name} ")
    assert weak not in said
    former = "each of 32 characters or more" if weak == SECRET[:31] else "worker reseal"
    assert (former if name == "SECRET_KEY_PREVIOUS" else "secrets.token_urlsafe(32)") in said


@pytest.mark.parametrize("count", [16, 24, 32])
def test_a_random_key_in_any_writing_is_taken(count: int) -> None:
    for _ in range(30):
        random = secrets.token_bytes(count)
        written = [random.hex(), base64.b64encode(random).decode(), f"{int(random.hex(), 16):032}"]
        for key in (key for key in written if len(key) >= MINIMUM_KEY_LENGTH):
            assert load_settings({"SECRET_KEY": key, "ADMIN_API_KEY": key}, {}).secret_key == key


def test_what_other_users_can_get_at_is_named_with_its_mode(tmp_path: Path) -> None:
    # Given files of the service's own that are as they ought to be
    env_file, key, var_dir = tmp_path / ".env", tmp_path / "key", tmp_path / "var"
    env_file.touch(0o600)
    key.touch(0o400)
    var_dir.mkdir(0o755)
    environment = {"SECRET_KEY_FILE": str(key), "OAUTH_CA_FILE": str(tmp_path / "ca"), "PORT": "1"}
    (tmp_path / "ca").touch(0o644)
    assert describe_open_files(env_file, environment, var_dir) == []

    # When other users may read or replace them
    env_file.chmod(0o640)
    key.chmod(0o444)
    var_dir.chmod(0o775)
    said = describe_open_files(env_file, environment, var_dir)

    # Then each is named, with its mode and the remedy
    for path, mode in ((env_file, "640"), (key, "444"), (var_dir, "775")):
        [sentence] = [each for each in said if each.startswith(f"{path} ") or f"{path}," in each]
        assert f"mode {mode}" in sentence
        assert f"`chmod {'700' if path == var_dir else '600'} {path}`" in sentence
    assert len(said) == 3
    # And what is not there yet is none
    assert describe_open_files(tmp_path / "no", {"SECRET_KEY_FILE": "\0"}, tmp_path / "none") == []


OTHER, OLDEST = "the-other-key-4c1b88d20e97aa53ff", "an older, longer key with a comma in it"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (OTHER, (OTHER,)),
        (f" {SECRET} , {OTHER},", (SECRET, OTHER)),
        (f"{SECRET}\n\n  {OLDEST}\r\n", (SECRET, OLDEST)),
        (" ,", ()),
    ],
)
def test_previous_secret_keys_stand_behind_the_current_one(
    tmp_path: Path, text: str, keys: tuple[str, ...]
) -> None:
    (tmp_path / "keys").write_text(text)
    for previous in (
        {"SECRET_KEY_PREVIOUS": text},
        {"SECRET_KEY_PREVIOUS_FILE": str(tmp_path / "keys")},
    ):
        chosen = load_settings({"SECRET_KEY": SECRET, **previous}, {})

        assert chosen.secret_keys() == (SECRET, *keys)


@pytest.mark.parametrize("text", ["hunter2", f"{SECRET},hunter2", f"{SECRET}\nhunter2"])
def test_a_previous_secret_key_that_is_none_is_refused_unseen(text: str) -> None:
    said = refusal(SECRET_KEY_PREVIOUS=text)

    assert said.startswith("SECRET_KEY_PREVIOUS must list former values of SECRET_KEY")
    assert "hunter2" not in said


def test_a_pepper_is_a_key_of_its_own_and_its_former_ones_are_as_good(tmp_path: Path) -> None:
    # Given a pepper in a file, and former ones
    (tmp_path / "pepper").write_text(f"{OTHER}\n")
    given = {"PASSWORD_PEPPER_FILE": str(tmp_path / "pepper"), "SECRET_KEY": SECRET}
    chosen = load_settings({**given, "PASSWORD_PEPPER_PREVIOUS": f"{SECRET}, {OTHER}"}, {})
    assert (chosen.password_pepper, chosen.previous_password_peppers) == (OTHER, (SECRET, OTHER))
    # When it is another key as well, a former one is weak, or one could not be listed
    for wrong, sentence in (
        ({"SECRET_KEY": OTHER}, "PASSWORD_PEPPER is SECRET_KEY or ADMIN_API_KEY as well"),
        ({"SECRET_KEY_PREVIOUS": OTHER}, "PASSWORD_PEPPER is SECRET_KEY or ADMIN_API_KEY as well"),
        ({"ADMIN_API_KEY": OTHER}, "PASSWORD_PEPPER is SECRET_KEY or ADMIN_API_KEY as well"),
        ({"PASSWORD_PEPPER_PREVIOUS": "hunter2"}, "PASSWORD_PEPPER_PREVIOUS is too short"),
        ({"PASSWORD_PEPPER_PREVIOUS": "x" * 40}, "PASSWORD_PEPPER_PREVIOUS has too little"),
        ({"PASSWORD_PEPPER": f"{OTHER},{SECRET}"}, "PASSWORD_PEPPER must be of ASCII, without"),
    ):
        # Then a sentence says so, and shows none
        said = sentence_of(functools.partial(load_settings, {**given, **wrong}, {}))
        assert said.startswith(sentence)
        assert OTHER not in said
        assert "hunter2" not in said


def test_the_redis_url_must_be_there_where_it_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL is not set"):
        load_settings({}, {}).required_redis_url()
    assert load_settings({"REDIS_URL": "redis://x"}, {}).required_redis_url() == "redis://x"


def test_settings_do_not_show_their_secrets() -> None:
    names = ("SECRET_KEY", "SECRET_KEY_PREVIOUS", "ADMIN_API_KEY", "PASSWORD_PEPPER_PREVIOUS")
    keys = {**dict.fromkeys(names, SECRET), "PASSWORD_PEPPER": OTHER}
    urls = dict.fromkeys(("REDIS_URL", "DATABASE_URL"), f"redis://:{SECRET}@127.0.0.1")
    chosen = load_settings({**keys, **urls}, {})

    assert SECRET not in repr(chosen)
    assert SECRET not in str(chosen)
    assert OTHER not in repr(chosen)
    assert "127.0.0.1" in repr(chosen)


# -- Values that could never work


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("Server_configuration", "cors_origins", "https://app.example.com/"),
        ("Server_configuration", "cors_origins", "app.example.com"),
        ("Server_configuration", "cors_origins", "https://App.example.com"),
        ("Server_configuration", "cors_origins", "https://app.example.com:443"),
        ("Server_configuration", "cors_origins", "https://app.example.com/path"),
        ("Server_configuration", "cors_origins", "https://*.example.com"),
        ("OAuth", "return_to_origins", "https://app.example.com/"),
        ("OAuth", "return_to_origins", "app.example.com"),
        ("Server_configuration", "trusted_hosts", "auth.example.com:8443"),
        ("Server_configuration", "trusted_hosts", "https://auth.example.com"),
        ("Server_configuration", "trusted_hosts", "[::1]"),
        ("Server_configuration", "trusted_hosts", "caf\u00e9.example.com"),
        ("Server_configuration", "trusted_hosts", "auth.example.com "),
    ],
)
def test_a_list_with_an_address_that_never_comes_is_refused(
    section: str, key: str, value: str
) -> None:
    sentence = refusal({section: {key: [value]}})

    assert sentence.startswith(f"config.toml: [{section}] {key} must list ")
    assert repr(value) in sentence


def test_addresses_that_work_are_taken() -> None:
    origins = ["https://app.example.com", "http://127.0.0.1:3000", "http://[::1]:8080", "*"]
    names = ["auth.example.com", "*.example.com", "::1", "127.0.0.1", "*", "localhost"]
    server = {"cors_origins": origins, "trusted_hosts": names}

    assert load_settings({}, {"Server_configuration": server}).server.cors_origins[3] == "*"
    oauth = {"return_to_origins": ["https://app.example.com:8443", "com.example.app://done"]}
    assert load_settings({}, {"OAuth": oauth})


@pytest.mark.parametrize(
    ("host", "uri"),
    [
        ("::1", "http://[::1]:5000/v1/oauth/callback"),
        ("[::1]", "http://[::1]:5000/v1/oauth/callback"),
        ("::", "http://[::1]:5000/v1/oauth/callback"),
        ("0.0.0.0", "http://127.0.0.1:5000/v1/oauth/callback"),  # noqa: S104
        ("auth.local", "http://auth.local:5000/v1/oauth/callback"),
    ],
)
def test_the_address_of_any_host_is_one_that_can_be_opened(host: str, uri: str) -> None:
    assert load_settings({"HOST": host}, {}).redirect_uri == uri
    assert not load_settings({"HOST": host}, {}).host.startswith("[")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ADMIN_API_KEY": "schl\u00fcssel"}, "ADMIN_API_KEY can be sent by no client"),
        ({"ADMIN_API_KEY": "two words"}, "ADMIN_API_KEY can be sent by no client"),
        ({"HOST": "http://127.0.0.1"}, "without scheme, port or path"),
        ({"HOST": "localhost:5000"}, "without scheme, port or path"),
        ({"HOST": "*"}, "without scheme, port or path"),
        ({"DATABASE_URL": "sqlite:///~/cats.sqlite3"}, "DATABASE_URL begins with ~"),
        ({"REDIS_URL": "unix://~/valkey.sock"}, "REDIS_URL begins with ~"),
        ({"VAR_DIR": "~nobody-of-this-name/var"}, "VAR_DIR begins with ~ and a user unknown here"),
        ({"VAR_DIR": "/var/\udcff"}, "VAR_DIR is not text in UTF-8."),
        ({"SECRET_KEY": SECRET + "\udcff"}, "SECRET_KEY is not text in UTF-8."),
        ({"SECRET_KEY_FILE": "/run/\udcff"}, "SECRET_KEY_FILE is a path that is not text"),
    ],
)
def test_a_variable_that_could_never_work_is_refused(variables: dict[str, str], said: str) -> None:
    sentence = sentence_of(lambda: load_settings(variables, {}))

    assert said in sentence
    assert SECRET not in sentence


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(SECRET)

    settings = load_settings({"VAR_DIR": "~/var", "SECRET_KEY_FILE": "~/key"}, {})

    assert (settings.var_dir, settings.secret_key) == (tmp_path / "var", SECRET)


# -- The names that other programs know


def test_env_and_toml_conf_are_what_this_process_has_set() -> None:
    code = (
        "from config import ENV, TOML_CONF, current_settings\n"
        "print(ENV['CF_MARK'], TOML_CONF['Crons']['clean_tokens_interval'])\n"
        "print(current_settings() is current_settings(), current_settings().port)\n"
    )
    environment = {**os.environ, "CF_MARK": "marked", "PORT": "6000"}

    command = [sys.executable, "-c", code]
    printed = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)

    assert printed.split() == ["marked", "3600", "True", "6000"]


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        (f"PORT=5000\nSECRET_KEY='{SECRET}\nHOST=::1\n", 2, "single quotes that are closed"),
        (f'\n\nSECRET_KEY="{SECRET}\nHOST="::1"\n', 3, "single quotes that are closed"),
        (f"SECRET_KEY='{SECRET}\nADMIN_API_KEY='{SECRET}'\nHOST='::1\n", 1, "closed"),
        (f"SECRET_KEY='{SECRET}\nADMIN_API_KEY={SECRET}\nLOG_FORMAT='\n", 1, "ADMIN_API_KEY"),
        (f"SECRET_KEY '{SECRET}'\n", 1, "NAME=value"),
        (f"SECRET_KEY: {SECRET}\n", 1, "NAME=value"),
        (f"# mine\nSECRET_KEY\nHOST=::1\n{SECRET}\n", 2, "NAME=value"),
        (f"HOST=::1\n\nSECRETKEY={SECRET}\n", 3, "Did you mean SECRET_KEY?"),
        (f"secret_key={SECRET}\n", 1, "Did you mean SECRET_KEY?"),
        (f"ADMIN_API_KEYS={SECRET}\n", 1, "Did you mean ADMIN_API_KEY?"),
        (f"MY_OTHER_PROGRAM={SECRET}\n", 1, "belongs elsewhere"),
        (f"{SECRET}=\n", 1, "belongs elsewhere"),
        (f"SECRET_KEY={SECRET}\nPORT=1\nSECRET_KEY=\n", 3, "as line 1 does: keep one"),
        (f"SECRET_KEY='{SECRET}\0'\n", 1, "NUL byte"),
    ],
)
def test_a_line_of_dotenv_that_would_be_misread_is_refused_with_the_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, remedy: str
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / ".env").write_text(text)

    sentence = sentence_of(lambda: read_environment(tmp_path / ".env"))

    assert sentence.startswith(f".env, line {line}, ")
    assert remedy in sentence
    # A line that is not understood may hold half a secret.
    assert SECRET not in sentence + caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "export SECRET_KEY = 'a b#c' # mine\r\n\r\nHOST=::1",
            {"SECRET_KEY": "a b#c", "HOST": "::1"},
        ),
        ("SECRET_KEY=\nSECRET_KEY=a\n", {"SECRET_KEY": "a"}),
        (
            "SECRET_KEY_FILE=/run/key\nMY_IDP_CLIENT_SECRET_FILE=k\n",
            {"SECRET_KEY_FILE": "/run/key"},
        ),
        ('APPLE_PRIVATE_KEY="-----BEGIN\nAB=\nCD==\n-----END"\nPORT=1\n', {"PORT": "1"}),
    ],
)
def test_what_dotenv_allows_is_read(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    (tmp_path / ".env").write_text(text, newline="")

    assert read_environment(tmp_path / ".env").items() >= expected.items()


def test_a_dotenv_may_hold_every_variable_that_is_offered(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    filled = re.sub(r"^(\w+)=$", r"\1=value", example, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(filled)

    offered = re.findall(r"^(\w+)=", example, re.MULTILINE)
    assert set(offered) <= set(read_environment(tmp_path / ".env"))


#: Modules and no packages, of which import-linter sees none.
_SETTINGS_MODULES: Final = {
    *("addresses", "authorities", "config", "configuration_files", "deployment", "env_file"),
    *("environment", "file_modes", "key_strength", "plain_http", "public_addresses"),
    *("setting_variables", "settings", "validation"),
}


def test_settings_import_nothing_else_of_ours() -> None:
    ours = {path.stem for path in ROOT.iterdir() if path.suffix in ("", ".py")}
    names = set()
    for module in _SETTINGS_MODULES:
        for node in ast.walk(ast.parse((ROOT / f"{module}.py").read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module))

    wanted = {name for name in names if name.partition(".")[0] in ours}
    assert wanted <= _SETTINGS_MODULES | {"catfeeder.errors"}
