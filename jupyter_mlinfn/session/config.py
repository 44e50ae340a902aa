"""What an admin can configure of this room, in ``jupyter_server_config.py``."""

from __future__ import annotations

from traitlets import Unicode
from traitlets.config import Configurable


class SessionConfig(Configurable):
    """The traits."""

    start_command = Unicode(
        "",
        help="""
        What a user types to start this server again, shown after a stop where there is no hub. Default:
        the command that it was started with, without secrets.
        """,
    ).tag(config=True)
