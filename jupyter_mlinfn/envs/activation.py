"""What activating an environment changes, in a form that a kernelspec can carry.

A kernelspec's ``env`` holds only the difference that activation makes to a clean shell. It is
worked out in a clean environment: nothing of the server's own variables, among them its
tokens, can get into it. jupyter_client expands ``$NAME`` and ``${NAME}`` in these values
(``string.Template.safe_substitute`` in provisioning/provisioner_base.py), so a literal ``$`` is
written ``$$``.

Order and meaning are conda's (conda/activate.py, ``build_activate``): variables of packages
(``etc/conda/env_vars.d``), then those set by ``conda env config vars`` (``conda-meta/state``),
then the scripts in ``etc/conda/activate.d``, sorted by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .prefix import environment_id

CLEAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ALLOWED_VARIABLES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "USER")
"""What a script may see of the server's environment. Anything else may be a secret."""

_UNSET = "***unset***"  # conda/base/constants.py, CONDA_ENV_VARS_UNSET_VAR
_SHELL_OWN = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "BASHOPTS", "SHELLOPTS"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# The script to source is $1, the program that prints the environment $2. What the script
# prints is thrown away, or it would be taken for variables.
_SOURCE = '. "$1" >/dev/null; status=$?; "$2" -0; exit $status'

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|COOKIE|KEY|AUTH", re.IGNORECASE)

_FORMAT = 1  # of the files that ActivationCache writes


@dataclass(frozen=True)
class Activation:
    """The difference that activation makes."""

    variables: Mapping[str, str]
    """For ``env`` of a kernelspec: ``$`` escaped, PATH ending in ``${PATH}``."""
    warnings: tuple[str, ...] = ()
    """Scripts that failed or hung. The kernel starts nevertheless, without what they set."""


def activate(
    prefix: Path, *, environ: Mapping[str, str] = os.environ, seconds_per_script: float = 5.0
) -> Activation:
    """Work out the activation of a prefix. It may run scripts of its packages: call it in a thread.

    Args:
        environ: of it, only `ALLOWED_VARIABLES` are handed on.
        seconds_per_script: a script that takes longer is killed, with all that it started.
    """
    warnings: list[str] = []
    clean = {name: environ[name] for name in ALLOWED_VARIABLES if name in environ}
    clean |= {"PATH": CLEAN_PATH, "TERM": "dumb"}
    state = clean | {
        "PATH": f"{prefix}/bin:{CLEAN_PATH}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_SHLVL": "1",
        # conda/activate.py, _default_env: the bare name only where `conda activate NAME` finds it.
        "CONDA_DEFAULT_ENV": prefix.name if prefix.parent.name == "envs" else str(prefix),
    }
    state |= _declared_variables(prefix, warnings)
    scripts = _files(prefix / "etc" / "conda" / "activate.d", ".sh")
    shell, printer = (shutil.which(program, path=CLEAN_PATH) for program in ("bash", "env"))
    if scripts and not (shell and printer):
        warnings.append(f"The activation scripts of {prefix} were not run: there is no bash here.")
        scripts = []
    for script in scripts:
        changed = _source(
            [str(shell), "--noprofile", "--norc", "-c", _SOURCE, "bash", str(script), str(printer)],
            state,
            script,
            seconds_per_script,
            warnings,
        )
        state = state if changed is None else changed
    variables = _difference(clean, state, prefix, warnings)
    for name in _with_secrets(variables, environ):
        del variables[name]
        warnings.append(f"The activation of {prefix} put a secret of this server in {name}; it was left out.")
    return Activation(variables, tuple(warnings))


def is_secret(name: str) -> bool:
    """Whether a variable of that name is likely to hold a password or token."""
    return _SECRET_NAME.search(name) is not None


