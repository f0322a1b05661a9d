"""Service: dead parts are replaced, and a stop drains and ends the processes in order."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import pytest
import redis

from tests.servers import ValkeyServer
from tests.stack.directory import PROCFILE, ServiceDirectory, standing_in
from tests.waiting import wait_until
from worker.supervisor.service import WORKER_GRACE_SECONDS

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceDirectory]:
    # Its path is short, as that of a socket has to be: it does not have the test's name.
    with standing_in(tmp_path_factory.mktemp("here")) as directory:
        yield directory


def query(directory: ServiceDirectory, sql: str) -> list[tuple[int, ...]]:
    """Run a statement on the service's database."""
    path = directory.path / "var" / "catfeeder.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        return database.execute(sql).fetchall()


def set_config(directory: ServiceDirectory, **values: int) -> None:
    """Change values of the service's config.toml."""
    path = directory.path / "config.toml"
    for name, value in values.items():
        path.write_text(re.sub(rf"^{name} = .*", f"{name} = {value}", path.read_text(), flags=re.M))


def connect(directory: ServiceDirectory) -> redis.Redis:
    [socket_path] = directory.sockets()
    return redis.Redis.from_url(f"unix://{quote(str(socket_path))}")


def is_answering(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_killed_parts_are_replaced_and_the_rest_stays_up(directory: ServiceDirectory) -> None:
    # Given a healthy service
    service = directory.healthy()
    before = directory.settled_pids()
    [web] = directory.pids("stand_in.py")

    # When one of its processes is killed
    os.kill(web, signal.SIGKILL)

    # Then another takes its place, and no other process was touched
    wait_until(lambda: set(directory.pids("stand_in.py")) - {web})
    assert set(before) - set(directory.pids()) == {web}

    # And so it is with its broker, which comes back on the same socket
    with closing(connect(directory)) as client:
        [valkey] = directory.pids("unixsocket:")
        os.kill(valkey, signal.SIGKILL)
        service.await_line("Valkey has ended; starting it anew")
        wait_until(lambda: is_answering(client))
        # To the supervisor as well, which else waits for a socket that is deleted below.
        wait_until(lambda: client.info("commandstats")["cmdstat_ping"]["calls"] > 1)
        # And where a cleaner of old files deletes the socket, on which nothing can connect any more
        for socket_path in directory.sockets():
            socket_path.unlink()
        service.await_line("Valkey has lost its socket; starting it anew")
        wait_until(lambda: is_answering(client))
    assert service.stop() == 0
    assert directory.pids() == []


def test_a_process_that_never_works_ends_the_service(directory: ServiceDirectory) -> None:
    # Given a worker that ends with an error at each start, beside a shim that is well
    with (directory.path / "Procfile").open("a") as procfile:
        procfile.write("oauth: sh -c 'echo out of fish; exit 2'\n")
    service = directory.healthy()

    # Then the service does not pretend to work
    assert service.end() == 1
    assert service.lines[-1] == "oauth.1 keeps ending; what it said stands above."
    assert directory.pids() == []


def test_a_broker_of_redis_url_is_used_and_left_running(
    directory: ServiceDirectory, valkey: ValkeyServer
) -> None:
    # Given a server of our own in REDIS_URL
    service = directory.healthy(REDIS_URL=valkey.url)

    # Then the processes are led to it, and no other is started
    assert service.await_line("at work").endswith(valkey.url)
    assert directory.sockets() == []

    # And it outlives the service
    assert service.stop() == 0
    assert valkey.client.ping()


def test_a_stop_waits_for_the_jobs_and_ends_web_last(directory: ServiceDirectory) -> None:
    # Given a service whose processes print a line at SIGTERM, and a job in flight
    shell = "sh -c 'trap \"echo ends; exit\" TERM; echo runs; while :; do sleep 0.05; done'"
    web = "web: python stand_in.py"
    (directory.path / "Procfile").write_text(f"{web}\noauth: {shell}\nscheduler: {shell}\n")
    service = directory.healthy()
    service.await_line("oauth.1     | runs")
    service.await_line("scheduler.1 | runs")
    with closing(connect(directory)) as client:
        client.hset("catfeeder:oauth.msgs", "job", "sealed")

        # When it gets SIGTERM
        service.process.send_signal(signal.SIGTERM)

        # Then the job keeps the workers, and web answers
        service.await_line("Stopping")
        time.sleep(0.5)
        assert not any("| ends" in line for line in service.lines)
        assert directory.is_answering()

        # And when the job has ended, the workers end, and then web
        client.hdel("catfeeder:oauth.msgs", "job")
    assert service.end() == 0
    # And others on this database go on: only this boot has stopped
    assert query(directory, "SELECT generation, stopped_generation FROM server") == [(1, 0)]
    assert query(directory, "SELECT generation FROM boots WHERE stopped_at IS NOT NULL") == [(1,)]
    ends = [line for line in service.lines if line.endswith("| ends")]
    assert sorted(ends[:2]) == ["oauth.1     | ends", "scheduler.1 | ends"]
    assert ends[2:] == ["web.1       | ends"]


def test_a_stop_waits_its_time_for_a_job_although_its_signal_came_twice(
    directory: ServiceDirectory,
) -> None:
    # Given a service that waits for one second at most, and a job that takes longer
    set_config(directory, drain_seconds=1)
    service = directory.healthy()
    with closing(connect(directory)) as client:
        client.hset("catfeeder:passwords.msgs", "job", "sealed")

    # When its signal is passed on by make, which got it from the same terminal
    began_at = time.monotonic()
    service.process.send_signal(signal.SIGINT)

    # Then the two are one, and the stop waits as long as it may
    assert service.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began_at > 1
    service.await_line("Some jobs are left")


def test_a_shutdown_that_names_this_boot_stops_the_service(directory: ServiceDirectory) -> None:
    # Given a service whose generation is to stop, as the shut_down job writes
    service = directory.healthy()
    query(directory, "UPDATE server SET stopped_generation = generation")

    # Then it ends well by itself
    assert service.end() == 0
    assert directory.pids() == []

    # And the next boot goes on
    again = directory.healthy()
    time.sleep(1.2)
    assert again.process.poll() is None
    assert again.stop() == 0


def test_a_second_signal_ends_the_service_at_once(directory: ServiceDirectory) -> None:
    # Given a worker that ignores SIGTERM
    stubborn = "oauth: sh -c 'trap \"\" TERM; echo stubborn; sleep 600; sleep 600'\n"
    (directory.path / "Procfile").write_text(PROCFILE + stubborn)
    service = directory.healthy()
    service.await_line("stubborn")
    service.process.send_signal(signal.SIGINT)
    service.await_line("Stopping")
    time.sleep(1.1)  # The echo of a signal that came twice is over.

    # When the second signal comes
    asked_at = time.monotonic()
    service.process.send_signal(signal.SIGINT)

    # Then the service is gone long before the grace of its workers ends, and its status says so
    assert service.end() == 1
    assert time.monotonic() - asked_at < WORKER_GRACE_SECONDS - 10
    assert directory.pids() == []
    assert directory.sockets() == []


def test_a_supervisor_that_is_killed_takes_its_processes_along(directory: ServiceDirectory) -> None:
    # Given a running service
    service = directory.healthy()
    assert len(directory.pids()) > 4

    # When its supervisor is killed
    service.stop(signal.SIGKILL)

    # Then its processes end, and the next run finds the way free
    wait_until(lambda: not directory.pids())
    assert directory.healthy().stop() == 0


def test_a_stop_during_the_start_ends_the_service(directory: ServiceDirectory) -> None:
    # Given a service that takes its time to become healthy
    (directory.path / "stand_in.py").write_text("import time\ntime.sleep(600)\n")
    service = directory.run()
    service.await_line("at work")

    assert service.stop(signal.SIGINT) == 0
    assert directory.pids() == []


#: A web process that becomes healthy late.
LATE = """
import http.server, os, sys, time
began = time.monotonic()
class Late(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if time.monotonic() - began > float(os.environ["LATE"]) else 503)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Late).serve_forever()
"""


READY = """
import os, pathlib, time
while not pathlib.Path("ready").exists():
    time.sleep(0.05)
os.write(int(os.environ["CATFEEDER_READY_FD"]), b"\\n")
time.sleep(600)
"""


def test_a_shutdown_during_the_start_ends_the_service_well(directory: ServiceDirectory) -> None:
    # Given a service that takes its time to become healthy
    (directory.path / "stand_in.py").write_text(LATE)
    service = directory.run(LATE="600")
    service.await_line("at work")

    # When a shutdown is performed meanwhile, as over HTTP
    began_at = time.monotonic()
    query(directory, "UPDATE server SET stopped_generation = generation")

    # Then it is heard, and the service ends as on any other day
    assert service.end() == 0
    assert time.monotonic() - began_at < 15
    assert service.lines[-1].endswith("Stopped.")
    assert directory.pids() == []


def test_a_line_that_reports_when_it_is_ready_is_waited_for(directory: ServiceDirectory) -> None:
    # Given a performing process that is ready when a file is there
    (directory.path / "perform.py").write_text(READY)
    with (directory.path / "Procfile").open("a") as procfile:
        procfile.write("oauth: python perform.py worker perform\n")
    service = directory.run()
    service.await_line("at work")
    wait_until(directory.is_answering)

    # Then the service is not ready before
    time.sleep(0.5)
    assert not any("curl -s" in line for line in service.lines)
    assert query(directory, "SELECT ready_at IS NULL FROM boots") == [(1,)]

    # And once it is, so is the service
    (directory.path / "ready").touch()
    service.await_line("curl -s")
    assert query(directory, "SELECT ready_at IS NULL FROM boots") == [(0,)]
    assert service.stop() == 0


def test_neither_a_hangup_that_is_ignored_nor_a_database_that_is_away_stops_anything(
    directory: ServiceDirectory,
) -> None:
    # Given a service that was started by nohup
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        service = directory.healthy()
    finally:
        signal.signal(signal.SIGHUP, former)

    # When its user logs out, and its database loses its tables
    service.process.send_signal(signal.SIGHUP)
    query(directory, "DROP TABLE server")

    # Then it goes on, and so do its processes, and it stops as well as ever
    time.sleep(1.2)
    assert service.process.poll() is None
    assert "Stopping" not in service.output
    assert service.stop() == 0


def test_two_services_on_one_database_stop_each_for_itself(directory: ServiceDirectory) -> None:
    # Given two that were started on one database, each with a VAR_DIR of its own
    url = f"sqlite:///{directory.path}/var/catfeeder.sqlite3"
    first = directory.healthy()
    port = str(directory.port + 10)
    second = directory.healthy(VAR_DIR="other", DATABASE_URL=url, PORT=port)

    # When the later one gets a signal, then the other goes on
    assert second.stop() == 0
    time.sleep(1.5)
    assert first.process.poll() is None

    # And a shutdown of the service stops all that there is
    third = directory.healthy(VAR_DIR="other", DATABASE_URL=url, PORT=port)
    query(directory, "UPDATE server SET stopped_generation = generation")
    assert (first.end(), third.end()) == (0, 0)


def test_a_typo_in_dotenv_replaces_no_key(directory: ServiceDirectory) -> None:
    # Given a service that has stored secrets, and a .env in which a quote was left open since
    assert directory.healthy().stop() == 0
    env_file = directory.path / ".env"
    written = env_file.read_text()
    env_file.write_text(written.replace("SECRET_KEY=", "SECRET_KEY='"))

    # Then the start ends with the line and the remedy
    ended = directory.worker("run")
    assert ended.returncode == 1
    assert ".env, line 1, cannot be read." in ended.stderr

    # And without the line, no other key is made while something is sealed with this one
    env_file.write_text("".join(written.splitlines(keepends=True)[1:]))
    ended = directory.worker("run")
    assert ended.returncode == 1
    assert ended.stderr.startswith("SECRET_KEY is not set, and what the database holds was sealed")
    assert "SECRET_KEY" not in env_file.read_text()

    # And with the right key all is well again
    env_file.write_text(written)
    assert directory.healthy().stop() == 0


def test_copies_of_a_line_have_names_and_ports_of_their_own(directory: ServiceDirectory) -> None:
    # Given two copies of web and of passwords, and a variable by which uvicorn would start several
    # processes on one port
    set_config(directory, web=2, passwords=2)
    with (directory.path / "Procfile").open("a") as procfile:
        procfile.write("oauth: sh -c 'echo count ${WEB_CONCURRENCY:-none}; exec sleep 600'\n")
    service = directory.healthy(WEB_CONCURRENCY="4")

    # Then each listens at a port of its own, counted up from PORT
    wait_until(lambda: directory.is_answering(directory.port + 1))
    service.await_line("passwords.1 | at work")
    service.await_line("passwords.2 | at work")
    # And a sentence says what counts, and no process gets the variable
    said = service.await_line("WEB_CONCURRENCY=4 does not count")
    assert "[Processes] web in config.toml" in said
    service.await_line("count none")
    assert service.stop() == 0
    assert directory.pids() == []
