"""What pip (or another installer of wheels) has put into a prefix, as its own records say.

Rules: the folder ``NAME-VERSION.dist-info`` with METADATA, RECORD, INSTALLER, REQUESTED and
direct_url.json is described in
https://packaging.python.org/en/latest/specifications/recording-installed-packages/.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import json
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from packaging.utils import canonicalize_name

from ...errors import ConflictError, NotFoundError

Kind = Literal["dist-info", "egg-info", "egg-link"]

_FOLDER_NAME = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+?)(?:-py\d[\d.]*)?\.(?:dist|egg)-info")
_PYTHON_FOLDER = re.compile(r"python(\d+\.\d+)t?")


@dataclass(frozen=True)
class Distribution:
    """A Python distribution in a prefix. Paths are relative to the prefix, with slashes.

    Attributes:
        name: normalized (PEP 503).
        written: as its author writes it.
        folder: its ``.dist-info`` or ``.egg-info`` (the latter may be a file).
        installer: what INSTALLER says: "pip", "conda", "uv"; None where there is no such file.
        requested: whether somebody asked for it by name.
        direct_url: where it came from if from no index (PEP 610), without credentials.
        editable: whether its code lies outside of the prefix.
        requires: the Requires-Dist lines of its METADATA.
        record_sha256: hash of its RECORD; None where there is none.
        files: what it installed → sha256 in hex, None where RECORD has none; without byte code
            and without what lies outside of the prefix. None where RECORD is missing or damaged.
    """

    name: str
    written: str
    version: str
    folder: str
    kind: Kind
    installer: str | None = None
    requested: bool = False
    direct_url: Mapping[str, Any] | None = None
    editable: bool = False
    requires: tuple[str, ...] = ()
    record_sha256: str | None = None
    files: Mapping[str, str | None] | None = None


@dataclass(frozen=True)
class Removal:
    """What goes when distributions are removed.

    Attributes:
        paths: files to remove, relative to the prefix; byte code included. The folders that
            become empty have to go as well: Python takes an empty one for a package.
        versions: the versions that are removed, by normalized name.
        dependents: other distributions that require a removed one: name → those that require it.
    """

    paths: tuple[str, ...]
    versions: Mapping[str, str]
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def python_version(prefix: Path) -> str | None:
    """``3.12`` for the Python of a prefix; None where it has none."""
    site = site_packages(prefix)
    found = _PYTHON_FOLDER.fullmatch(site.split("/")[-2]) if site else None
    return found.group(1) if found else None


def site_packages(prefix: Path) -> str | None:
    """``lib/python3.12/site-packages``, relative to the prefix; None where it has no Python.

    conda's record of `python` says so (``python_site_packages_path``, CEP 17:
    https://github.com/conda/ceps/blob/main/cep-0017.md); of a venv, pyvenv.cfg.
    """
    for record in sorted((prefix / "conda-meta").glob("python-[0-9]*.json")):
        try:
            body = json.loads(record.read_bytes())
            if body["name"] == "python":
                minor = ".".join(str(body["version"]).split(".")[:2])
                return str(body.get("python_site_packages_path") or f"lib/python{minor}/site-packages")
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not readable now: the folders tell as well
    try:
        settings = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        settings = ""
    if found := re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", settings, re.MULTILINE):
        return f"lib/python{found.group(1)}/site-packages"
    if not (prefix / "bin" / "python").exists():
        return None
    folders = [
        f"lib/{folder.name}/site-packages"
        for folder in (prefix / "lib").glob("python3.*")
        if _PYTHON_FOLDER.fullmatch(folder.name) and not folder.is_symlink()
    ]
    return folders[0] if len(folders) == 1 else None


def distributions(prefix: Path, *, with_files: bool = True) -> list[Distribution]:
    """The distributions in a prefix, conda's Python packages included, by name.

    Args:
        with_files: whether RECORD is read; without, `files` and `record_sha256` are None.

    Raises:
        OSError: the folder cannot be read.
    """
    site = site_packages(prefix)
    return distributions_in(prefix, site, with_files=with_files) if site is not None else []


def distributions_in(prefix: Path, site: str, *, with_files: bool = True) -> list[Distribution]:
    """As `distributions`, where site-packages is known to be `site`."""
    if not (prefix / site).is_dir():
        return []
    found = []
    for entry in sorted((prefix / site).iterdir()):
        if entry.name.startswith("~"):
            continue  # pip's name for what it was removing when it was killed
        if entry.name.endswith(".dist-info") and entry.is_dir():
            found.append(_dist_info(prefix, site, entry, with_files))
        elif entry.name.endswith(".egg-info"):
            found.append(_egg_info(site, entry))
        elif entry.name.endswith(".egg-link") and entry.is_file():
            found.append(_egg_link(site, entry))
    return sorted((one for one in found if one), key=lambda one: (one.name, one.folder))


def conda_owned(found: Iterable[Distribution], conda_paths: Collection[str]) -> set[str]:
    """Normalized names of the distributions that a conda package brought.

    INSTALLER does not tell: many a conda package was built by pip and says so. The paths do.

    Args:
        conda_paths: every path in the records of conda-meta, relative to the prefix. A set.
    """
    return {
        one.name
        for one in found
        if any(
            path in conda_paths for path in (f"{one.folder}/METADATA", f"{one.folder}/PKG-INFO", one.folder)
        )
    }


def removal(
    prefix: Path, found: Sequence[Distribution], names: Iterable[str], conda_names: Collection[str] = ()
) -> Removal:
    """What has to be removed for `names` to be gone.

    Files that a distribution shares with one that stays are left.

    Args:
        found: `distributions(prefix)`.
        names: of distributions, in any spelling.
        conda_names: `conda_owned` of them.

    Raises:
        NotFoundError: there is no such distribution.
        ConflictError: conda owns it, or nobody knows what it installed.
    """
    wanted: dict[str, str] = {canonicalize_name(name): name for name in names}
    going = [one for one in found if one.name in wanted]
    for name in sorted(wanted.keys() - {one.name for one in going}):
        raise NotFoundError(
            f"{wanted[name]} is not installed here.",
            hint="Choose one from the list of packages.",
            fields=_field(wanted[name], "is not installed"),
        )
    for one in going:
        _check_removable(one, wanted[one.name], conda_names)
    staying = [one for one in found if one.name not in wanted]
    shared = {path for one in staying for path in one.files or ()}
    paths = dict.fromkeys(path for one in going for path in _present(prefix, one) if path not in shared)
    dependents = {name: tuple(_dependents(staying, name)) for name in sorted(wanted)}
    return Removal(
        tuple(paths),
        {one.name: one.version for one in going},
        {name: users for name, users in dependents.items() if users},
    )


def _check_removable(one: Distribution, spelled: str, conda_names: Collection[str]) -> None:
    if one.name in conda_names:
        raise ConflictError(
            f"{one.written} {one.version} is conda's: pip cannot remove it.",
            reason="It came with a conda package, and conda would go on to take it for installed.",
            hint=f"Remove it with conda: choose {one.written} among the conda packages.",
            fields=_field(spelled, "is conda's"),
        )
    if one.files is None:
        raise ConflictError(
            f"{one.written} {one.version} cannot be removed: nobody knows which files are its own.",
            reason={
                "dist-info": f"Its list of files is missing or damaged: {one.folder}/RECORD",
                "egg-info": "It was installed by an old tool that keeps no list of files.",
                "egg-link": "It is linked from a folder of yours by an old tool.",
            }[one.kind],
            hint="Go back to a revision without it, or remove its files by hand.",
            fields=_field(spelled, "has no list of its files"),
        )


def _field(value: str, message: str) -> dict[str, list[dict[str, Any]]]:
    return {"specs": [{"value": value, "message": message}]}


def _present(prefix: Path, one: Distribution) -> Iterator[str]:
    """Its files that are there, their byte code, and all in its dist-info."""
    for path in one.files or ():
        file = prefix / path
        if file.is_symlink() or file.is_file():
            yield path
        if path.endswith(".py"):
            for code in (file.parent / "__pycache__").glob(f"{_literal(file.stem)}.*.pyc"):
                yield code.relative_to(prefix).as_posix()
    for file in sorted((prefix / one.folder).rglob("*")):
        if file.is_symlink() or file.is_file():
            yield file.relative_to(prefix).as_posix()


def _literal(text: str) -> str:
    """`text` for `glob`, its brackets and stars meaning themselves."""
    return re.sub(r"([*?[])", r"[\1]", text)


def _dependents(staying: Iterable[Distribution], name: str) -> Iterator[str]:
    # Not at the top: 6 ms that the server's start need not pay for.
    from packaging.requirements import InvalidRequirement, Requirement

    for one in staying:
        for line in one.requires:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue  # older than PEP 508: pip does not heed it either
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if canonicalize_name(requirement.name) == name and applies:
                yield one.name
                break


def _dist_info(prefix: Path, site: str, folder: Path, with_files: bool) -> Distribution | None:
    headers = _headers(folder / "METADATA")
    named = _names(folder.name, headers)
    if named is None:
        return None
    direct_url = _direct_url(folder / "direct_url.json")
    record = _read(folder / "RECORD") if with_files else None
    return Distribution(
        *named,
        folder=f"{site}/{folder.name}",
        kind="dist-info",
        installer=(_read(folder / "INSTALLER") or b"").decode(errors="replace").strip() or None,
        requested=(folder / "REQUESTED").is_file(),
        direct_url=direct_url,
        editable=bool(((direct_url or {}).get("dir_info") or {}).get("editable")),
        requires=tuple(headers.get("requires-dist", ())),
        record_sha256=None if record is None else hashlib.sha256(record).hexdigest(),
        files=None if record is None else _files(record, site),
    )


def _egg_info(site: str, entry: Path) -> Distribution | None:
    headers = _headers(entry / "PKG-INFO" if entry.is_dir() else entry)
    named = _names(entry.name, headers)
    return Distribution(*named, folder=f"{site}/{entry.name}", kind="egg-info") if named else None


def _egg_link(site: str, entry: Path) -> Distribution | None:
    """A development install of old setuptools: the file names a folder with the egg-info."""
    lines = (_read(entry) or b"").decode(errors="replace").splitlines()
    written = entry.name.removesuffix(".egg-link")
    headers = {}
    for info in Path(lines[0]).glob("*.egg-info") if lines and Path(lines[0]).is_absolute() else ():
        headers = _headers(info / "PKG-INFO")
    return Distribution(
        canonicalize_name(written),
        headers.get("name", [written])[0],
        headers.get("version", [""])[0],
        folder=f"{site}/{entry.name}",
        kind="egg-link",
        editable=True,
    )


def _names(folder: str, headers: Mapping[str, Sequence[str]]) -> tuple[str, str, str] | None:
    """(normalized name, name, version), from METADATA, or the folder's name where that is damaged."""
    guessed = _FOLDER_NAME.fullmatch(folder)
    name = headers.get("name", [guessed.group("name") if guessed else ""])[0]
    version = headers.get("version", [guessed.group("version") if guessed else ""])[0]
    return (canonicalize_name(name), name, version) if name and version else None


