"""The account and the deadlines as a terminal shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .deadlines import duration

_SOURCES = {
    "start": "Start",
    "kernels": "Kernels",
    "terminals": "Terminals",
    "processes": "Programs",
    "page": "Pages",
    "proxied": "Applications",
    "keepalive": "Keep-alive",
    "other": "Other",
}
_STOPPERS = {
    "policy": "this server's policy",
    "hub_culler": "JupyterHub",
    "hub_maximum_age": "JupyterHub, for its age",
    "server_timeout": "Jupyter Server",
    "kernel_culling": "Jupyter Server, a kernel",
    "allocation": "the end of the allocation",
}


def draw(answer: dict[str, Any]) -> RenderableType:
    """What is next, what counted, and who else stops something; answer of `GET idle`."""
    now = _time(answer["now"])
    parts: list[RenderableType] = [_headline(answer, now)]
    if answer["kept_until"]:
        parts.append(Text(f"Kept until {_clock(answer['kept_until'], now)}."))
    signals = Table("last activity", "when", "", title=None, box=None, pad_edge=False, header_style="dim")
    for each in answer["signals"]:
        if each["time"] is None and each["counts"]:
            continue
        note = each["detail"] if each["counts"] else "does not count here"
        signals.add_row(_SOURCES[each["source"]], _ago(each["time"], now), note)
    parts += [Text(), signals]
    if answer["deadlines"]:
        ends = Table("stopped by", "when", "", box=None, pad_edge=False, header_style="dim")
        for each in answer["deadlines"]:
            when = _clock(each["time"], now)
            ends.add_row(
                _STOPPERS[each["source"]],
                when if each["certainty"] == "certain" else f"about {when}",
                each["detail"],
            )
        parts += [Text(), ends]
    return Group(*parts)


def _headline(answer: dict[str, Any], now: datetime) -> Text:
    if answer["phase"] in ("saving", "rescuing", "stopping"):
        return Text("This server is being stopped.", style="bold red")
    end = answer["next"]
    if end is None:
        return Text("Nothing stops this server, as far as it knows.", style="bold")
    when, left = _clock(end["time"], now), duration((_time(end["time"]) - now).total_seconds())
    unless = " unless it is used" if end["extendable"] else ", whatever happens"
    style = "bold yellow" if answer["warning"] else "bold"
    return Text(f"This server stops at {when}, in {left},{unless}.".replace(",,", ","), style=style)


def _time(text: str) -> datetime:
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _clock(text: str, now: datetime) -> str:
    at = _time(text).astimezone()
    return f"{at:%H:%M}" if at.date() == now.astimezone().date() else f"{at:%d %b %H:%M}"


def _ago(text: str | None, now: datetime) -> str:
    if text is None:
        return "never"
    seconds = (now - _time(text)).total_seconds()
    return "now" if seconds < 1 else f"{duration(seconds)} ago"
