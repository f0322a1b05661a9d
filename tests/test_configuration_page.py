"""Configuration page: every setting stands in docs/configuration.md as the code has it."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Final

import pytest

import settings as settings_module
from actors.providers.protocol.provider_builder import presets
from config import ROOT, load_settings
from environment import VARIABLES
from key_strength import MINIMUM_KEY_LENGTH
from setting_variables import SETTING_VARIABLES

PAGE: Final = (ROOT / "docs" / "configuration.md").read_text()
_USUAL_PARTS: Final = ("CLIENT_ID", "CLIENT_SECRET")
_PARTS: Final = {"apple_client_secret": ("CLIENT_ID", "TEAM_ID", "KEY_ID", "PRIVATE_KEY")}
EXAMPLE: Final = (ROOT / ".env.example").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """Return the tables of a chapter: the other cells of each row by what its first cell names."""
    chapter = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert chapter, f"there is no chapter {heading}"
    found = {}
    for line in re.findall(r"^\| (`.*) \|$", chapter[1], re.MULTILINE):
        first, *others = re.split(r" *\| ?", line)
        for name in re.findall(r"`(\w+)`", first):
            assert name not in found, name
            found[name] = others
    return found


@pytest.mark.parametrize("section", settings_module.SECTIONS)
def test_every_setting_of_config_toml_stands_there_with_its_default_and_range(section: str) -> None:
    written = rows(f"`[{section}]`")
    _, kind = settings_module.SECTIONS[section]
    settings = {item.name: item for item in dataclasses.fields(kind)}

    # Given the settings of the code, no more and no fewer are there, in the same order
    assert list(written) == list(settings)
    for name, (default, allowed, text) in written.items():
        value = settings[name].default
        limits = settings[name].metadata.get("range")
        # Then each has its default, as one would write it in the file, and what it may be
        assert default == f"`{json.dumps(value)}`", name
        assert allowed == (f"{limits[0]} to {limits[1]}" if limits else ""), name
        assert text.endswith((".", "`")), name


def variables_of_the_code() -> set[str]:
    """Return what the settings ask the environment for, and each preset's credentials."""
    code = "".join(
        (ROOT / name).read_text() for name in ("authorities.py", "config.py", "deployment.py")
    )
    readers = r"(?:optional_variable\(env, |check_authorities\(env, |\bread\()"
    asked = re.findall(rf'{readers}"(\w+)"', code)
    credentials = {
        f"{name.upper()}_{part}"
        for name, preset in presets().items()
        for part in _PARTS.get(preset["token_endpoint_auth_method"], _USUAL_PARTS)
    }
    assert len(asked) == len(set(asked)) >= 9
    # And no other name may stand in .env, credentials aside.
    assert set(asked) == VARIABLES
    return set(asked) | credentials


def test_every_variable_stands_there_and_no_other() -> None:
    assert set(rows("The environment, or `.env`")) == variables_of_the_code()


def test_env_example_offers_every_variable_and_no_other() -> None:
    offered = re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE)

    assert {name for name, _ in offered} == variables_of_the_code()
    # And sets none: what is unset has a default that works.
    assert {value for _, value in offered} == {""}


def test_each_variable_of_a_setting_that_is_written_is_one_and_is_taken() -> None:
    written = re.findall(r"(CATFEEDER_[A-Z_]+)=([^`;\s]+)", PAGE + EXAMPLE)
    assert len(written) >= 6

    for name, value in written:
        assert name in SETTING_VARIABLES
        load_settings({name: value}, {})


def test_the_defaults_of_the_environment_are_those_written() -> None:
    written = rows("The environment, or `.env`")
    unset = load_settings({}, {})

    assert written["VAR_DIR"][0] == f"`{unset.var_dir.relative_to(ROOT)}`"
    assert unset.database_url.rpartition("/")[2] in written["DATABASE_URL"][0]
    template = written["REDIRECT_URI"][0].strip("`")
    assert template.replace("<host>", unset.host).replace("<port>", str(unset.port)) == (
        unset.redirect_uri
    )
    assert f"At least {MINIMUM_KEY_LENGTH} characters" in written["SECRET_KEY"][1]
