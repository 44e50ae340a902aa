"""Coverage of processes that coverage.py does not reach by itself (`make coverage`).

It measures a process that finds its variable in the environment and the venv's startup files in its
path, or is forked from one that is measured. The product starts others on purpose: isolated
interpreters (`-I`), some without `site` (`-S`), with an empty environment, one of them in the
environment that it checks, and ends most of them by SIGKILL once they have answered.

As a plugin of coverage.py (`[tool.coverage.run] plugins`) this module is loaded by whatever is measured,
and puts itself before the program of each isolated interpreter that such a process starts. As a program
it measures the one that it was put before, and saves what it has before each answer leaves the process.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROGRAM = os.path.abspath(__file__)  # noqa: PTH100 - nothing is imported into what is measured
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(PROGRAM)))  # noqa: PTH120
PACKAGE = f"{REPOSITORY}/jupyter_mlinfn"
DATA = f"{REPOSITORY}/.build/coverage/data"
"""As `pyproject.toml` says."""

VARIABLE = "COVERAGE_PROCESS_CONFIG"
ANSWERS = (b'{"type":"result"', b'{"type":"error"')

_WITH_A_VALUE = ("-X", "-W")
_watched = False
_variable = ""


# In whatever is measured


def coverage_init(registry: object, options: object) -> None:
    """Called by coverage.py; in a forked process again."""
    global _watched, _variable
    # Early: who is forked from the nursery gets another environment then.
    _variable = os.environ.get(VARIABLE, _variable)
    if not _watched:
        _watched = True
        sys.addaudithook(_on_audit)


def _on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "subprocess.Popen":
        return
    _, command, _, environment = arguments
    if not isinstance(command, list) or not all(isinstance(each, (str, os.PathLike)) for each in command):
        return
    words = [os.fspath(each) for each in command]
    place = place_of_program(words)
    if place is not None:
        command.insert(place, PROGRAM)
    elif words[:1] == [sys.executable] and isinstance(environment, dict) and _variable:
        # A hub hands few variables on to what it starts.
        environment.setdefault(VARIABLE, _variable)


def place_of_program(command: list[str]) -> int | None:
    """Where a Python's command line names a program of ours, if that would go unmeasured: the Python is
    isolated, or another than this one."""
    start = next((n for n, word in enumerate(command) if os.path.basename(word).startswith("python")), None)  # noqa: PTH119
    if start is None:
        return None
    place = start + 1
    while place < len(command) and command[place].startswith("-") and command[place] not in ("-c", "-m"):
        place += 2 if command[place] in _WITH_A_VALUE else 1
    if "-I" not in command[start + 1 : place] and command[start] == sys.executable:
        return None
    program = command[place : place + 2]
    if program[:1] == ["-c"]:
        ours = "jupyter_mlinfn" in "".join(program[1:])
    else:
        ours = "".join(program[:1]).startswith(f"{PACKAGE}/")
    return place if ours else None


# In such an interpreter


def _measure() -> Callable[[], None]:
    """Begin; saves what there is when it is called."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    sys.path.append(f"{REPOSITORY}/.venv/lib/{version}/site-packages")
    try:
        import coverage
    finally:
        del sys.path[-1]
    measured = coverage.Coverage(
        data_file=DATA, data_suffix=True, config_file=False, branch=True, source_dirs=[PACKAGE]
    )
    measured.set_option("run:patch", ["_exit"])
    measured._warn_no_data = measured._warn_unimported_source = False
    measured._auto_save = True
    measured.start()
    return measured.save


def _save_before_answers(save: Callable[[], None]) -> None:
    """Who has answered is killed."""
    write, flush = os.write, sys.stdout.flush

    def saved() -> None:
        # A full disk, a limit that a test sets: less is measured.
        with suppress(Exception):
            save()

    def write_saved(descriptor: int, data: bytes) -> int:
        if bytes(data[:20]).replace(b" ", b"").startswith(ANSWERS):
            saved()
        return write(descriptor, data)

    def flush_saved() -> None:
        saved()
        flush()

    os.write = write_saved
    sys.stdout.flush = flush_saved  # type: ignore[method-assign]


def main() -> None:
    del sys.argv[0]
    program = sys.argv[0]
    # What imports find is what they would find without us.
    if not sys.flags.isolated:
        sys.path[0] = "" if program == "-c" else os.path.dirname(program)  # noqa: PTH120
    # Else it is another Python than ours.
    with suppress(ImportError):
        _save_before_answers(_measure())
    if program == "-c":
        code = compile(sys.argv.pop(1), "<string>", "exec")
        exec(code, {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102
        return
    import runpy

    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
