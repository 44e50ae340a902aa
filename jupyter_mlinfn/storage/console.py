"""What lasts, and what would be lost, as a terminal shows it."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..sizes import in_words
from .rescue.layout import printable

_STYLES = {"lasts": "green", "ephemeral": "yellow", "unknown": "magenta"}
_WORDS = {"lasts": "lasts", "ephemeral": "ephemeral", "unknown": "not known"}
_BIGGEST = 10


def draw(answer: dict[str, Any]) -> RenderableType:
    """The volumes and the files that would be lost; answer of `GET storage`."""
    return Group(_volumes(answer["volumes"]), Text(), *_ephemeral(answer["ephemeral"]), _private(answer))


def _volumes(volumes: list[dict[str, Any]]) -> Table:
    table = Table("volume", "", "type", box=None, pad_edge=False, header_style="dim")
    for heading in ("used", "free", "files left"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for each in volumes:
        silent = each["state"] == "silent"
        quota = each["quota"] or {}
        table.add_row(
            Text(printable(each["name"])),
            Text(_WORDS[each["persistence"]], style=_STYLES[each["persistence"]]),
            each["type"] + (", read only" if each["read_only"] else ""),
            _size(quota.get("used_bytes") or each["used_bytes"]),
            _size(_free(each, quota)),
            "" if each["files_free"] is None else f"{each['files_free']:,}",
            "It does not answer." if silent else each["why"],
        )
    return table


def _free(volume: dict[str, Any], quota: dict[str, Any]) -> int | None:
    """What the user may still write: the volume's, or the quota's where that is less."""
    limit, used = quota.get("limit_bytes"), quota.get("used_bytes")
    left = None if limit is None or used is None else max(0, limit - used)
    known: list[int] = [each for each in (volume["free_bytes"], left) if each is not None]
    return min(known, default=None)


def _ephemeral(lost: dict[str, Any]) -> list[RenderableType]:
    if lost["state"] == "unknown":
        return [Text(lost["reason"])]
    number = f"{lost['files']:,} " + ("file" if lost["files"] == 1 else "files")
    least = "" if lost["state"] == "known" else "At least "
    parts: list[RenderableType] = []
    if lost["files"] or least:
        verb = "is" if lost["files"] == 1 else "are"
        parts.append(
            Text(
                f"{least}{number} ({in_words(lost['bytes'])}) {verb} lost when this server stops.",
                style="bold",
            )
        )
    else:
        parts.append(Text("No file is lost when this server stops.", style="bold"))
    if lost["reason"]:
        parts.append(Text(lost["reason"]))
    if lost["biggest"]:
        table = Table("size", "file", box=None, pad_edge=False, show_header=False)
        for each in lost["biggest"][:_BIGGEST]:
            table.add_row(in_words(each["size"]), Text(printable(each["root_path"] or each["path"])))
        parts.append(table)
    if lost["files"] > _BIGGEST:
        parts.append(Text(f"and {lost['files'] - _BIGGEST:,} more", style="dim"))
    return parts


def _private(answer: dict[str, Any]) -> Text:
    private = answer["private"]
    if not answer["ephemeral"]["files"]:
        return Text("")
    if private is None:
        return Text("You have no private folder that lasts to keep them in.", style="bold red")
    shown = printable(private["root_path"] or private["path"])
    return Text(f"Keep them: jupyter mlinfn storage rescue copies them to {shown}.")


def _size(size: int | None) -> str:
    return "" if size is None else in_words(size)
