"""The search path, the merging and the channel names of .condarc."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.envs.condarc import Condarc, proxy_environment, read, search_path
from jupyter_mlinfn.envs.redact import redact, split_credentials


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def environ(home: Path, **more: object) -> dict[str, str]:
    return {"HOME": str(home), **{name: str(value) for name, value in more.items()}}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_search_path_has_every_place_in_condas_order(home: Path) -> None:
    places = search_path(
        environ(home, XDG_CONFIG_HOME="/xdg", CONDA_ROOT="/root", CONDA_PREFIX="/prefix", CONDARC="/mine.yml")
    )
    assert [str(place) for place in places if place.name in (".condarc", "mine.yml")] == [
        "/etc/conda/.condarc",
        "/var/lib/conda/.condarc",
        "/root/.condarc",
        "/xdg/conda/.condarc",
        f"{home}/.config/conda/.condarc",
        f"{home}/.conda/.condarc",
        f"{home}/.condarc",
        "/prefix/.condarc",
        "/mine.yml",
    ]
    assert Path("/etc/conda/condarc.d") in places


def test_root_is_found_by_the_executable(home: Path) -> None:
    assert Path("/opt/conda/.condarc") in search_path(environ(home, CONDA_EXE="/opt/conda/bin/conda"))


def test_every_key_is_read(home: Path) -> None:
    write(
        home / ".condarc",
        """
channels: [lab, conda-forge]
channel_alias: https://mirror.example/conda/
custom_channels:
  lab: https://lab.example/channels
default_channels:
  - https://mirror.example/main
channel_priority: strict
proxy_servers:
  http: http://proxy.example:3128
  https: proxy.example:3129
ssl_verify: /etc/site.pem
pinned_packages:
  - numpy <2
""",
    )
    found = read(environ(home))
    assert found.warnings == ()
    assert found.files == (home / ".condarc",)
    assert found.channel_priority == "strict"
    assert found.ssl_verify == "/etc/site.pem"
    assert found.pinned_packages == ("numpy <2",)
    assert found.resolve_channels([*found.channels, "defaults"]) == [
        "https://lab.example/channels/lab",
        "https://mirror.example/conda/conda-forge",
        "https://mirror.example/main",
    ]
    assert proxy_environment(found) == {
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3129",
    }


def test_without_files_condas_defaults_hold(home: Path) -> None:
    found = read(environ(home))
    assert (found.channels, found.channel_priority, found.ssl_verify) == ((), "flexible", True)
    assert found.resolve_channels(["conda-forge", "defaults"]) == [
        "https://conda.anaconda.org/conda-forge",
        "https://repo.anaconda.com/pkgs/main",
        "https://repo.anaconda.com/pkgs/r",
    ]


def test_later_files_win_and_their_lists_come_first(home: Path, tmp_path: Path) -> None:
    write(home / ".condarc", "channels: [low, both]\nchannel_priority: disabled\nssl_verify: no\n")
    prefix = tmp_path / "prefix"
    write(prefix / "condarc.d" / "10.yml", "channels: [high, both]\nchannel_priority: strict\n")
    write(prefix / "condarc.d" / "20.txt", "channels: [not-read]\n")
    found = read(environ(home, CONDA_PREFIX=prefix))
    assert found.channels == ("high", "both", "low")
    assert found.channel_priority == "strict"
    assert found.ssl_verify is False


def test_flags_move_items_and_end_the_search(home: Path, tmp_path: Path) -> None:
    write(home / ".condarc", "channels:\n  - first  #!top\n  - a\nchannel_priority: strict  #!final\n")
    last = write(tmp_path / "last.yml", "channels:\n  - z  #!bottom\n  - b\nchannel_priority: disabled\n")
    found = read(environ(home, CONDARC=last))
    assert found.channels == ("first", "b", "a", "z")
    assert found.channel_priority == "strict"


def test_final_list_ignores_later_files(home: Path, tmp_path: Path) -> None:
    write(home / ".condarc", "channels:  #!final\n  - site\n")
    last = write(tmp_path / "last.yml", "channels: [mine]\n")
    assert read(environ(home, CONDARC=last)).channels == ("site",)


def test_maps_merge_by_key_and_final_entries_stay(home: Path, tmp_path: Path) -> None:
    write(home / ".condarc", "custom_channels:\n  a: https://low/  #!final\n  b: https://low/\n")
    last = write(tmp_path / "last.yml", "custom_channels:\n  a: https://high/\n  b: https://high/\n")
    found = read(environ(home, CONDARC=last))
    assert found.resolve_channels(["a", "b/label/dev", "pkgs/pro"]) == [
        "https://low/a",
        "https://high/b/label/dev",
        "https://repo.anaconda.com/pkgs/pro",
    ]


def test_variables_are_expanded(home: Path) -> None:
    write(home / ".condarc", "channels: ['https://$WHO:${SECRET}@host/c', '$UNSET/x']\n")
    found = read(environ(home, WHO="me", SECRET="pw"))
    assert found.channels == ("https://me:pw@host/c", "$UNSET/x")


def test_keys_that_matter_and_are_not_read_are_named(home: Path) -> None:
    file = write(home / ".condarc", "offline: true\nauto_update_conda: false\nenvs_dirs: [/x]\n")
    assert read(environ(home)).warnings == (
        f"{file}, line 1: `offline` is not taken into account here",
        f"{file}, line 3: `envs_dirs` is not taken into account here",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("channels: [a\nproxy_servers:\n  http: http://u:s3cret@p\n", 2),
        ("- just\n- a list\n", 1),
        ("channels:\n  - ok\n  - {a: s3cret}\n", 3),
        ("\n\nchannels:\n  a: s3cret\n", 4),
        ("proxy_servers: s3cret\n", 1),
        ("channel_alias:\n  - s3cret\n", 2),
    ],
)
def test_malformed_file_is_a_warning_with_its_line_and_no_value(home: Path, text: str, line: int) -> None:
    file = write(home / ".condarc", text)
    (warning,) = read(environ(home)).warnings
    assert warning.startswith(f"{file}, line {line}: ")
    assert "s3cret" not in warning


def test_a_bad_priority_and_unreadable_bytes_are_warnings(home: Path, tmp_path: Path) -> None:
    write(home / ".condarc", "channel_priority: often\n")
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"\xff\xfe\x00channels")
    found = read(environ(home, CONDARC=binary))
    assert found.channel_priority == "flexible"
    assert len(found.warnings) == 2
    assert str(binary) in found.warnings[0]


def test_channels_by_url_path_and_label(tmp_path: Path) -> None:
    condarc = Condarc()
    assert condarc.resolve_channels(
        ["https://h/c/", "https://h/c/linux-64", str(tmp_path), "bio/label/dev", "nodefaults", "https://h/c"]
    ) == ["https://h/c", tmp_path.as_uri(), "https://conda.anaconda.org/bio/label/dev"]


def test_credentials_are_split_off_and_never_shown() -> None:
    assert redact("GET https://me:pw@h/t/tk-1/c failed, http://x/t/tk-2") == (
        "GET https://***@h/t/***/c failed, http://x/t/***"
    )
    url, login = split_credentials("https://me:p%40w@host:8443/lab")
    assert url == "https://host:8443/lab"
    assert login is not None
    assert (login.host, login.user, login.password) == ("host", "me", "p@w")
    url, login = split_credentials("https://host/t/tk-1/lab/label/dev")
    assert url == "https://host/lab/label/dev"
    assert login is not None
    assert login.token == "tk-1"
    assert split_credentials("https://host/lab") == ("https://host/lab", None)
