"""Gauges of the user's GPU on Jupyter Server's own ``/metrics``.

A scrape asks the driver nothing: it is told what was last seen, and no memory reading that is older
than `FRESH`. Names: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .states import STATES

if TYPE_CHECKING:
    from .service import GpuService

FRESH = 150.0
"""Seconds: two readings of the account and a half."""


class GpuCollector(Collector):
    """One for the process, whatever number of servers it runs: a name may be exported only once."""

    def __init__(self) -> None:
        self._services: list[GpuService] = []

    def add(self, service: GpuService) -> None:
        if not self._services:
            REGISTRY.register(self)
        self._services.append(service)

    def remove(self, service: GpuService) -> None:
        """Nothing happens to one that was not added."""
        if service not in self._services:
            return
        self._services.remove(service)
        if not self._services:
            REGISTRY.unregister(self)

    def describe(self) -> Sequence[Metric]:
        """The names, without values."""
        return list(_families().values())

    def collect(self) -> Iterator[Metric]:
        families = _families()
        told: set[tuple[str, str]] = set()
        for service in self._services:
            _tell(service, families, told)
        yield from families.values()


def _families() -> dict[str, Metric]:
    by_device = ["device"]
    return {
        "used": GaugeMetricFamily(
            "mlinfn_gpu_memory_used_bytes", "Used memory of the user's GPU or MIG instance", labels=by_device
        ),
        "total": GaugeMetricFamily(
            "mlinfn_gpu_memory_total_bytes",
            "Memory of the user's GPU or MIG instance",
            labels=by_device,
        ),
        "held": CounterMetricFamily(
            "mlinfn_gpu_held_seconds",
            "Time that the device was held since the server started",
            labels=by_device,
        ),
        "in_use": CounterMetricFamily(
            "mlinfn_gpu_used_seconds",
            "Time that its memory was held or a kernel was busy, from one reading a minute",
            labels=by_device,
        ),
        "state": GaugeMetricFamily(
            "mlinfn_gpu_state", "1 for the state that the GPU is in, 0 for the others", labels=["state"]
        ),
    }


def _tell(service: GpuService, families: dict[str, Metric], told: set[tuple[str, str]]) -> None:
    def tell(name: str, label: str, value: str, figure: float) -> None:
        # Two servers in one process, as in tests, have the same device.
        if (name, value) not in told:
            told.add((name, value))
            family = families[name]
            suffix = "_total" if family.type == "counter" else ""
            family.add_sample(family.name + suffix, {label: value}, figure)

    picture, ledger = service.sampler.picture, service.ledger
    if picture.seen.present:
        for kind in STATES:
            tell("state", "state", kind, float(kind == picture.state.kind))
    # Where it is not known which is the user's, nothing is told of the others'.
    selection = picture.seen.selection
    for device in () if selection.ambiguous else selection.devices:
        newest = service.sampler.history.newest(device.uuid)
        if newest is not None and newest[0] <= FRESH and newest[1] is not None:
            tell("used", "device", device.uuid, newest[1])
        if device.memory_total is not None:
            tell("total", "device", device.uuid, device.memory_total)
    for uuid, account in ledger.accounts.items():
        tell("held", "device", uuid, ledger.held_seconds(uuid))
        if ledger.accounting:
            tell("in_use", "device", uuid, account.used)


COLLECTOR = GpuCollector()
