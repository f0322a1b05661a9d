"""The documentation's examples of configuration: variables, defaults, and what is missing."""

from __future__ import annotations

import pytest

import config
from config import _get_environement_variable, _get_toml_variable


@pytest.mark.usefixtures("settings")
def test_example_7_a_variable_of_the_environment() -> None:
    secret_key = _get_environement_variable(config.ENV, "SECRET_KEY")
    assert len(secret_key) >= 32


@pytest.mark.usefixtures("settings")
def test_example_7_values_of_config_toml_with_defaults() -> None:
    toml_conf = config.TOML_CONF
    port = _get_toml_variable(toml_conf, "Server_configuration", "port", 5000)
    host = _get_toml_variable(toml_conf, "Server_configuration", "host", "127.0.0.1")
    testing = _get_toml_variable(toml_conf, "Server_configuration.debug_mode", "testing", False)
    nothing = _get_toml_variable(toml_conf, "No_such_section.at_all", "key")
    assert (port, host, testing, nothing) == (5000, "127.0.0.1", True, None)


@pytest.mark.usefixtures("settings")
def test_error_handling_a_missing_variable_is_a_value_error_that_names_it() -> None:
    try:
        _get_environement_variable(config.ENV, "NO_SUCH_VARIABLE")
    except ValueError as error:
        message = str(error)
    assert "NO_SUCH_VARIABLE" in message


def test_the_file_that_comes_with_the_service_has_what_the_examples_ask_for() -> None:
    toml_conf = config.read_toml()
    assert _get_toml_variable(toml_conf, "Server_configuration", "port") == 5000
    assert _get_toml_variable(toml_conf, "Server_configuration", "host") == "127.0.0.1"
    assert _get_toml_variable(toml_conf, "Server_configuration.debug_mode", "debug") is False
    assert _get_toml_variable(toml_conf, "Crons", "renew_oath_tokens_interval") == 30
