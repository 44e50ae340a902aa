"""What lasts on machines of many kinds, told from their tables of mounts."""

# ruff: noqa: S108 - nothing is written there

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from jupyter_mlinfn.storage.mounts import MountTable
from jupyter_mlinfn.storage.rules import Rules

from .picture import MACHINES, picture, table

L, E, U = "lasts", "ephemeral", "unknown"

EXPECTED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    # The platform this is made for: Kubernetes, NFS volumes, the home is the private one.
    "overlay_and_nfs": (
        "/home",
        {
            "/home": E,
            "/home/private": L,
            "/home/private/environments/thesis": L,
            "/home/private-not": E,
            "/home/shared": E,
            "/home/shared/public/x": L,
            "/home/shared/cms": L,
            "/envs": L,
            "/tmp": E,
            "/dev/shm": E,
            "/etc/hosts": E,
            "/proc/self": E,
        },
    ),
    "cvmfs": (
        "/home/jovyan",
        {
            "/cvmfs": U,
            "/cvmfs/cms.cern.ch/x": L,
            "/cvmfs/sft.cern.ch": L,
            "/home/jovyan": E,
            "/home/jovyan/private": L,
        },
    ),
    "bind_mounts": (
        "/home/jovyan",
        {
            "/home/jovyan": E,
            "/home/jovyan/private/a": L,
            "/home/jovyan/shared": L,
            "/home/jovyan/data": L,
            # Whether `docker run --rm` was said is not seen from inside.
            "/home/jovyan/unnamed": U,
            "/home/jovyan/scratch/x": E,
            "/home/jovyan/token.txt": L,
            "/etc/resolv.conf": E,
        },
    ),
    "one_disk": (
        "/home/alice",
        {
            "/home/alice": L,
            "/home/alice/private": L,
            "/": L,
            "/tmp": U,
            "/tmp/x": U,
            "/tmpfoo": L,
            "/var/tmp": L,
            "/run/user/1000": E,
            "/dev/shm": E,
            "/media/alice/Stick": L,
            "/snap/core22/1380": L,
        },
    ),
    "read_only_root": (
        "/home/jovyan",
        {
            "/": E,
            "/tmp": E,
            "/home/jovyan": E,
            "/home/jovyan/private/x": L,
            "/etc/jupyter/jupyter_server_config.py": E,
        },
    ),
    "fuse": (
        "/home/jovyan",
        {
            "/home/jovyan": E,
            "/home/jovyan/private": L,
            "/home/jovyan/cloud": L,
            "/home/jovyan/bucket": L,
            "/home/jovyan/lab": L,
            "/home/jovyan/eos": L,
            "/home/jovyan/older": L,
            "/home/jovyan/odd": U,
            "/home/jovyan/vault": U,
        },
    ),
    "tmpfs_home": (
        "/home/jovyan",
        {"/home/jovyan": E, "/home/jovyan/private": L, "/home/jovyan/shared/x": L, "/opt": E},
    ),
    "nested": (
        "/home/jovyan",
        {
            "/home/jovyan/private": L,
            "/home/jovyan/private/fast": E,
            "/home/jovyan/private/fast/results": L,
            "/home/jovyan/private/faster": L,
            "/scratch": E,
            "/scratch/kept/x": L,
            # A later mount hides an earlier one, and what was mounted in that.
            "/home/jovyan/covered": E,
            "/home/jovyan/covered/below": E,
        },
    ),
    "kubernetes": (
        "/home/jovyan",
        {
            "/home/jovyan": E,
            "/home/jovyan/private": E,
            "/home/jovyan/sub": E,
            "/home/jovyan/claimed": L,
            "/home/jovyan/claimed-sub": L,
            "/home/jovyan/of-node": U,
            "/home/jovyan/local": L,
            "/home/jovyan/rbd": L,
            "/home/jovyan/tokens": E,
            "/home/jovyan/secret": E,
        },
    ),
    "kubelet_elsewhere": ("/home/jovyan", {"/home/jovyan/private": E}),
    "podman_rootless": (
        "/home/jovyan",
        {"/home/jovyan": E, "/home/jovyan/work": L, "/home/jovyan/thesis": L},
    ),
    "batch_image": ("/home/alice", {"/": L, "/home/alice": L, "/tmp": U, "/afs/cern.ch": L}),
}