def _with_secrets(variables: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Variables with a value that only the server has.

    A script sees none of it in its environment, but may read what any process of this user
    may, files and ``/proc`` included.
    """
    secrets = [value for name, value in environ.items() if is_secret(name) and len(value) >= 6]
    return [name for name, value in variables.items() if any(secret in value for secret in secrets)]


def _files(folder: Path, suffix: str) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.name.endswith(suffix))
    except OSError:
        return []


def _declared_variables(prefix: Path, warnings: list[str]) -> dict[str, str]:
    declared: dict[str, str] = {}
    sources = [(path, False) for path in _files(prefix / "etc" / "conda" / "env_vars.d", "")]
    sources.append((prefix / "conda-meta" / "state", True))
    for path, nested in sources:
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            warnings.append(f"The variables in {path} cannot be read: {error}")
            continue
        if nested and isinstance(content, dict):
            content = content.get("env_vars", {})
        if not isinstance(content, dict):
            warnings.append(f"The variables in {path} are not a JSON object.")
            continue
        for name, value in content.items():
            # PATH is reserved (conda/base/constants.py, RESERVED_ENV_VARS).
            if _VARIABLE.fullmatch(name) and name != "PATH" and value != _UNSET:
                declared[name] = str(value)
    return declared


def _source(
    command: list[str], state: Mapping[str, str], script: Path, seconds: float, warnings: list[str]
) -> dict[str, str] | None:
    """The environment after the script; None when there is none to be had."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            env=dict(state),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            warnings.append(
                f"The activation script {script} did not end within {seconds:g} s and was left out."
            )
            return None
        complaints.seek(0)
        complaint = complaints.read(2000).decode("utf-8", "replace").strip()
    variables = _parse(output)
    if variables is None:
        reason = f": {complaint}" if complaint else "."
        warnings.append(f"The activation script {script} ended the shell and was left out{reason}")
    elif process.returncode and complaint:
        # A status alone says little: conda ignores it, and many scripts end with a failed test.
        warnings.append(f"The activation script {script} failed: {complaint}")
    return variables


def _parse(output: bytes) -> dict[str, str] | None:
    variables: dict[str, str] = {}
    for entry in output.split(b"\0"):
        name, found, value = entry.partition(b"=")
        try:
            if found and _VARIABLE.fullmatch(name.decode()):
                variables[name.decode()] = value.decode()
        except UnicodeDecodeError:
            continue  # JSON cannot carry it.
    return variables if "PATH" in variables else None


def _difference(
    clean: Mapping[str, str], state: Mapping[str, str], prefix: Path, warnings: list[str]
) -> dict[str, str]:
    difference = {
        name: value.replace("$", "$$")
        for name, value in sorted(state.items())
        if name not in _SHELL_OWN and clean.get(name) != value
    }
    before, found, after = state["PATH"].partition(CLEAN_PATH)
    if found:
        difference["PATH"] = "${PATH}".join(part.replace("$", "$$") for part in (before, after))
    else:
        warnings.append(f"An activation script of {prefix} replaced PATH; it was left out.")
        difference["PATH"] = f"{str(prefix).replace('$', '$$')}/bin:${{PATH}}"
    return difference


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - see `ActivationCache._key`
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino


class ActivationCache:
    """Activations, worked out again only when their sources change.

    Args:
        folder: where they are kept between servers; None: in this process only. Not being
            able to write there is no error.
    """

    def __init__(self, folder: Path | None = None, *, seconds_per_script: float = 5.0) -> None:
        self._folder = folder
        self._seconds_per_script = seconds_per_script
        self._known: dict[Path, tuple[str, Activation]] = {}
        self._lock = threading.Lock()

    def of(self, prefix: Path) -> Activation:
        """The activation of a prefix. Call it in a thread."""
        with self._lock:
            key = self._key(prefix)
            known = self._known.get(prefix)
            if known is not None and known[0] == key:
                return known[1]
            activation = self._load(prefix, key)
            if activation is None:
                activation = activate(prefix, seconds_per_script=self._seconds_per_script)
                if not activation.warnings:  # A failure may be of the moment: the next server tries again.
                    self._store(prefix, key, activation)
            self._known[prefix] = (key, activation)
            return activation

    def _key(self, prefix: Path) -> str:
        # Once for each environment at every listing: strings, since a Path costs as much as a stat.
        etc = f"{prefix}/etc/conda"
        stamps: list[object] = [_FORMAT, str(prefix), [os.environ.get(name) for name in ALLOWED_VARIABLES]]
        stamps.append(_stamp(f"{prefix}/conda-meta/state"))
        for folder in (f"{etc}/activate.d", f"{etc}/env_vars.d"):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                stamps += sorted((entry.path, _stamp(entry.path)) for entry in entries)
        return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()

    def _load(self, prefix: Path, key: str) -> Activation | None:
        if self._folder is None:
            return None
        try:
            content = json.loads((self._folder / f"{environment_id(prefix)}.json").read_bytes())
            variables = {str(name): str(value) for name, value in content["variables"].items()}
            return Activation(variables) if content["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # Missing, or not written by us: worked out anew.

    def _store(self, prefix: Path, key: str, activation: Activation) -> None:
        if self._folder is None:
            return
        content = json.dumps({"key": key, "variables": dict(activation.variables)}, indent=1)
        path = self._folder / f"{environment_id(prefix)}.json"
        part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            # Not its parents: they are missing when the volume is not mounted.
            self._folder.mkdir(exist_ok=True)
            part.write_text(content)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
