"""Every state that a user's GPU can be in: how bad it is, a sentence for it, and what to do.

The one place for these words: the panel, the command line and docs/gpu-states.md have them from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .models import Device, Severity
from .nvml import Code

Kind = Literal[
    "starting",
    "fine",
    "memory_low",
    "no_library",
    "driver_not_loaded",
    "version_mismatch",
    "no_device",
    "no_permission",
    "ambiguous",
    "lost",
    "reset_required",
    "hanging",
    "mig_destroyed",
    "driver_error",
]

LOW_AT, FINE_BELOW = 0.90, 0.85
"""Part of the memory that is not free at which it is called low, and below which it is so no longer."""


@dataclass(frozen=True)
class State:
    """How it stands.

    Attributes:
        detail: one more sentence, of this very case; may be empty.
        partial: whether it is about some of several devices only, which `detail` names.
    """

    kind: Kind
    detail: str = ""
    partial: bool = False

    @property
    def severity(self) -> Severity:
        return STATES[self.kind].severity

    @property
    def sentence(self) -> str:
        return " ".join(part for part in (STATES[self.kind].sentence, self.detail) if part)

    @property
    def next_step(self) -> str:
        return STATES[self.kind].next_step

    @property
    def readable(self) -> bool:
        """Whether the driver answers: for the devices that it is not about, where it is partial."""
        return self.partial or self.kind in ("fine", "memory_low", "ambiguous")


@dataclass(frozen=True)
class Words:
    """What is said of a state.

    Attributes:
        when: what makes it, for the table in docs/.
    """

    severity: Severity
    when: str
    sentence: str
    next_step: str


STATES: dict[Kind, Words] = {
    "starting": Words(
        "info",
        "Somebody looks for the first time, and the driver has not answered yet.",
        "The driver is being asked.",
        "",
    ),
    "fine": Words(
        "ok",
        "The driver answers, and there is room in the memory.",
        "Your GPU answers and has free memory.",
        "",
    ),
    "memory_low": Words(
        "warn",
        f"Less than {1 - LOW_AT:.0%} of a device's memory is free, until more than {1 - FINE_BELOW:.0%} is.",
        "The GPU memory is nearly full: the next allocation may fail with “out of memory”.",
        "See below which notebook holds it, and shut down kernels that you no longer need; or use a smaller "
        "batch. Restarting a kernel gives back all that it holds.",
    ),
    "no_library": Words(
        "error",
        "A GPU was asked for, but `libnvidia-ml.so.1` cannot be loaded in the container.",
        "The NVIDIA driver's library is not in this server, so no program here can use a GPU.",
        "Restart your server with a GPU flavour. If you had chosen one, tell your administrator that the "
        "container runtime did not put the driver (libnvidia-ml.so.1) into the container.",
    ),
    "driver_not_loaded": Words(
        "error",
        "NVML answers DRIVER_NOT_LOADED.",
        "The NVIDIA driver is not running on this machine.",
        "It may be restarting: this page looks again by itself. If it stays, tell your administrator; "
        "meanwhile another node may do.",
    ),
    "version_mismatch": Words(
        "error",
        "NVML answers LIB_RM_VERSION_MISMATCH: the driver was updated under the running container.",
        "The NVIDIA driver was updated while your server was running: its library here and the driver no "
        "longer fit together.",
        "Save your work and restart your server, so that the container gets the new driver's library.",
    ),
    "no_device": Words(
        "error",
        "The driver answers, but nothing that it lists was given to this container.",
        "The driver runs, but no GPU was given to this server.",
        "Choose a flavour with a GPU and restart your server; if you did, tell your administrator.",
    ),
    "no_permission": Words(
        "error",
        "NVML answers NO_PERMISSION for the memory of the user's device, or of all devices.",
        "There is a GPU, but this container may not read it.",
        "Restart your server; if it stays, tell your administrator: the container lacks the device's "
        "permission (its nodes in /dev/nvidia-caps, or the cgroup).",
    ),
    "ambiguous": Words(
        "warn",
        "Several devices may be read, and no variable tells which is meant.",
        "Several GPU devices can be read here, and nothing tells which of them is yours: no figures are "
        "shown, for they may be somebody else's.",
        "Set CUDA_VISIBLE_DEVICES to the UUID of yours in the first cell of a notebook, before a framework "
        "is imported; for this page, before the server starts.",
    ),
    "lost": Words(
        "error",
        "NVML answers GPU_IS_LOST (XID 79 and others).",
        "The GPU fell off the bus: the driver has lost it (the system log then shows an XID error, often "
        "79). What was in its memory is gone.",
        "Save your notebooks, then restart your server: it may get another GPU. Tell your administrator, "
        "with the UUID: the node needs a look.",
    ),
    "reset_required": Words(
        "error",
        "NVML answers RESET_REQUIRED, after an uncorrectable memory error for example.",
        "The GPU has stopped after an error and must be reset before it can be used again.",
        "Save your notebooks and restart your server; tell your administrator, with the UUID: only they "
        "can reset it.",
    ),
    "hanging": Words(
        "error",
        "A call to the driver has not come back for 2 s.",
        "The driver does not answer: a call to it is hanging. Figures are those from before.",
        "Wait a little, this page shows when it answers again. If it stays, programs on the GPU may hang "
        "too: save your notebooks, restart your server and tell your administrator.",
    ),
    "mig_destroyed": Words(
        "error",
        "The user's MIG instance was there before, and the driver no longer lists it.",
        "Your MIG instance no longer exists: the board was divided anew while your server was running. "
        "What was in its memory is gone.",
        "Save your notebooks and restart your server to get another one.",
    ),
    "driver_error": Words(
        "error",
        "NVML answers an error that has no state of its own here.",
        "The driver answers with an error.",
        "This page tries again by itself. If it stays, tell your administrator what is written here.",
    ),
}

_OF_CODE: dict[Code, Kind] = {
    Code.LIBRARY_NOT_FOUND: "no_library",
    Code.DRIVER_NOT_LOADED: "driver_not_loaded",
    Code.VERSION_MISMATCH: "version_mismatch",
    Code.NO_PERMISSION: "no_permission",
    Code.GPU_IS_LOST: "lost",
    Code.GPU_NOT_FOUND: "lost",
    Code.RESET_REQUIRED: "reset_required",
}


def of_error(code: Code, number: int, function: str) -> State:
    """The state that an answer of NVML means for whoever's device it was about."""
    kind = _OF_CODE.get(code, "driver_error")
    detail = f"{function} failed: {code.name} ({number})." if kind == "driver_error" else ""
    return State(kind, detail)


