"""``jupyter mlinfn storage rescue``: copy files that would go with the server to private storage.

Exit codes: 0 all are kept, 1 some are not, or it failed, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import TYPE_CHECKING, Any

from ...errors import from_json

if TYPE_CHECKING:
    from ...own_server import OwnServer

_ASKED_EVERY = 0.2
_ACTIVE = ("queued", "running", "cancelling")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and folders; default: all that would be lost"
    )
    parser.add_argument(
        "--except", dest="without", action="append", default=[], metavar="PATH", help="and not this one"
    )
    # Not to undo what was said before the action.
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="answer JSON on stdout"
    )
    parser.set_defaults(run=_rescue)


def _rescue(arguments: argparse.Namespace) -> int:
    from ...own_server import find

    server = find()
    body: dict[str, Any] = {"paths": [_absolute(path) for path in arguments.paths] or None}
    if arguments.without:
        body["except"] = [_absolute(path) for path in arguments.without]
    job = server.ask("POST", "storage/rescue", body)["job"]
    try:
        job = _followed(server, job, show=not arguments.json)
    except KeyboardInterrupt:
        # What is kept stays; asked for by who pressed Ctrl-C.
        server.ask("DELETE", f"jobs/{job['id']}")
        raise
    if job["error"] is not None:
        raise from_json(job["error"])
    if arguments.json:
        print(json.dumps({"job": job}, indent=2))
    else:
        from .console import told

        print(told(job))
    result = job["result"]
    return 0 if result is not None and not result["left_count"] and not result["problem"] else 1


def _followed(server: OwnServer, job: dict[str, Any], *, show: bool) -> dict[str, Any]:
    """The job once it has ended, with a bar on stderr meanwhile."""
    from .console import Bar

    with Bar(shown=show) as bar:
        while job["state"] in _ACTIVE:
            time.sleep(_ASKED_EVERY)
            job = server.ask("GET", f"jobs/{job['id']}")["job"]
            bar.update(job["progress"])
    return job


def _absolute(path: str) -> str:
    # Links are left as they are: they are kept as links.
    return os.path.abspath(path)  # noqa: PTH100 - pathlib's follows them
