"""`.condarc`: what a site or a user already told conda about channels and the network.

Files are read where conda reads them and merged as conda merges them
(https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/use-condarc.html,
"Searching for .condarc" and "Conflict merging strategy"): later files win, lists of later
files come first, ``#!top`` and ``#!bottom`` move an item, ``#!final`` ends the search for a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import yaml

from .redact import redact

ChannelPriority = Literal["strict", "flexible", "disabled"]

_LISTS = ("channels", "default_channels", "pinned_packages")
_MAPS = ("custom_channels", "proxy_servers")
_SCALARS = ("channel_alias", "channel_priority", "ssl_verify")
_KNOWN = frozenset((*_LISTS, *_MAPS, *_SCALARS))
_ALIASES = {"channel": "channels", "verify_ssl": "ssl_verify"}

_MATTERS = frozenset(
    (
        "add_anaconda_token",
        "aggressive_update_packages",
        "allowlist_channels",
        "whitelist_channels",
        "always_copy",
        "always_softlink",
        "allow_softlinks",
        "channel_settings",
        "client_ssl_cert",
        "client_ssl_cert_key",
        "create_default_packages",
        "custom_multichannels",
        "default_python",
        "denylist_channels",
        "disallow",
        "disallowed_packages",
        "envs_dirs",
        "envs_path",
        "migrated_channel_aliases",
        "migrated_custom_channels",
        "no_lock",
        "offline",
        "override_channels_enabled",
        "pip_interop_enabled",
        "pkgs_dirs",
        "plugins",
        "repodata_fns",
        "restore_free_channel",
        "solver",
        "subdir",
        "subdirs",
        "track_features",
        "unsatisfiable_hints",
        "virtual_packages",
    )
)
"""Keys of conda that would change which packages are chosen, or from where, and are not read."""

_DEFAULT_CHANNELS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
_DEFAULT_CUSTOM = {"pkgs/pro": "https://repo.anaconda.com"}
_SUBDIR = re.compile(r"/(noarch|(linux|osx|win|freebsd|zos|emscripten|wasi)-[a-z0-9_]+)$")


@dataclass(frozen=True)
class Condarc:
    """The merged settings. `ssl_verify` is True, False, ``"truststore"`` or a bundle's path."""

    channels: Sequence[str] = ()
    channel_alias: str = "https://conda.anaconda.org"
    custom_channels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(_DEFAULT_CUSTOM))
    default_channels: Sequence[str] = _DEFAULT_CHANNELS
    channel_priority: ChannelPriority = "flexible"
    proxy_servers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ssl_verify: bool | str = True
    pinned_packages: Sequence[str] = ()
    files: Sequence[Path] = ()
    """Those that were read, in order of rising precedence."""
    warnings: Sequence[str] = ()
    """What a person should know; names files and keys, never values."""

    def resolve_channels(self, names: Iterable[str]) -> list[str]:
        """URLs of channels given by name, URL or path, each once, in order.

        The URLs may hold credentials: `redact.redact` before showing one.
        """
        urls: dict[str, None] = {}
        for name in names:
            for url in self._urls(name.strip()):
                urls.setdefault(url)
        return list(urls)

    def _urls(self, name: str) -> list[str]:
        if name in ("", "nodefaults"):
            return []
        if name == "defaults":
            return [self._url(channel) for channel in self.default_channels if channel != "defaults"]
        return [self._url(name)]

    def _url(self, name: str) -> str:
        if "://" in name:
            return _SUBDIR.sub("", name.rstrip("/"))
        if name.startswith(("/", "./", "../", "~")) or name in (".", ".."):
            return Path(name).expanduser().resolve().as_uri()
        name = _SUBDIR.sub("", name.strip("/"))
        first = name
        while first:
            # `org/label/dev` belongs to the custom channel `org`, the longest name first.
            if first in self.custom_channels:
                return _join(self.custom_channels[first], name)
            first = first.rpartition("/")[0]
        return _join(self.channel_alias, name)


def _join(base: str, name: str) -> str:
    if "://" not in base:
        base = Path(base).expanduser().as_uri() if base.startswith(("/", "~")) else f"https://{base}"
    return f"{base.rstrip('/')}/{name}"


def search_path(environ: Mapping[str, str]) -> list[Path]:
    """Where conda looks, lowest precedence first; folders end in ``condarc.d``."""
    roots: list[Path] = [Path("/etc/conda"), Path("/var/lib/conda")]
    if root := environ.get("CONDA_ROOT"):
        roots.append(Path(root))
    elif executable := environ.get("CONDA_EXE"):
        roots.append(Path(executable).parent.parent)
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if xdg := environ.get("XDG_CONFIG_HOME"):
        roots.append(Path(xdg) / "conda")
    roots += [home / ".config" / "conda", home / ".conda"]
    places = [root / name for root in roots for name in (".condarc", "condarc", "condarc.d")]
    places.append(home / ".condarc")
    if prefix := environ.get("CONDA_PREFIX"):
        places += [Path(prefix) / name for name in (".condarc", "condarc", "condarc.d")]
    if named := environ.get("CONDARC"):
        places.append(Path(named).expanduser())
    return list(dict.fromkeys(places))


