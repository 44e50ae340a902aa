"""What an admin can configure of this room, in ``jupyter_server_config.py`` or by the environment.

An admin of a hub passes to all servers: ``c.Spawner.environment = {"MLINFN_IDLE_TIMEOUT": "2h"}``.
"""

from __future__ import annotations

from traitlets import Bool, Enum, Float, List, Unicode
from traitlets.config import Configurable


class IdleConfig(Configurable):
    """The traits; what they do not say is taken from the environment, see `policy.read`."""

    idle_timeout = Float(
        None,
        allow_none=True,
        min=0,
        help="""
        Seconds without real activity after which this server saves what is open and stops itself; 0:
        never. Default: the environment's `MLINFN_IDLE_TIMEOUT`, else never.
        """,
    ).tag(config=True)

    idle_warnings = List(
        Float(min=1),
        default_value=[1800.0, 600.0, 120.0],
        maxlen=10,
        help="""
        Seconds before the end at which the user is told, in the page or by `idle_notify`; the last
        one is a dialog. One that lies in the first half of the timeout is left out.
        """,
    ).tag(config=True)

    idle_longest_keep_alive = Float(
        12 * 3600.0, min=60, help="Seconds for which a user may keep an idle server at most."
    ).tag(config=True)

    idle_longest_life = Float(
        None,
        allow_none=True,
        min=1,
        help="""
        Seconds for which kernels that are busy, and do nothing else (no CPU work, nobody who types),
        keep the server. Default: the environment's `MLINFN_IDLE_LONGEST_LIFE`, else no limit.
        """,
    ).tag(config=True)

    idle_ignored_sources = List(
        Enum(["kernels", "terminals", "processes", "page", "proxied", "other"]),
        help="""
        What does not count as activity, of `kernels` (cells that run), `terminals` (typing),
        `processes` (CPU work), `page` (a person's pointer and keys), `proxied` (VS Code, TensorBoard, …)
        and `other` (what other extensions report).
        """,
    ).tag(config=True)

    idle_cpu_threshold = Float(
        3.0,
        min=0,
        help="Seconds of CPU time a minute from which a program of this server counts as work.",
    ).tag(config=True)

    idle_bytes_threshold = Float(
        6e6,
        min=0,
        help="Bytes written or loaded a minute from which a program of this server counts as work.",
    ).tag(config=True)

    idle_monitors = List(
        Unicode(),
        help="""
        Names of programs, 15 characters at most, that never count as work, besides `top`, `watch`,
        `nvidia-smi` and their like.
        """,
    ).tag(config=True)

    idle_processes = Enum(
        ["auto", "namespace", "marked"],
        default_value="auto",
        help="""
        Whose processes are looked at: all that the container shows (`namespace`), or what was started
        by this server (`marked`). `auto`: the former in a container that was started for this server.
        """,
    ).tag(config=True)

    idle_proxied_ignored = List(
        Unicode(),
        help="""
        Regular expressions of paths of proxied applications that do not count: what an application asks
        by itself and at uneven times, e.g. `["/proxy/6006/data/"]`.
        """,
    ).tag(config=True)

    idle_report_to_hub = Bool(
        True,
        help="""
        Report to the hub as this server's last activity what counts here, instead of what Jupyter
        Server counts.
        """,
    ).tag(config=True)

    idle_notify = List(
        Unicode(),
        help="""
        Where users away from the page are warned: Apprise URLs (https://github.com/caronc/apprise/wiki)
        with `{user}`, `{server}` and `{address}` in them, e.g.
        `mailto://mail.example.org:25?from=jupyter@example.org&to={user}@example.org`. Default: the
        environment's `MLINFN_IDLE_NOTIFY`, separated by spaces. They are never logged or shown; but what
        this server knows, its user can find out: put no password in them that users may not have.
        """,
    ).tag(config=True)

    idle_mail_address = Unicode(
        "",
        help="""
        The user's address for `{address}` in `idle_notify`, with `{user}` in it where that suffices.
        Default: the environment's `MLINFN_USER_EMAIL`.
        """,
    ).tag(config=True)

    hub_cull_timeout = Float(
        None,
        allow_none=True,
        min=0,
        help="""
        `--timeout` of the hub's idle culler, seconds, for users to be told. Default: the environment's
        `MLINFN_HUB_CULL_TIMEOUT`, else nothing is told of it.
        """,
    ).tag(config=True)

    hub_cull_every = Float(
        None,
        allow_none=True,
        min=0,
        help="""
        `--cull-every` of the hub's idle culler, seconds. Default: `MLINFN_HUB_CULL_EVERY`, else half
        of its timeout, as the culler has it, and ten minutes at most.
        """,
    ).tag(config=True)

    hub_max_age = Float(
        None,
        allow_none=True,
        min=0,
        help="""
        `--max-age` of the hub's idle culler, seconds: no activity holds it off. Default:
        `MLINFN_HUB_MAX_AGE`, else there is none.
        """,
    ).tag(config=True)
