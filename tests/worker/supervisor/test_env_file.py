"""First-run secrets: missing ones are written to a private file, and all else in it stays."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from config import ROOT, ConfigurationError
from worker.supervisor.env_file import write_missing_secrets


def test_a_secret_that_is_set_is_not_written(tmp_path: Path) -> None:
    # Given an environment with one secret, and a file for the other
    path = tmp_path / ".env"
    secret = tmp_path / "secret"
    secret.write_text("s")

    written = write_missing_secrets(path, {"SECRET_KEY": "k", "ADMIN_API_KEY_FILE": str(secret)})

    assert written == []
    assert not path.exists()


def test_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    # Given a file that others can read, with a comment, an empty secret, and no last newline
    path = tmp_path / ".env"
    text = "# mine\nADMIN_API_KEY=\nPORT=5001\nMY_SECRET_KEY=kept\nHOST=0.0.0.0"
    path.write_text(text)
    path.chmod(0o644)

    # When the secrets are written
    write_missing_secrets(path, dict(dotenv_values(path)))

    # Then the empty line was filled in, the other secret was added, and the file is private
    lines = path.read_text().splitlines()
    assert lines[0] == "# mine"
    assert lines[1].startswith("ADMIN_API_KEY=")
    assert len(lines[1]) > 40
    assert lines[2:5] == ["PORT=5001", "MY_SECRET_KEY=kept", "HOST=0.0.0.0"]
    assert lines[5].startswith("SECRET_KEY=")
    assert len(lines) == 6
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "line",
    ["#SECRET_KEY=abc", "  # export SECRET_KEY = abc", "secret_key: abc", "set SECRET_KEY='abc"],
)
def test_no_secret_is_added_beside_one_in_another_form(tmp_path: Path, line: str) -> None:
    # Given a file that holds a secret which does not count
    path = tmp_path / ".env"
    path.write_text(f"# mine\n{line}\n")

    # Then none is added, and the line is named
    with pytest.raises(ConfigurationError, match=r"^\.env, line 2, holds a SECRET_KEY that does"):
        write_missing_secrets(path, {"ADMIN_API_KEY": "k"})
    assert path.read_text() == f"# mine\n{line}\n"


def test_the_comments_of_the_example_are_no_secrets(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text((ROOT / ".env.example").read_text())

    assert write_missing_secrets(path, {}) == ["SECRET_KEY", "ADMIN_API_KEY"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    # As in a checkout that is read-only
    path = tmp_path / "missing" / ".env"

    with pytest.raises(ConfigurationError, match=r"^\.env cannot be written \(No such file"):
        write_missing_secrets(path, {})


def test_a_draft_that_a_crash_has_left_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    (tmp_path / ".env.new").touch(mode=0o644)

    write_missing_secrets(path, {})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]


def test_a_linked_file_is_written_where_it_is(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("")
    link = tmp_path / ".env"
    link.symlink_to(real)

    write_missing_secrets(link, {})

    assert link.is_symlink()
    assert set(dotenv_values(real)) == {"SECRET_KEY", "ADMIN_API_KEY"}
