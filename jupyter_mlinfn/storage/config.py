"""What an admin can configure of this room, in ``jupyter_server_config.py``."""

from __future__ import annotations

from traitlets import Int, List, Unicode
from traitlets.config import Configurable

NOT_RESCUED = [
    "~/.bash_history",
    "~/.cache",
    "~/.cargo/registry",
    "~/.conda",
    "~/.lesshst",
    "~/.local/share/Trash",
    "~/.local/share/code-server",
    "~/.local/share/jupyter",
    "~/.npm",
    "~/.nv",
    "~/.python_history",
    "~/.rustup",
    "~/.triton",
    "~/.vscode-server",
    "~/.wget-hsts",
    "~/.yarn",
    ".Trash-*",
    ".ipynb_checkpoints",
    ".mlinfn",
    ".mypy_cache",
    ".nfs*",
    ".pytest_cache",
    ".ruff_cache",
    ".~*",
    "__pycache__",
    "lost+found",
    "node_modules",
    "site-packages",
]


class StorageConfig(Configurable):
    """The traits; folders are absolute, begin with ``~`` or are below JupyterLab's root."""

    persistent_folders = List(
        Unicode(),
        help="""
        Folders that last whatever the table of mounts says, e.g. `["/data"]`. The deepest folder wins
        over those above it; a mount inside of one wins where the table is certain of it.
        """,
    ).tag(config=True)

    ephemeral_folders = List(
        Unicode(),
        help="""
        Folders that do not last whatever the table of mounts says, e.g. a scratch disk that is cleared:
        `["/scratch"]`. As for `persistent_folders`, the deepest folder wins.
        """,
    ).tag(config=True)

    rescue_ignored = List(
        Unicode(),
        default_value=NOT_RESCUED,
        help="""
        What is neither counted as lost nor rescued: names or patterns (`*.tmp`), with all that is below
        them, and paths, which have a slash (`~/.cache`). Left out besides are Jupyter's own folders,
        environments (folders with `conda-meta`; of one with `pyvenv.cfg` what `venv` and `pip` put
        there) and caches with a `CACHEDIR.TAG`.
        """,
    ).tag(config=True)

    rescue_at_stop = Int(
        1024**3,
        min=0,
        help="""
        Bytes that a server which stops by itself rescues at most, of the files that would be lost: they
        are copied to `rescued` in the user's private folder, the smallest first, and the rest is named.
        0: nothing.
        """,
    ).tag(config=True)
