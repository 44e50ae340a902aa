"""The table of mounts: as the kernel writes it, and which mount a path lies on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.storage.mounts import MountTable

ROOT = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


def test_all_fields() -> None:
    line = rb"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - fuse.sshfs me@host:/a\040b rw,x=y"
    (mount,) = MountTable.parse(line).mounts

    assert (mount.mount_id, mount.parent_id, mount.device) == (36, 35, "98:0")
    assert (mount.root, mount.point) == ("/mnt1", "/mnt2")
    assert mount.options == {"rw", "noatime"}
    assert (mount.fs_type, mount.source) == ("fuse.sshfs", "me@host:/a b")
    assert mount.super_options == {"rw", "x=y"}
    assert not mount.read_only


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (rb"/a\040b", "/a b"),
        (rb"/a\011b", "/a\tb"),
        (rb"/a\012b", "/a\nb"),
        (rb"/a\134040b", "/a\\040b"),
        (b"/\xc3\xa9", "/é"),
        (b"/\xff", os.fsdecode(b"/\xff")),
    ],
)
def test_names_with_odd_characters(written: bytes, name: str) -> None:
    table = MountTable.parse(ROOT + b"22 21 0:5 / " + written + b" rw - tmpfs tmpfs rw\n")

    assert table.mounts[1].point == name
    assert table.of(name + "/x") is table.mounts[1]


def test_an_empty_source_and_no_optional_fields() -> None:
    (mount,) = MountTable.parse(b"22 21 0:5 / /a ro - tmpfs  rw").mounts

    assert mount.source == ""
    assert mount.fs_type == "tmpfs"
    assert mount.read_only


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"a b 0:1 / / rw - x y z", b"1 2 0:1 / / rw x y z", b"- - -"]
)
def test_lines_that_make_no_sense_are_left_out(line: bytes) -> None:
    assert len(MountTable.parse(line + b"\n" + ROOT).mounts) == 1


def test_what_covers_what() -> None:
    table = MountTable.parse(
        ROOT
        + b"30 21 0:30 / /a rw - nfs first rw\n"
        + b"31 30 0:31 / /a/b rw - nfs inner rw\n"
        + b"32 30 0:32 / /a rw - tmpfs over rw\n"
        + b"33 21 0:33 / / rw - ext4 over-the-root rw\n"
        + b"34 33 0:34 / /a rw - xfs new rw\n"
    )
    covering = MountTable(table.mounts[:4])

    assert _source(covering, "/a/b/c") == "over"
    assert [mount.source for mount in covering.visible()] == ["/dev/sda1", "over"]
    # The root itself may be covered, with all that was in it.
    assert _source(table, "/") == "over-the-root"
    assert _source(table, "/a/b") == "new"
    assert [mount.source for mount in table.visible()] == ["over-the-root", "new"]


def test_a_root_that_is_no_mount() -> None:
    table = MountTable.parse(b"40 7 0:9 / /a rw - nfs first rw\n")

    assert table.root is None
    assert table.of("/b") is None
    assert _source(table, "/a/x") == "first"


@pytest.mark.parametrize("parent", [1, 2, 3])
def test_mounts_that_are_each_others_parents_end(parent: int) -> None:
    table = MountTable.parse(
        b"1 %d 0:1 / / rw - ext4 a rw\n2 1 0:2 / / rw - ext4 b rw\n3 2 0:3 / / rw - ext4 c rw\n" % parent
    )

    assert table.of("/x/y") in (*table.mounts, None)


def test_a_system_without_such_a_table(tmp_path: Path) -> None:
    assert MountTable.read(tmp_path / "missing").mounts == []


@given(st.binary(max_size=400))
def test_no_content_makes_it_fail(content: bytes) -> None:
    table = MountTable.parse(ROOT + content)

    assert table.of("/some/where") is not None


def test_this_machine() -> None:
    table = MountTable.read()

    assert table.root is not None
    proc = table.of("/proc/self/mountinfo")
    assert proc is not None
    assert proc.fs_type == "proc"
    # As the kernel numbers devices: https://man7.org/linux/man-pages/man3/makedev.3.html
    known = [mount for mount in table.visible() if mount.fs_type in ("tmpfs", "ext4", "proc")]
    assert known
    for mount in known:
        device = Path(mount.point).stat().st_dev
        assert mount.device == f"{os.major(device)}:{os.minor(device)}"


def _source(table: MountTable, path: str) -> str:
    mount = table.of(path)
    assert mount is not None
    return mount.source
