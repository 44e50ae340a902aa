"""What an admin can configure; the same for the server extension and the command line.

In ``jupyter_server_config.py``: ``c.MlinfnApp.shared_environments = ["/envs"]``.
"""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Float, Int, List, TraitError, Unicode, validate

from .envs.cuda import is_choice
from .idle.config import IdleConfig
from .session.config import SessionConfig
from .storage.config import StorageConfig

ROOT_VARIABLE = "MLINFN_ROOT"
"""Set by the server extension for its terminals and kernels: the folder that JupyterLab shows."""


class MlinfnConfig(IdleConfig, StorageConfig, SessionConfig):
    """The traits; `MlinfnApp` and the command line inherit them."""

    private_dir = Unicode(
        "",
        help="""
        Folder that lasts after the server is stopped; environments are made in its subfolder
        `environments`. Relative paths are below the server's root. Default: `private` below the
        server's root where that exists, else environments go to `~/.conda/envs`.
        """,
    ).tag(config=True)

    shared_environments = List(
        Unicode(),
        help="""
        Folders with environments for everybody, e.g. `["/envs"]`; read only is enough. Their
        kernels appear in everybody's launcher, whatever the language.
        """,
    ).tag(config=True)

    channels = List(
        Unicode(),
        help="""
        Conda channels, most important first: names or URLs. Default: `channels` of .condarc,
        else `["conda-forge"]`.
        """,
    ).tag(config=True)

    package_cache = Unicode(
        "",
        help="""
        Folder of downloaded and unpacked packages. Environments share files with it (hard links)
        if it is on the same volume. Default: `.mlinfn/pkgs` in the folder of environments.
        """,
    ).tag(config=True)

    shared_package_caches = List(
        Unicode(),
        help="Read-only package caches that are looked into before anything is downloaded.",
    ).tag(config=True)

    revisions_limit = Int(
        2 * 1024**3,
        allow_none=True,
        min=0,
        help="""
        Bytes that may be kept for going back to earlier revisions, all environments of a user
        together; the oldest go first, and one can always go back by one. Users may choose
        another limit. `None`: no limit.
        """,
    ).tag(config=True)

    cuda_version = Unicode(
        "",
        help="""
        The version of CUDA that packages are chosen for, e.g. `12.4`, or `none` for builds that need
        no GPU. Default: what the driver supports, as seen here or on another server of the user.
        Users may ask for another one.
        """,
    ).tag(config=True)

    @validate("cuda_version")
    def _is_choice(self, proposal: Any) -> str:
        text = str(proposal["value"]).strip().lower()
        if text and not is_choice(text):
            raise TraitError(f"cuda_version: {text!r} is neither a version such as 12.4 nor none")
        return text

    gpu_accounting = Bool(
        True,
        help="""
        Read the used memory of the user's GPU once a minute, also when nobody looks: for how long it
        was held and in use, which the user and `/metrics` are told. Without a GPU nothing is read.
        """,
    ).tag(config=True)

    memory_budget = Int(
        None,
        allow_none=True,
        min=1,
        help="""
        Bytes of memory that solving and installing may use. Default: what is free for this
        server (its control group's limit, or the machine's memory).
        """,
    ).tag(config=True)

    solve_timeout = Float(
        120.0, min=1.0, help="Seconds after which a search for fitting packages is given up."
    ).tag(config=True)

    stall_timeout = Float(
        30.0, min=1.0, help="Seconds without anything arriving after which a channel has failed."
    ).tag(config=True)

    compile_environments = Bool(
        True,
        help="""
        Write Python's byte code into an environment that was made or changed, in the background at
        the lowest priority: the first import of everything is faster by it. `False` where the
        environments lie on storage that is slow with many small files.
        """,
    ).tag(config=True)
