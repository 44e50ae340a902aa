"""Conda environments of one's own, from the JupyterLab launcher to a running kernel."""

from __future__ import annotations

from typing import Any

from ._version import __version__

__all__ = ["__version__"]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-mlinfn"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Not at the top: the CLI and the worker import this package without a server.
    from .app import MlinfnApp

    return [{"module": "jupyter_mlinfn", "app": MlinfnApp}]
