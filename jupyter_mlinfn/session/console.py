"""What would be lost, and what was kept, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..sizes import in_words

_NAMED = 3
_LEFT_NAMED = 20


def would_be_lost(answer: Mapping[str, Any], *, keep: bool | Sequence[str]) -> Iterator[str]:
    """Lines for the answer of `GET session`.

    Args:
        keep: whether files are to be kept, or which.
    """
    yield "This server holds"
    yield from (f"  {line}" for line in _resources(answer["resources"]))
    yield "Before it stops"
    lost = [*_pages(answer["pages"]), *_work(answer), *_files(answer, keep=keep)]
    yield from (f"  {line}" for line in lost or ["Nothing that runs here would be lost."])


def was_kept(record: Mapping[str, Any] | None) -> Iterator[str]:
    """Lines for the record of the stop."""
    yield "The server has stopped."
    if record is None:
        return
    rescue = record["rescue"]
    if rescue is not None and rescue["folder"]:
        where = rescue["root_path"] or rescue["folder"]
        yield f"{_count(rescue['files'], 'file')} ({in_words(rescue['bytes'])}) kept in {_shown(where)}"
    if rescue is not None and rescue["problem"]:
        yield rescue["problem"]
    if rescue is not None and rescue["left_count"]:
        yield f"Not kept: {_count(rescue['left_count'], 'file')}"
        for each in rescue["left"][:_LEFT_NAMED]:
            yield f"  {_shown(each['path'])}: {each['reason']}"
    for each in record["pages"]["failed"]:
        yield f"Not saved: {_shown(each['path'])}: {each['reason']}"
    if record["pages"]["silent"]:
        silent = _count(record["pages"]["silent"], "page")
        yield f"{silent} did not tell whether everything was saved."


def _resources(resources: Mapping[str, Any]) -> Iterator[str]:
    for gpu in resources["gpu"]:
        used = gpu["memory_used"]
        yield gpu["name"] + (f", {in_words(used)} in use" if used is not None else "")
    parts = []
    if resources["cpus"] is not None:
        parts.append(f"{resources['cpus']:g} cores")
    if resources["memory_bytes"] is not None:
        parts.append(f"{in_words(resources['memory_bytes'])} of memory")
    if parts:
        yield ", ".join(parts)


def _pages(pages: Mapping[str, Any]) -> Iterator[str]:
    unsaved = pages["unsaved"]
    if unsaved:
        yield f"! {_count(len(unsaved), 'document')} with unsaved changes: {_names(unsaved)}"
    silent = pages["silent"] or (pages["known"] - pages["answered"] if pages["asking"] else 0)
    if silent:
        yield f"! {_count(silent, 'page')} did not answer: what is not saved there is not known"


def _work(answer: Mapping[str, Any]) -> Iterator[str]:
    now = _time(answer["now"])
    for each in answer["running"]:
        since = f" for {_minutes(now, _time(each['since']))}" if each["since"] else ""
        yield f"! {_shown(each['title'])} is running a cell{since}"
    if answer["holders"] is None and answer["resources"]["gpu"]:
        yield "! What holds memory of the GPU is not known"
    for each in answer["holders"] or ():
        size = in_words(each["memory"]) if each["memory"] is not None else "memory"
        yield f"! {_shown(each['title'])} holds {size} of the GPU"
    if answer["terminals"] is None:
        yield "! What runs in terminals is not known"
    for each in answer["terminals"] or ():
        yield f"! {_shown(each['title'])} runs {_names(each['programs'])}"


def _files(answer: Mapping[str, Any], *, keep: bool | Sequence[str]) -> Iterator[str]:
    files, rescue = answer["files"], answer["rescue"]
    if files is None or files["state"] in ("unknown", "failed"):
        reason = f": {files['reason']}" if files is not None and files["reason"] else ""
        yield f"! Which files would be lost is not known{reason}"
        return
    if not files["files"]:
        return
    counted = "At least " if files["state"] == "counting" else ""
    amount = f"{counted}{_count(files['files'], 'file')} ({in_words(files['bytes'])})"
    biggest = _names([each["path"] for each in files["biggest"]], files["files"])
    why = _why_none(rescue, chosen=not isinstance(keep, bool)) if keep else ""
    if not keep or why:
        yield f"! {amount} will be lost.{why} {biggest}"
    elif not isinstance(keep, bool):
        chosen = _names(list(keep))
        yield f"! {amount} will be lost, but for what is copied to {rescue['folder']}: {chosen}"
    else:
        limit = rescue["limit_bytes"]
        room = f", up to {in_words(limit)}" if files["bytes"] > limit else ""
        yield f"! {amount} outside of what lasts are copied to {rescue['folder']}{room}: {biggest}"


def _why_none(rescue: Mapping[str, Any] | None, *, chosen: bool) -> str:
    """Why no file is copied, a sentence with a blank before it; empty where some are."""
    if rescue is None:
        return " Whether they can be kept is not known."
    if not rescue["possible"]:
        return f" {rescue['reason']}"
    return "" if rescue["limit_bytes"] or chosen else " A stop copies no files here."


def _names(names: list[str], total: int | None = None) -> str:
    total = len(names) if total is None else total
    shown = ", ".join(_shown(each) for each in names[:_NAMED])
    return shown + (f" and {total - _NAMED:,} more" if total > _NAMED else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _shown(name: str) -> str:
    """In one line, in characters that a terminal can show and does not obey."""
    whole = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in whole)


def _time(text: str) -> datetime:
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _minutes(now: datetime, since: datetime) -> str:
    seconds = max(0, round((now - since).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