def read(environ: Mapping[str, str] = os.environ) -> Condarc:
    """Read and merge every file of the search path. Blocks on the disk; never raises for a
    file's content: what cannot be read or understood becomes a warning."""
    warnings: list[str] = []
    sources: list[_Source] = []
    for path in _files(search_path(environ), warnings):
        source = _parse(path, environ, warnings)
        if source is not None:
            sources.append(source)
    return _merge(sources, warnings)


@dataclass(frozen=True)
class _Item:
    text: str
    flag: str = ""


@dataclass(frozen=True)
class _Source:
    """One file. Values are kept with the flag found in the comment of their line."""

    path: Path
    lists: dict[str, list[_Item]] = field(default_factory=dict)
    maps: dict[str, dict[str, _Item]] = field(default_factory=dict)
    scalars: dict[str, _Item] = field(default_factory=dict)
    final: set[str] = field(default_factory=set)


def _files(places: Sequence[Path], warnings: list[str]) -> Iterator[Path]:
    for place in places:
        try:
            if place.is_dir():
                yield from sorted(file for file in place.iterdir() if file.suffix in (".yml", ".yaml"))
            elif place.is_file():
                yield place
        except OSError as error:
            warnings.append(f"{place} cannot be read: {error.strerror}")


def _parse(path: Path, environ: Mapping[str, str], warnings: list[str]) -> _Source | None:
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        # Not str(error): it quotes the line, which may hold a proxy's password.
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        warnings.append(f"{path}, line {line}: not valid YAML ({error.problem}); the file is ignored")
        return None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        warnings.append(f"{path}: not readable as YAML ({type(error).__name__}); the file is ignored")
        return None
    except OSError as error:
        warnings.append(f"{path} cannot be read: {error.strerror}")
        return None
    if root is None:
        return None
    if not isinstance(root, yaml.MappingNode):
        warnings.append(
            f"{path}, line {root.start_mark.line + 1}: not a mapping of settings; the file is ignored"
        )
        return None
    return _Reader(path, text.splitlines(), environ, warnings).read(root)


class _Reader:
    """Turns the nodes of one file into a `_Source`."""

    def __init__(
        self, path: Path, lines: Sequence[str], environ: Mapping[str, str], warnings: list[str]
    ) -> None:
        self._source = _Source(path)
        self._lines = lines
        self._environ = environ
        self._warnings = warnings

    def read(self, root: yaml.MappingNode) -> _Source:
        source = self._source
        for key_node, node in root.value:
            written = str(key_node.value)
            key = _ALIASES.get(written, written)
            if key in _MATTERS:
                self._warn(key_node, f"`{written}` is not taken into account here")
            if key not in _KNOWN:
                continue
            if self._flag(key_node) == "final":
                source.final.add(key)
            empty = isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
            if empty:
                continue
            if key in _LISTS:
                self._list(key, node)
            elif key in _MAPS:
                self._map(key, node)
            elif isinstance(node, yaml.ScalarNode):
                source.scalars[key] = _Item(self._expand(node.value), self._flag(node))
            else:
                self._warn(node, f"`{key}` must be a single value; it is ignored")
        return source

    def _list(self, key: str, node: yaml.Node) -> None:
        if isinstance(node, yaml.ScalarNode):
            # conda takes a single string for a list, split at commas or ampersands.
            separator = "&" if key == "pinned_packages" else ","
            parts = [part.strip() for part in node.value.split(separator)]
            self._source.lists[key] = [_Item(self._expand(part)) for part in parts if part]
            return
        if not isinstance(node, yaml.SequenceNode):
            self._warn(node, f"`{key}` must be a list; it is ignored")
            return
        items = []
        for child in node.value:
            if isinstance(child, yaml.ScalarNode):
                items.append(_Item(self._expand(child.value), self._flag(child)))
            else:
                self._warn(child, f"`{key}` must be a list of texts; this item is ignored")
        self._source.lists[key] = items

    def _map(self, key: str, node: yaml.Node) -> None:
        if not isinstance(node, yaml.MappingNode):
            self._warn(node, f"`{key}` must be a mapping; it is ignored")
            return
        entries = {}
        for name, child in node.value:
            if not isinstance(child, yaml.ScalarNode):
                self._warn(child, f"`{key}` must map names to texts; this entry is ignored")
            elif child.tag != "tag:yaml.org,2002:null":
                entries[str(name.value)] = _Item(self._expand(child.value), self._flag(child))
        self._source.maps[key] = entries

    def _flag(self, node: yaml.Node) -> str:
        line = self._lines[node.start_mark.line] if node.start_mark.line < len(self._lines) else ""
        match = re.search(r"#!\s*(final|top|bottom)\b", line)
        return match.group(1) if match else ""

    def _expand(self, text: str) -> str:
        return re.sub(
            r"\$(?:\{(\w+)\}|(\w+))",
            lambda match: self._environ.get(match.group(1) or match.group(2), match.group(0)),
            text,
        )

    def _warn(self, node: yaml.Node, message: str) -> None:
        self._warnings.append(f"{self._source.path}, line {node.start_mark.line + 1}: {message}")