def _headers(file: Path) -> dict[str, list[str]]:
    """The headers of a METADATA file, names in lower case; its long description is not parsed."""
    found: dict[str, list[str]] = {}
    for line in (_read(file) or b"").decode(errors="replace").splitlines():
        if not line:
            break
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            found.setdefault(name.lower(), []).append(value.strip())
    return found


def _direct_url(file: Path) -> Mapping[str, Any] | None:
    try:
        body = json.loads(_read(file) or b"null")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None


def _files(record: bytes, site: str) -> dict[str, str | None] | None:
    """path → sha256 in hex; None where RECORD is damaged."""
    found: dict[str, str | None] = {}
    try:
        for row in csv.reader(io.StringIO(record.decode())):
            if not row:
                continue
            path, digest, _ = row
            inside = posixpath.normpath(posixpath.join(site, path))
            if posixpath.isabs(path) or inside.startswith("..") or "\0" in path:
                continue  # outside of the prefix: not ours to look at
            if inside.endswith((".pyc", ".pyo")):
                continue  # Python writes it anew whenever it likes
            found[inside] = _hex(digest)
    except (ValueError, csv.Error):
        return None
    return found


def _hex(digest: str) -> str | None:
    """``sha256=URLSAFE-BASE64`` without padding → hex; None for none and for other algorithms."""
    algorithm, _, value = digest.partition("=")
    if algorithm != "sha256":
        return None
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        return None
    return raw.hex() if len(raw) == hashlib.sha256().digest_size else None
