"""Command line: arguments, and what `run` prints, leaves behind, and refuses to start with."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys

import psutil
import pytest

import catfeeder
from tests.conftest import OTHER_SECRET_KEY, SECRET_KEY
from tests.stack.directory import STAND_IN, ServiceDirectory
from tests.waiting import wait_until
from tests.worker.cli.conftest import Command
from worker.cli.old_names import translate_old_names

pytestmark = pytest.mark.timeout(200)


def test_help_lists_nouns_and_verbs(command: Command) -> None:
    ended = command("--help")
    assert ended.returncode == 0
    for name in ("run", "connections", "providers", "queues", "keys", "events", "migrate"):
        assert re.search(rf"^ +{name}\s", ended.stdout, re.MULTILINE)
    # What a noun can do is in its own help, the names of before are in none
    verbs = command("queues", "--help").stdout
    assert all(f"  {verb} " in verbs for verb in ("list", "pause", "dead-letters", "replay"))
    assert "make-key" not in ended.stdout
    assert command("--version").stdout == f"catfeeder {catfeeder.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("apps", "apps list"),
        ("apps --json", "apps list --json"),
        ("apps --help", "apps --help"),
        ("queues", "queues list"),
        ("queues passwords --limit 3", "queues dead-letters passwords --limit 3"),
        ("replay oauth --id x", "queues replay oauth --id x"),
        ("check-rows --accept apps web-shop", "rows accept apps web-shop"),
        ("check-rows", "rows list"),
        ("make-key shop --scope jobs", "keys make shop --scope jobs"),
        ("queues pause oauth", "queues pause oauth"),
        ("", ""),
    ],
    ids=str,
)
def test_names_of_before_go_on(typed: str, meant: str) -> None:
    assert translate_old_names(typed.split()) == meant.split()


@pytest.mark.parametrize(
    "typed", ["", "frobnicate", "queues frobnicate x --no", "keys make", "jobs"]
)
def test_what_is_mistyped_is_usage_and_no_traceback(command: Command, typed: str) -> None:
    ended = command(*typed.split())
    assert ended.returncode == 2
    assert "Usage: python -m worker" in ended.stdout + ended.stderr


def test_a_fault_of_the_program_is_a_sentence(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> int:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("worker.cli.access.apps.print_apps", fail)
    ended = command("apps")
    assert (ended.returncode, ended.stdout) == (70, "")
    assert ended.stderr.startswith("This is a fault of the program (ZeroDivisionError)")
    assert "secret" not in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete_our_commands(command: Command, shell: str) -> None:
    printed = command("completion", shell).stdout
    run = f"{sys.executable} -m worker"
    assert printed.startswith(("worker()", "function worker"))
    assert f"_WORKER_COMPLETE=complete_{shell}" in printed
    assert printed.count(run) >= 2
    assert command("completion", "sh").returncode == 2


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("worker queues re", ["resume", "replay"]),
        ("worker events --kind recov", ["recovered"]),
        ("worker connections list --status ren", ["renewal_failing"]),
        ("worker jobs list --status can", ["cancelled"]),
        ("worker webhooks list --status giv", ["given_up"]),
    ],
    ids=["verb", "kind", "status", "job", "delivery"],
)
def test_a_shell_that_completes_gets_our_words(
    command: Command, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]
) -> None:
    monkeypatch.setenv("_WORKER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    assert command().stdout.split() == offered


@pytest.mark.parametrize("option", ["--threads", "--prefetch", "--grace"])
@pytest.mark.parametrize("number", ["-1", "nan", "inf", "x", "1e9"])
def test_a_number_with_which_no_message_would_be_performed_is_refused(
    command: Command, option: str, number: str
) -> None:
    numbers = {"--threads": "1", "--prefetch": "1", "--grace": "1", option: number}
    ended = command("perform", "--queues", "passwords", *itertools.chain(*numbers.items()))

    assert ended.returncode == 2
    assert f"argument {option}: " in ended.stderr


@pytest.mark.parametrize("typed", [["renewals"], ["queues", "passwords"]])
@pytest.mark.parametrize("limit", ["0", "-1", "99999999999999999999"])
def test_a_limit_out_of_range_is_refused(command: Command, typed: list[str], limit: str) -> None:
    assert command(*typed, "--limit", limit).returncode == 2


def test_output_without_a_reader_ends_a_command_silently(directory: ServiceDirectory) -> None:
    # Given a pipe whose reader has closed it
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "worker", "queue-roots"],
            cwd=directory.path,
            env={**os.environ, "SECRET_KEY": SECRET_KEY},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    # Then the command ends without a word
    assert (ended.returncode, ended.stderr) == (141, "")


def test_the_first_run_starts_from_nothing_and_leaves_nothing_running(
    directory: ServiceDirectory,
) -> None:
    # Given a repository in which nothing was set
    # When the service is run
    service = directory.healthy()

    # Then it has written its secrets for our user alone, and says where but not what they are
    env_file = directory.path / ".env"
    secrets = dict(line.split("=") for line in env_file.read_text().splitlines())
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert set(secrets) == {"SECRET_KEY", "ADMIN_API_KEY"}
    assert all(len(secret) == 43 for secret in secrets.values())
    assert not any(secret in service.output for secret in secrets.values())
    assert f"http://127.0.0.1:{directory.port}" in service.await_line("listens at")
    assert ".env" in service.await_line("ADMIN_API_KEY, in")

    # And its processes run, with a broker on a socket under VAR_DIR
    [socket_path] = directory.sockets()
    assert service.await_line("at work").endswith(f"unix://{socket_path}")
    written = [directory.path / "written", *(directory.path / "var").rglob("*")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)

    # When it gets SIGTERM
    service.process.send_signal(signal.SIGTERM)

    # Then it ends well, and neither process nor socket is left
    assert service.end() == 0
    assert directory.pids() == []
    assert directory.sockets() == []
    assert service.lines[-1].endswith("Stopped.")


def test_the_printed_curl_line_works_as_printed(directory: ServiceDirectory) -> None:
    # Given a service whose shim answers with the key that it was shown
    stand_in = directory.path / "stand_in.py"
    stand_in.write_text(
        STAND_IN.replace(
            "    def log_message",
            "    def do_POST(self):\n"
            "        body = self.rfile.read(int(self.headers['Content-Length']))\n"
            "        self.send_response(200)\n"
            "        self.end_headers()\n"
            "        self.wfile.write(f\"{self.headers['Authorization']} {body}\".encode())\n\n"
            "    def log_message",
        )
    )
    service = directory.run()

    # When the line is typed into a shell there
    line = service.await_line("curl -s")
    answer = subprocess.run(
        ["/bin/sh", "-c", line], cwd=directory.path, capture_output=True, text=True, check=True
    )

    # Then the request carries the key of .env
    written = (directory.path / ".env").read_text()
    [key] = [line[14:] for line in written.splitlines() if line.startswith("ADMIN_API_KEY=")]
    assert answer.stdout == f'Bearer {key} b\'{{"password": "correct horse battery staple"}}\''
    assert service.stop(signal.SIGINT) == 0


def test_the_second_run_keeps_the_secrets_and_is_fast(directory: ServiceDirectory) -> None:
    # Given a service that has run before, and logged JSON
    first = directory.healthy(LOG_FORMAT="json")
    assert first.stop(signal.SIGINT) == 0
    # (Each line is one object, which names its process.)
    lines = [json.loads(line) for line in first.lines]
    assert {line["process"] for line in lines} >= {"service", "passwords.1", "web.1"}
    assert any(line["message"].startswith("at work with unix:") for line in lines)
    written = (directory.path / ".env").read_text()

    # When it runs again
    second = directory.healthy()

    # Then nothing was generated anew, and it took less than its share of the three seconds, as a
    # machine counts them that has nothing else to do
    took = psutil.Process(second.process.pid).cpu_times()
    assert took.user + took.system < 2
    assert (directory.path / ".env").read_text() == written
    assert "was unset" not in second.output
    assert second.stop(signal.SIGTERM) == 0


def assert_refused(directory: ServiceDirectory, setting: str, **variables: str) -> None:
    """The start failed with one sentence that names the setting, and left nothing behind."""
    ended = directory.worker("run", **variables)
    assert ended.returncode == 1
    [sentence] = ended.stderr.splitlines()
    assert setting in sentence
    assert sentence.endswith(".")
    assert directory.pids() == []
    assert directory.sockets() == []


def test_a_taken_port_is_named(directory: ServiceDirectory) -> None:
    with socket.create_server(("127.0.0.1", directory.port)):
        assert_refused(directory, "PORT")


def test_a_taken_port_of_a_further_shim_is_named(directory: ServiceDirectory) -> None:
    config = directory.path / "config.toml"
    config.write_text(config.read_text().replace("\nweb = 1", "\nweb = 2"))

    with socket.create_server(("127.0.0.1", directory.port + 1)):
        assert_refused(directory, f"127.0.0.1:{directory.port + 1}")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        # An address that is none of this machine's
        ("HOST", "192.0.2.1"),
        # Servers that cannot be reached: nothing of ours listens on port 1
        ("REDIS_URL", "redis://127.0.0.1:1/0"),
        ("DATABASE_URL", "postgresql://cat:feeder@127.0.0.1:1/cats"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    directory: ServiceDirectory, setting: str, value: str
) -> None:
    assert_refused(directory, setting, **{setting: value})


def test_a_malformed_config_is_named(directory: ServiceDirectory) -> None:
    (directory.path / "config.toml").write_text("[Server_configuration\nport = 5000\n")

    assert_refused(directory, "config.toml")


def test_a_database_of_another_secret_key_is_named(directory: ServiceDirectory) -> None:
    # Given a database that was begun with one SECRET_KEY
    assert directory.worker("migrate", SECRET_KEY=SECRET_KEY).returncode == 0

    # Then a start with another is refused
    assert_refused(directory, "SECRET_KEY", SECRET_KEY=OTHER_SECRET_KEY)


def test_a_process_that_cannot_start_is_named(directory: ServiceDirectory) -> None:
    # Given a shim that fails to start
    (directory.path / "stand_in.py").write_text("raise SystemExit('out of fish')\n")

    # When the service is run
    ended = directory.worker("run")

    # Then it gives up, what the shim said is there to read, and nothing is left
    assert ended.returncode == 1
    assert ended.stderr == "web.1 keeps ending; what it said stands above.\n"
    assert "web.1       | out of fish" in ended.stdout
    assert directory.pids() == []
    assert directory.sockets() == []


def test_output_without_a_reader_stops_no_service(directory: ServiceDirectory) -> None:
    # Given a service whose output goes to a program that has ended
    environment = directory.environment({})
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "run"],
        cwd=directory.path,
        env=environment,
        stdout=write_end,
        stderr=subprocess.STDOUT,
    )
    os.close(read_end)
    os.close(write_end)

    # Then it runs all the same
    wait_until(lambda: len(directory.pids()) > 4)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert directory.pids() == []
