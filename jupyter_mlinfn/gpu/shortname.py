"""A process named in short: never an argument that may hold a secret."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PROGRAM = re.compile(r"[\w.+-]{1,40}")
_SCRIPT = re.compile(r"[\w.+-]{1,60}\.(?:py|pyc|pyz|ipynb|sh|bash|R|r|jl|js|mjs|pl|rb|lua)", re.ASCII)
_MODULE = re.compile(r"[A-Za-z_][\w.]{0,59}", re.ASCII)
_ENTRY_POINT = re.compile(r".*/bin/([\w.+-]{1,40})", re.ASCII)
_INTERPRETER = re.compile(
    r"(?:python|pypy)[\d.]*|bash|dash|sh|zsh|Rscript|julia|node|perl|ruby|lua", re.ASCII
)
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
# Options of Python that take their value from the next argument.
# https://docs.python.org/3/using/cmdline.html
_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_CODE = re.compile(r"-[A-Za-z]*[ce]")


def program(arguments: Sequence[str], name: str) -> str:
    """Its program alone: ``python``.

    Args:
        arguments: the process' command line.
        name: as the kernel has it; for those that write something of their own over their command line.
    """
    called = arguments[0].rpartition("/")[2].removeprefix("-") if arguments else ""
    if _PROGRAM.fullmatch(called):
        return called
    return re.sub(r"[^\w.+: -]", "?", name)[:40] or "process"


def command(arguments: Sequence[str], name: str) -> str:
    """Program and script: ``python train.py``. Of the arguments only what is the name of a script, a
    module or an entry point is shown."""
    called = program(arguments, name)
    if not _INTERPRETER.fullmatch(called):
        return called
    return f"{called} {script}" if (script := _script(called, arguments[1:])) else called


def _script(interpreter: str, arguments: Sequence[str]) -> str:
    is_python = _PYTHON.fullmatch(interpreter) is not None
    left = iter(arguments)
    for argument in left:
        if is_python and argument == "-m":
            module = next(left, "")
            return f"-m {module}" if _MODULE.fullmatch(module) else ""
        if _CODE.fullmatch(argument):
            return ""
        if is_python and argument in _WITH_VALUE:
            next(left, None)
        elif not argument.startswith("-"):
            script = argument.rpartition("/")[2]
            if _SCRIPT.fullmatch(script):
                return script
            entry_point = _ENTRY_POINT.fullmatch(argument)
            return entry_point[1] if entry_point else ""
    return ""
