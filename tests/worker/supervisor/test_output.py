"""Output of `make run`: each line has the name of its process, and in JSON stays one object."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from worker.supervisor.output import line_printer, to_json_line


def test_text_has_the_name_before_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    line_printer("text")("oauth.1", '{"message": "ready"}')

    assert capsys.readouterr().out == 'oauth.1     | {"message": "ready"}\n'


def test_json_has_the_name_as_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    line_printer("json")("oauth.1", '{"level": "INFO", "message": "ready", "process": 7}')

    line, end = capsys.readouterr().out.split("\n")
    assert json.loads(line) == {"level": "INFO", "message": "ready", "process": "oauth.1"}
    assert end == ""


@pytest.mark.parametrize("line", ["Traceback:", "", "[1]", "3", '"x"', '{"half', "[" * 100_000])
def test_a_line_that_is_no_object_is_wrapped(line: str) -> None:
    fields = json.loads(to_json_line("web.1", line))

    assert datetime.fromisoformat(fields.pop("timestamp")).tzinfo is not None
    assert fields == {"message": line, "process": "web.1"}