def only_of(state: State, names: Sequence[str]) -> State:
    """The same where it is about those devices only, and others answer."""
    only = f"This is about {' and '.join(names)} only: the rest of what is yours still answers."
    return replace(state, detail=" ".join(part for part in (state.detail, only) if part), partial=True)


def name_of(device: Device) -> str:
    """A100-PCIE-40GB, or MIG 1g.5gb on A100-PCIE-40GB."""
    if device.kind == "gpu":
        return device.board.name
    return " ".join(part for part in ("MIG", device.profile, "on", device.board.name) if part)


def memory_state(taken: Sequence[float], before: State) -> State:
    """Fine or low.

    Args:
        taken: part of each device's memory that is not free.
        before: the state until now; near the limit it stays.
    """
    limit = FINE_BELOW if before.kind == "memory_low" else LOW_AT
    return State("memory_low" if any(part >= limit for part in taken) else "fine")


def page() -> str:
    """docs/gpu-states.md; written by ``python tools/gpu_states.py``."""
    lines = [
        "# The states of your GPU",
        "",
        "What the GPU panel, the status bar and `jupyter mlinfn gpu` say, when, and what you can do then.",
        "This page is made from the code (`python tools/gpu_states.py`); a test makes each state.",
        "Where one of several devices fails, the state is that of the one that fails, its sentence names it,",
        "and the figures of the others go on.",
        "",
        "| state | severity | when | what is said | what to do |",
        "|---|---|---|---|---|",
    ]
    for kind, words in STATES.items():
        cells = (f"`{kind}`", words.severity, words.when, words.sentence, words.next_step or "—")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
