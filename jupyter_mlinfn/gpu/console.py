"""The GPU as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_GIBIBYTE = 1024**3
_STEPS = "▁▂▃▄▅▆▇█"
_STYLES = {"ok": "green", "info": "cyan", "warn": "yellow", "error": "red"}
_POINTS = 48


def gibibytes(size: int | None) -> str:
    return "?" if size is None else f"{size / _GIBIBYTE:.1f} GiB"


def draw(view: dict[str, Any], samples: Sequence[dict[str, Any]], *, processes: bool) -> RenderableType:
    """A panel for each device, what is to be said of the state, and the processes where wanted."""
    parts: list[RenderableType] = []
    if view["simulated"]:
        parts.append(Text("Simulated: there is no real GPU behind these figures.", style="bold magenta"))
    ambiguous = view["selection"]["ambiguous"]
    if not ambiguous:
        parts += [
            _device(view, device, [each["used"] for each in samples if each["device"] == device["uuid"]])
            for device in view["devices"]
        ]
    state = view["state"]
    if state["kind"] != "fine" or not parts:
        if view["present"]:
            parts.append(Text(state["sentence"], style=f"bold {_STYLES[state['severity']]}"))
            if state["next_step"]:
                parts.append(Text(state["next_step"]))
        else:
            parts.append(Text("There is no GPU here.", style="bold"))
    if view["selection"]["note"] and view["selection"]["note"] not in state["sentence"]:
        parts.append(Text(view["selection"]["note"]))
    if ambiguous:
        parts.append(_candidates(view["devices"]))
    elif processes and view["devices"]:
        parts.append(_processes(view["processes"]))
    return Group(*parts)


def _candidates(devices: Sequence[dict[str, Any]]) -> RenderableType:
    """Those that may be the user's, of which no figures are known."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("One of these")
    table.add_column("UUID", overflow="fold")
    for device in devices:
        table.add_row(_name(device), device["uuid"])
    return table


def _name(device: dict[str, Any]) -> str:
    if device["kind"] == "gpu":
        return str(device["name"])
    return " ".join(part for part in (device["name"], "· MIG", device["profile"]) if part)


def _device(view: dict[str, Any], device: dict[str, Any], used: Sequence[int | None]) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(ratio=1)
    rows.add_row("Memory", _memory(device, low=view["state"]["kind"] == "memory_low"))
    line = _sparkline(used, device["memory_total"])
    if line:
        rows.add_row("", Text(line, style="cyan"))
    rows.add_row("Use", _utilisation(device))
    if device["kind"] == "mig":
        rows.add_row("Instance", _instance(device))
    rows.add_row("UUID", device["uuid"])
    board = _board(device["board"])
    if board:
        shared = "whole board, shared: " if device["kind"] == "mig" else ""
        rows.add_row("Board", Text.assemble((shared, "italic"), board))
    if view["driver"]:
        rows.add_row("Driver", f"{view['driver']['version']} · CUDA {view['driver']['cuda']}")
    title = Text(_name(device), style="bold")
    if view["simulated"]:
        title.append(" · simulated", style="magenta")
    # Where it is about another device, that one is named below.
    is_other = view["state"]["partial"] and device["memory_used"] is not None
    style = _STYLES["ok" if is_other else view["state"]["severity"]]
    return Panel(rows, title=title, title_align="left", border_style=style, width=90)


def _memory(device: dict[str, Any], *, low: bool) -> RenderableType:
    """Coloured as in the panel: of several devices those are meant that really are nearly full."""
    used, total = device["memory_used"], device["memory_total"]
    if used is None or not total:
        return Text(f"? of {gibibytes(total)}")
    taken = 1 - device["memory_free"] / total
    style = "green" if not low or taken < 0.8 else "red" if taken >= 0.97 else "yellow"
    row = Table.grid(padding=(0, 2))
    row.add_row(
        ProgressBar(total=total, completed=used, width=28, complete_style=style, finished_style=style),
        Text(f"{used / _GIBIBYTE:.1f} of {gibibytes(total)} · {gibibytes(device['memory_free'])} free"),
    )
    return row


def _sparkline(used: Sequence[int | None], total: int | None) -> str:
    """The last points of the history; a space where nothing is known."""
    if not total or len(used) < 2:
        return ""
    top = len(_STEPS) - 1
    return "".join(
        " " if each is None else _STEPS[min(top, int(each / total * len(_STEPS)))] for each in used[-_POINTS:]
    )


def _utilisation(device: dict[str, Any]) -> str:
    if device["utilisation"] is None:
        return str(device["utilisation_note"] or "not reported")
    return f"{device['utilisation']:.0f} % of the time"


def _instance(device: dict[str, Any]) -> str:
    parts = []
    if device["slices"] is not None:
        of = f" of {device['board_slices']}" if device["board_slices"] else ""
        parts.append(f"{device['slices']}{of} slices")
    if device["sm_count"] is not None:
        parts.append(f"{device['sm_count']} SMs")
    parts += [f"{name.upper()} {device[name]}" for name in ("gi", "ci") if device[name] is not None]
    return " · ".join(parts)


def _board(board: dict[str, Any]) -> str:
    parts = []
    if board["temperature"] is not None:
        parts.append(f"{board['temperature']} °C")
    if board["power"] is not None:
        limit = f" of {board['power_limit']:.0f}" if board["power_limit"] is not None else ""
        parts.append(f"{board['power']:.0f}{limit} W")
    if board["sm_clock"] is not None:
        parts.append(f"SM {board['sm_clock']} MHz")
    if board["memory_clock"] is not None:
        parts.append(f"memory {board['memory_clock']} MHz")
    if board["ecc"] is not None:
        errors = f", {board['ecc_errors']} errors" if board["ecc_errors"] is not None else ""
        parts.append(f"ECC {'on' if board['ecc'] else 'off'}{errors if board['ecc'] else ''}")
    return " · ".join(parts)


def _processes(processes: dict[str, Any]) -> RenderableType:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("PID", justify="right")
    table.add_column("Memory", justify="right", no_wrap=True)
    table.add_column("Whose")
    table.add_column("Command", overflow="fold")
    for each in processes["list"]:
        memory = gibibytes(each["memory"]) if each["memory"] is not None else each["memory_note"] or "?"
        table.add_row(str(each["pid"]), memory, each["owner"]["title"], each["command"])
    if processes["other_bytes"] is not None:
        table.add_row("", gibibytes(processes["other_bytes"]), "driver and other", "")
    parts: list[RenderableType] = [table]
    if processes["note"]:
        parts.append(Text(processes["note"], style="dim"))
    return Group(*parts)
