"""The names that nb_conda_kernels gives to the kernels of conda environments.

A notebook stores the name of its kernel, so that a notebook made on a site with
nb_conda_kernels runs here, and the other way round, when both give the same names. The rules
are those of ``CondaKernelSpecManager`` with its default settings
(https://github.com/anaconda/nb_conda_kernels, ``manager.py``), oddities included:
tests/envs/kernel_name_table.json holds what the real one answers.

Pure functions: nothing here looks at a disk.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

BASE_NAME = "base"

_SHORT_KERNEL_NAMES = {"python2": "py", "python3": "py", "ir": "r"}


@dataclass(frozen=True)
class NamedKernel:
    """One kernel of one environment, under its name for the whole site."""

    name: str
    """``conda-env-<environment>-<kernel>``; case is kept, comparisons must ignore it."""
    display_name: str
    environment: str
    """The environment's name among all others: the basename of its prefix, unless ambiguous."""
    prefix: str
    raw_name: str
    language: str
    """``Python`` for every Python; else the display name of the environment's own kernelspec."""
    is_base: bool
    is_current: bool

    @property
    def metadata(self) -> dict[str, Any]:
        """What goes into ``metadata`` of the kernelspec."""
        return {
            "conda_env_name": self.environment,
            "conda_env_path": self.prefix,
            "conda_language": self.language,
            "conda_raw_kernel_name": self.raw_name,
            "conda_is_base_environment": self.is_base,
            "conda_is_currently_running": self.is_current,
        }


def conda_order(prefixes: Iterable[str], base_prefix: str | None = None) -> list[str]:
    """The prefixes in the order of ``conda info --json``, the base prefix among them.

    Conda sorts them as strings (conda/core/envs_manager.py, ``list_all_known_prefixes``).
    """
    return sorted({*prefixes, *([base_prefix] if base_prefix else [])})


def environment_names(
    prefixes: Sequence[str], base_prefix: str | None = None, *, base_name: str = BASE_NAME
) -> dict[str, str]:
    """Name of each environment, in the order given; the values are the prefixes.

    Args:
        prefixes: absolute paths in the order of `conda_order`. The order matters: the first
            of two equal basenames keeps it, the next gets a counter.
        base_prefix: where conda itself is; None where there is no conda.
        base_name: what the base environment is called.
    """
    base_envs = str(PurePosixPath(base_prefix) / "envs") if base_prefix else None
    # Environments that conda-build makes for its own use.
    build_folder = str(PurePosixPath(base_prefix) / "conda-bld") + "/" if base_prefix else None
    ordered = list(prefixes)
    if base_prefix and base_prefix not in ordered:
        ordered.insert(0, base_prefix)
    names: dict[str, str] = {}
    for prefix in ordered:
        if prefix == base_prefix:
            name = base_name
        elif build_folder and prefix.startswith(build_folder):
            continue
        else:
            name = _name_from_path(prefix, base_envs, names)
        names[_counted(name, names)] = prefix
    return names


def _name_from_path(prefix: str, base_envs: str | None, taken: Mapping[str, str]) -> str:
    folder, _, name = prefix.rpartition("/")
    parent, _, folder_name = folder.rpartition("/")
    if folder_name == "envs" and (folder != base_envs or name in taken):
        # A folder called `envs` belongs to something that has a telling name. At the root
        # of the file system that name is empty, and the result begins with a hyphen.
        return f"{parent.rpartition('/')[2]}-{name}"
    return name


def _counted(name: str, taken: Mapping[str, str]) -> str:
    if name not in taken:
        return name
    count = 2
    while f"{name}-{count}" in taken:
        count += 1
    return f"{name}-{count}"


def clean_kernel_name(name: str) -> str:
    """Only ``[a-zA-Z0-9._-]``: accents are dropped, anything else becomes ``_``."""
    if not name.isascii():
        decomposed = unicodedata.normalize("NFKD", name)
        name = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub(r"[^a-zA-Z0-9._-]", "_", name)


def name_kernels(
    kernels: Mapping[str, Sequence[tuple[str, str]]],
    *,
    base_prefix: str | None = None,
    current_prefix: str | None = None,
    base_name: str = BASE_NAME,
) -> list[NamedKernel]:
    """Every kernel with its name, environments in conda's order, each one's kernels sorted.

    Args:
        kernels: for each prefix the ``(raw name, display name)`` of its own kernelspecs.
            A prefix without kernels still takes part: it may take a name from another.
        base_prefix: where conda itself is; None where there is no conda.
        current_prefix: where this server runs (``sys.prefix``); its kernels get `` *``.
        base_name: what the base environment is called.

    Two kernels may get one name (``a b`` and ``a_b`` are both cleaned to ``a_b``). Both are in
    the list; the last one is the one that nb_conda_kernels offers, see `offered`. For
    ``python2`` and ``python3`` in one prefix nb_conda_kernels leaves it to the order of the
    directory; here it is ``python3``.
    """
    named: list[NamedKernel] = []
    environments = environment_names(conda_order(kernels, base_prefix), base_prefix, base_name=base_name)
    for environment, prefix in environments.items():
        is_base = environment == base_name
        is_current = prefix == current_prefix
        for raw_name, own_display_name in sorted(kernels.get(prefix, ())):
            language = "Python" if own_display_name.startswith("Python") else own_display_name
            short_name = _SHORT_KERNEL_NAMES.get(raw_name, raw_name)
            named.append(
                NamedKernel(
                    name=clean_kernel_name(f"conda-{'' if is_base else 'env-'}{environment}-{short_name}"),
                    display_name=f"{language} [conda env:{environment}]{' *' if is_current else ''}",
                    environment=environment,
                    prefix=prefix,
                    raw_name=raw_name,
                    language=language,
                    is_base=is_base,
                    is_current=is_current,
                )
            )
    return named


def offered(named: Iterable[NamedKernel]) -> dict[str, NamedKernel]:
    """What a listing shows: of kernels with one name, the last."""
    return {kernel.name: kernel for kernel in named}