def _until_final(sources: Sequence[_Source], key: str) -> list[_Source]:
    """The sources that may speak about `key`: up to the first that calls its word final."""
    chosen = []
    for source in sources:
        if key in source.lists or key in source.maps or key in source.scalars:
            chosen.append(source)
            if key in source.final:
                break
    return chosen


def _merge_list(sources: Sequence[_Source], key: str) -> list[str]:
    chosen = [source.lists[key] for source in _until_final(sources, key) if key in source.lists]
    top = [item.text for items in chosen for item in items if item.flag == "top"]
    bottom = [item.text for items in reversed(chosen) for item in items if item.flag == "bottom"]
    everything = [item.text for items in reversed(chosen) for item in items]
    from_top = list(dict.fromkeys([*top, *everything]))
    from_bottom = list(dict.fromkeys([*reversed(bottom), *reversed(from_top)]))
    return from_bottom[::-1]


def _merge_map(sources: Sequence[_Source], key: str) -> dict[str, str]:
    merged: dict[str, _Item] = {}
    for source in _until_final(sources, key):
        for name, item in source.maps.get(key, {}).items():
            if name not in merged or merged[name].flag != "final":
                merged[name] = item
    return {name: item.text for name, item in merged.items()}


def _merge(sources: Sequence[_Source], warnings: list[str]) -> Condarc:
    def scalar(key: str) -> tuple[str, Path] | None:
        chosen = [source for source in _until_final(sources, key) if key in source.scalars]
        return (chosen[-1].scalars[key].text, chosen[-1].path) if chosen else None

    alias = scalar("channel_alias")
    priority = scalar("channel_priority")
    verify = scalar("ssl_verify")
    default_channels = _merge_list(sources, "default_channels")
    proxies = _merge_map(sources, "proxy_servers")
    for name in [name for name in proxies if "://" in name]:
        warnings.append(f"`proxy_servers` for the single host {redact(name)} is not taken into account here")
        del proxies[name]
    return Condarc(
        channels=tuple(_merge_list(sources, "channels")),
        channel_alias=alias[0].rstrip("/") if alias else Condarc.channel_alias,
        custom_channels=MappingProxyType({**_DEFAULT_CUSTOM, **_merge_map(sources, "custom_channels")}),
        default_channels=tuple(default_channels) or _DEFAULT_CHANNELS,
        channel_priority=_priority(*priority, warnings) if priority else "flexible",
        proxy_servers=MappingProxyType(proxies),
        ssl_verify=_verify(verify[0]) if verify else True,
        pinned_packages=tuple(_merge_list(sources, "pinned_packages")),
        files=tuple(source.path for source in sources),
        warnings=tuple(warnings),
    )


_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def _priority(text: str, path: Path, warnings: list[str]) -> ChannelPriority:
    lowered = text.lower()
    if lowered in _TRUE:  # the meaning that booleans had before conda 4.6
        return "flexible"
    if lowered in _FALSE:
        return "disabled"
    for known in ("strict", "flexible", "disabled"):
        if lowered == known:
            return known
    warnings.append(f"{path}: `channel_priority` must be strict, flexible or disabled; flexible is used")
    return "flexible"


def _verify(text: str) -> bool | str:
    lowered = text.lower()
    if lowered in _TRUE or lowered in _FALSE:
        return lowered in _TRUE
    return "truststore" if lowered == "truststore" else str(Path(text).expanduser())


def proxy_environment(condarc: Condarc) -> dict[str, str]:
    """`proxy_servers` as the variables that HTTP clients read. As with conda, a variable that
    the environment already has wins over the file: set these only where absent."""
    names = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}
    variables = {}
    for scheme, variable in names.items():
        if url := condarc.proxy_servers.get(scheme):
            variables[variable] = url if "://" in url else f"http://{url}"
    return variables
