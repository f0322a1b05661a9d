"""Command line, `python -m worker`: runs the service's processes, and all other commands.

The processes load no library of the command line: each would pay for it as long as it runs.
"""

from __future__ import annotations

import pkgutil
import sys

# `typing` is not worth its time here: what `run` loads first, it loads twice.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

#: What a shell reports for a program that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED: Final = 130
#: The function behind each process; its parameters are the parser's, and it returns the status.
PROCESSES: Final[Mapping[str, str]] = {
    "run": "worker.supervisor.run:run_service",
    "web": "worker.http.serve:serve_http",
    "perform": "worker.process.perform:perform_messages",
    "scheduler": "worker.scheduler:run_scheduler",
}


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command and return its status; an error is one sentence on stderr and 1."""
    if arguments is None and sys.argv[1:2] == ["run"]:
        from worker.process.fresh_start import begin_afresh

        begin_afresh()
    typed = sys.argv[1:] if arguments is None else arguments
    if typed[:1] and typed[0] in PROCESSES:
        from worker.process.arguments import build_parser

        wishes = vars(build_parser().parse_args(typed))
        return _run_process(wishes.pop("command"), wishes)
    from worker.cli.application import run_command

    return run_command(typed)


def _run_process(name: str, wishes: dict[str, Any]) -> int:
    from worker.process.loading import exempt_from_collection

    with exempt_from_collection():
        from worker.telemetry.switch import keep_out_unwanted

        keep_out_unwanted(name)
        from catfeeder.errors import CatFeederError
        from catfeeder.queue.requester import sees_all_apps

        run = pkgutil.resolve_name(PROCESSES[name])
    # The shim acts for one app after the other, as each request's key says.
    sees_all_apps.set(name != "web")
    try:
        return int(run(**wishes))
    except CatFeederError as error:
        print(error, file=sys.stderr)
    except (PermissionError, FileNotFoundError) as error:
        # A file that no setting names, such as one of the service's own.
        print(f"{error.filename or 'A file'} cannot be used: {error.strerror}.", file=sys.stderr)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 1


if __name__ == "__main__":
    sys.exit(main())
