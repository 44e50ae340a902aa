"""What a check found: of one framework, and of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..cuda import Driver

if TYPE_CHECKING:
    from ...gpu.models import Device

Verdict = Literal["ok", "problem", "nothing", "unchecked"]
"""``nothing``: there is nothing to check. ``unchecked``: there is, and it could not be checked here."""

NAMES = {"torch": "PyTorch", "jax": "JAX"}


@dataclass(frozen=True)
class Here:
    """What is known of this server.

    Attributes:
        gpu: whether it has a GPU; None where that is not known.
        driver: what its driver said; None where it was not heard.
        remembered: the CUDA that a driver supported on another server of the user.
        env: name of the environment that is checked.
        devices: the user's, by the GPU panel's rules; None where that is not known, or not clear.
    """

    gpu: bool | None = None
    driver: Driver | None = None
    remembered: str | None = None
    env: str = "ENV"
    devices: Sequence[Device] | None = None

    @property
    def cuda(self) -> str | None:
        """The CUDA that a build is to be for, as far as anybody knows."""
        return (self.driver.cuda if self.driver else None) or self.remembered


@dataclass(frozen=True)
class Framework:
    """One that was found, without having been imported.

    Attributes:
        by: what installed it: ``conda``, ``pip``; None where that is not known.
    """

    module: str
    name: str
    version: str | None
    by: str | None = None

    @property
    def titled(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name


@dataclass(frozen=True)
class Finding:
    """One framework that was checked: ``#/components/schemas/GpuFinding``.

    Attributes:
        reason: a word for programs, e.g. ``cpu_build``; ``fine`` where there is none.
        sentence: what is so, in words.
        hint: what to do or to install instead; empty where there is nothing to do.
        build: ``CPU``, ``CUDA 12.4``, ``ROCm 6.1``; None where it could not be told.
        device: its name as the framework tells it.
        details: what the framework itself said.
        seconds: that the check took.
    """

    framework: str
    module: str
    version: str | None
    build: str | None
    verdict: Verdict
    reason: str
    sentence: str
    hint: str = ""
    device: str | None = None
    uuid: str | None = None
    details: str = ""
    seconds: float = 0.0

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Finding:
        """The finding of a file, which anybody may have written.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        if body["verdict"] not in ("ok", "problem", "nothing", "unchecked"):
            raise ValueError(body["verdict"])
        texts = {name: str(body.get(name) or "") for name in ("reason", "sentence", "hint", "details")}
        told = {name: str(body[name]) if body.get(name) else None for name in _OPTIONAL}
        return cls(
            framework=str(body["framework"]),
            module=str(body["module"]),
            verdict=body["verdict"],
            seconds=float(body.get("seconds") or 0),
            reason=texts["reason"],
            sentence=texts["sentence"],
            hint=texts["hint"],
            details=texts["details"],
            version=told["version"],
            build=told["build"],
            device=told["device"],
            uuid=told["uuid"],
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_OPTIONAL = ("version", "build", "device", "uuid")


def overall(findings: Sequence[Finding], others: Sequence[str]) -> Verdict:
    """One verdict for the environment: the worst that was found."""
    verdicts = {finding.verdict for finding in findings}
    worst_first: tuple[Verdict, ...] = ("problem", "unchecked", "ok")
    for verdict in worst_first:
        if verdict in verdicts:
            return verdict
    return "unchecked" if others else "nothing"


def summary(findings: Sequence[Finding], others: Sequence[str], has_python: bool) -> str:
    """One sentence for the environment."""
    worst = overall(findings, others)
    if findings:
        return " ".join(finding.sentence for finding in findings if finding.verdict == worst)
    if others:
        return f"Not checked: {', '.join(others)}. Only PyTorch and JAX are."
    if not has_python:
        return "There is no Python in it: nothing to check."
    return "There is no framework in it that uses a GPU: nothing to check."