def test_every_machine_is_asked() -> None:
    assert {each.stem for each in MACHINES.glob("*.mountinfo")} == set(EXPECTED)


@pytest.mark.parametrize("machine", EXPECTED)
def test_what_lasts(machine: str) -> None:
    root, expected = EXPECTED[machine]
    seen = picture(machine, root)

    assert {path: seen.verdict(path).persistence for path in expected} == expected
    assert all(seen.verdict(path).why.endswith(".") for path in expected)


@pytest.mark.parametrize(
    ("machine", "path", "words"),
    [
        ("overlay_and_nfs", "/home/private", "A network volume (NFS) of its own."),
        ("overlay_and_nfs", "/home", "It is part of the container, and goes with it."),
        ("cvmfs", "/home/jovyan/private", "A network volume (CephFS) of its own."),
        ("fuse", "/home/jovyan/older", "A network volume (JuiceFS) of its own."),
        ("bind_mounts", "/home/jovyan/data", "A volume of the container engine (jupyter-data)."),
        ("nested", "/home/jovyan/private/fast", "It is in memory (tmpfs): it goes with the server."),
    ],
)
def test_why(machine: str, path: str, words: str) -> None:
    assert picture(machine).verdict(path).why == words


def test_scratch_space_mounted_as_private_is_called_what_it_is() -> None:
    seen = picture("kubernetes")
    private, why = seen.private()

    assert private is None
    assert why == (
        "It is your private folder, but it does not last. "
        "Scratch space of the pod (emptyDir): it goes with the server."
    )
    assert why in [each.verdict.why for each in seen.volumes() if each.name == "private"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Drivers of container engines without overlays.
        ("0:40 /var/lib/docker/btrfs/subvolumes/{hex} / rw - btrfs /dev/sda2 rw", E),
        ("0:40 /var/lib/docker/vfs/dir/{hex} / rw - ext4 /dev/sda2 rw", E),
        ("0:40 / / rw - zfs tank/docker/{hex} rw", E),
        ("253:9 /rootfs / rw - xfs /dev/mapper/docker-253:0-1-{hex} rw", E),
        ("0:40 / / rw - aufs none rw,si=ab", E),
        # Kata Containers, a virtual machine each.
        ("0:40 /{hex}/rootfs / rw - virtiofs kataShared rw", E),
        # System containers and machines.
        ("0:40 /var/lib/lxc/alice/rootfs / rw - ext4 /dev/sda2 rw", L),
        ("0:40 /@ / rw - btrfs /dev/sda2 rw,subvol=/@", L),
        ("0:40 / / rw - zfs rpool/ROOT/debian rw", L),
        ("0:40 / / ro - overlay composefs ro,lowerdir=/run/ostree/.private/cfsroot-lower", L),
        # A live system, a node without a disk, a virtual machine.
        ("0:40 / / rw - tmpfs rootfs rw", E),
        ("0:40 / / rw - nfs 10.0.0.1:/nodes/7 rw", L),
        ("0:40 / / rw - 9p root rw", U),
        ("0:40 / / rw - newfs something rw", U),
    ],
)
def test_the_root_of_other_machines(line: str, expected: str) -> None:
    content = "21 1 " + line.format(hex="0123456789abcdef" * 4)
    assert Rules(MountTable.parse(content.encode())).of("/home/alice").persistence == expected


def test_without_a_table_nothing_is_known() -> None:
    verdict = Rules(MountTable.parse(b"")).of("/home/alice")
    assert verdict.persistence == U
    assert "does not tell" in verdict.why


def test_no_rule_looks_at_the_name_that_the_user_sees() -> None:
    """Any mount under another name gets the same verdict, but for /tmp on a disk."""
    for machine in EXPECTED:
        mounts = table(machine)
        rules = Rules(mounts)
        for mount in mounts.mounts:
            if mount.point in ("/", "/tmp"):
                continue
            renamed = replace(mount, point="/private")
            assert rules.of_mount(renamed, "/private") == rules.of_mount(mount, mount.point)
