"""Tests that docs/operations.md names commands, settings and metrics that there are."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

import pytest

from catfeeder.errors import SealBroken
from catfeeder.sealing import QUEUE_LABEL, KeyRing
from config import ROOT, load_settings
from tests.test_configuration_page import variables_of_the_code
from worker.__main__ import _COMMANDS, _parser
from worker.cli import reseal
from worker.http.asgi.metrics import Metrics
from worker.supervisor.procfile import read_procfile
from worker.supervisor.service import _WORKER_GRACE_SECONDS

PAGE: Final = (ROOT / "docs" / "operations.md").read_text()
PROCFILE: Final = read_procfile(ROOT / "Procfile")


@pytest.mark.parametrize("name", PROCFILE)
def test_every_line_of_the_procfile_has_a_unit_and_a_container(name: str) -> None:
    command = PROCFILE[name]
    # Given a row of systemd's table and a container, each has the line's own command
    assert re.search(
        rf"^\| `{name}` \| `catfeeder-{name}@.*\| `{re.escape(command)}` \|$", PAGE, re.M
    )
    [container] = re.findall(rf"^  {name}: (.*)$", PAGE, re.M)
    assert command.replace("$", "$$") in container
    # And it is told how many of it are needed
    assert re.search(rf"^\| `{name}` \| (one|two)", PAGE, re.M)


def test_no_line_is_told_that_there_is_not() -> None:
    for told in (r"`catfeeder-(\w+)@1", r"^  (\w+): \{<<"):
        assert set(re.findall(told, PAGE, re.M)) == set(PROCFILE)


def test_the_process_managers_wait_for_as_long_as_the_graces_take() -> None:
    graces = [int(text) for text in re.findall(r"--grace (\d+)", "\n".join(PROCFILE.values()))]
    for told in (r"TimeoutStopSec=(\d+)", r"stop_grace_period: (\d+)", r"Seconds: (\d+)"):
        [seconds] = re.findall(told, PAGE)
        assert int(seconds) >= _WORKER_GRACE_SECONDS > 2 * max(graces)


def test_every_command_is_one() -> None:
    commands = re.findall(r"python -m worker ([a-z][^`\n&|}]*)", PAGE)
    assert {command.split()[0] for command in commands} <= set(_COMMANDS)
    for command in commands:
        # It ends the interpreter where an option is unknown.
        _parser().parse_args(command.replace("@N", "").split())


def test_every_metric_is_one() -> None:
    told = set(re.findall(r"`(catfeeder_\w+)`", PAGE))
    source = (ROOT / "worker" / "http" / "metrics.py").read_text()
    known = set(re.findall(r'"(catfeeder_\w+)"', source))
    assert known >= {name.removesuffix("_total") for name in told}
    assert len(told) >= 9
    # And those that count are told by the name that Prometheus sees.
    metrics = Metrics.__init__.__code__.co_consts
    assert "catfeeder_http_requests" in metrics
    assert {name for name in told if name.endswith("_total")} == {
        "catfeeder_http_requests_total",
        "catfeeder_http_keys_refused_total",
    }


def test_every_setting_is_one() -> None:
    named = set(re.findall(r"`?\b([A-Z]+(?:_[A-Z]+)+)\b", PAGE)) - {"WORKING_DIRECTORY"}
    variables = variables_of_the_code()
    assert {name.removesuffix("_FILE") for name in named} <= variables
    defaults = load_settings({}, {})
    assert defaults.server.trusted_hosts
    assert "`trusted_hosts`" in PAGE
    assert "`max_connections` of `[Database]`" in PAGE
    assert defaults.database.max_connections


def test_what_reseal_prints_is_what_it_prints() -> None:
    [printed] = re.findall(r"\$ python -m worker reseal\n(.*?)```", PAGE, re.S)
    lines = [line.strip() for line in printed.strip().splitlines()]
    assert lines[-2:] == [reseal._DONE, reseal._NEXT]
    assert all(re.fullmatch(r"\d+ of \d+ rows", line) for line in lines[:-2])


def test_nobody_is_cut_off_by_a_change_of_the_key_in_the_order_that_is_told() -> None:
    old, new = "old " * 15, "new " * 15
    # Given what processes have after each step, SECRET_KEY first
    steps = [KeyRing(keys).sealer(QUEUE_LABEL) for keys in ([old], [old, new], [new, old], [new])]
    # Then each reads what those of the step before write, and of the step after
    for before, after in pairwise(steps):
        assert before.open(after.seal(b"x", "message"), "message")
    for before, after in pairwise(steps[:-1]):
        assert after.open(before.seal(b"x", "message"), "message")
    # And so it would not be without the second step
    with pytest.raises(SealBroken):
        steps[0].open(steps[2].seal(b"x", "message"), "message")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    configuration = (ROOT / "docs" / "configuration.md").read_text()
    assert "(operations.md#changing-secret_key)" in configuration
    assert "\n## Changing SECRET_KEY\n" in PAGE
