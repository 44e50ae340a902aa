"""The page docs/idle-table.md, from what was measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from .situations import KEEP_FOR, LONGEST_LIFE, TIMEOUT
from .table import COLUMNS, WARNINGS, Outcome


def write_page(outcomes: Sequence[Outcome], file: Path) -> None:
    """One row for each situation, one column for each way of stopping."""
    cells = {(each.situation.name, each.column.name): each for each in outcomes}
    situations = list({each.situation.name: each.situation for each in outcomes}.values())
    names = [each.name for each in COLUMNS]
    lines = [_HEAD.format(**_figures()), f"| situation | must | {' | '.join(names)} |"]
    lines.append("| --- " * (len(names) + 2) + "|")
    for each in situations:
        row = [cells.get((each.name, name)) for name in names]
        must = "keep" if each.must == "keep" else f"stop after {each.after} s"
        if each.told is not None:
            must += f", told by {each.told}"
        shown = ["not measured" if one is None else one.cell() for one in row]
        lines.append(f"| {each.text} | {must} | {' | '.join(shown)} |")
    mine = [each for each in outcomes if each.column.mine]
    kept = [each for each in mine if each.situation.must == "keep"]
    lines.append("")
    lines.append(
        f"Of ours, {sum(not each.wrong() for each in mine)} of {len(mine)} cells are as they must be; "
        f"{sum(each.stopped is not None for each in kept)} of {len(kept)} servers at work or in use were "
        "stopped."
    )
    file.write_text("\n".join(lines) + "\n")


def _figures() -> dict[str, object]:
    return {
        "timeout": TIMEOUT,
        "life": LONGEST_LIFE,
        "keep": KEEP_FOR,
        "warnings": " and ".join(f"{each:.0f}" for each in WARNINGS),
        "hub": version("jupyterhub"),
        "culler": version("jupyterhub-idle-culler"),
        "server": version("jupyter_server"),
        "lab": version("jupyterlab"),
        "cores": os.cpu_count(),
    }


_HEAD = """# What stops a server, and who is told

Made by `make proof`; do not edit. JupyterHub {hub} with configurable-http-proxy and
jupyterhub-idle-culler {culler}, single-user servers (jupyter_server {server}, JupyterLab {lab}) in
processes of their own, one machine of {cores} cores. All servers of a column run at the same time.

Seconds stand for hours: every timeout is {timeout} s, the longest life {life} s, and warnings come
{warnings} s before the end. A cell says how long after the last activity the server was gone from the
hub, and where the user was told before: *page* and *desktop* in a real browser, *mail* by a mail server
on this machine.

What shows here and not beside a timeout of hours: typing in a terminal is known to 8 s only,
jupyter_server looks at its own timeout once a minute, and a server waits up to 20 s for pages that cannot
answer to save. Processes are looked at every 3 s here, and once a minute otherwise; websockets are pinged
every 5 s here, and every 30 s otherwise.

Rows with “tab open” have the websockets of a JupyterLab and its requests every 10 s, but no browser:
nothing shows a warning there, so a mail is sent. What trains takes a seventh of a core.

* *culler alone*: the hub as it comes, without our extension.
* *jupyter_server's own timeout*: `ServerApp.shutdown_no_activity_timeout`, without the culler.
* *ours, the hub follows*: our extension with `idle_timeout`, the hub with the culler, the line
  `c.JupyterHub.proxy_class = "mlinfn"`, and a token that may stop its own server.
* *ours, unchanged hub*: our extension with `idle_timeout`; the hub with the culler, its own proxy class
  and the token that it gives by default.
"""
