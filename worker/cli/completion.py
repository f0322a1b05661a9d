"""`completion`: a shell's function `worker`, which runs our commands, and completes them."""

from __future__ import annotations

import shlex
import sys
from typing import Final

import typer
from typer._completion_shared import get_completion_script

#: The word that is completed, and the variable by which the shell asks for what fits.
WORD: Final = "worker"
VARIABLE: Final = "_WORKER_COMPLETE"
#: How each shell defines the word; and where typer's script would run a program of that name.
_SHELLS: Final = {
    "bash": ('worker() {{ {command} "$@"; }}', "complete_bash $1 "),
    "zsh": ('worker() {{ {command} "$@"; }}', "complete_zsh worker)"),
    "fish": ("function worker; {command} $argv; end", "(commandline -cp) worker"),
}


def print_completion(shell: str) -> int:
    """Print the function and its completion.

    Raises:
        typer.BadParameter: The shell is none of ours.
    """
    if shell not in _SHELLS:
        raise typer.BadParameter(f"the shell is one of {', '.join(_SHELLS)}")
    command = f"{shlex.quote(sys.executable)} -m worker"
    function, run = _SHELLS[shell]
    script = get_completion_script(prog_name=WORD, complete_var=VARIABLE, shell=shell)
    ours = run.replace("$1", command) if "$1" in run else run.replace("worker", command)
    print(function.format(command=command))
    print(script.replace(run, ours))
    return 0
