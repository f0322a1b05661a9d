"""Routes that a process loads when they are asked for, as if they had always been there."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.routing import BaseRoute, Route

from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from tests.worker.http.serving import served
from worker.http.app import create_app
from worker.http.routes.quick_route import QuickRoute


@pytest.mark.usefixtures("generation")
def test_the_first_request_for_a_lazy_route_is_answered_as_any_later_one() -> None:
    # Given a process that no browser has asked yet
    for _ in range(2):
        with served(create_app()) as url, ThreadPoolExecutor() as pool:
            # When several ask at once, one for a page that there is not, one by a wrong method
            paths = ["/console/login", "/console/apps", "/console/none", "/consoles", "/connect"]
            paths += ["/v1/keys", "/v1/keys/none"]
            asked = [pool.submit(httpx.get, url + path) for path in paths * 2]
            answers = [each.result() for each in asked]
            refused = httpx.request("PROPFIND", f"{url}/console/login")
        # Then each is answered for what it is
        assert [answer.status_code for answer in answers] == [200, 303, 404, 404, 404, 401, 405] * 2
        assert "<html" in answers[4].text
        assert_problem(refused, 405, "method_not_allowed")
        assert refused.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.usefixtures("generation")
def test_what_apps_ask_for_is_loaded_soon_after_the_start() -> None:
    made = create_app()
    with served(made):
        wait_until(lambda: "/v1/jobs/{job_id}" in _list_paths(made.router.routes))
    assert "/v1/queues" not in _list_paths(made.router.routes)
    # And fast paths stand before all else
    quick = [isinstance(each, QuickRoute) for each in made.router.routes]
    assert quick == sorted(quick, reverse=True)
    assert sum(quick) == 4


def _list_paths(routes: list[BaseRoute]) -> set[str]:
    return {route.path for route in routes if isinstance(route, Route)}


def test_a_start_loads_no_page_and_its_document_has_all_routes() -> None:
    code = (
        "import sys, worker.http.app as app\n"
        "late = tuple(f'worker.http.{each}' for each in ('con', 'document', 'routes.passwords'))\n"
        "print([name for name in sys.modules if name.startswith(late)])\n"
        "print('/v1/queues' in app.describe_api()['paths'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\nTrue\n"
