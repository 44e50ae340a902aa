"""What a mount says of whether files on it are there at the next start. Pure.

Decided from the type of the file system, from which of its folders is mounted (the field `root` of
mountinfo), and from what the process's root is: never from the name under which the user sees it. Where
the table does not tell, it is unknown; an admin can say (`persistent_folders`, `ephemeral_folders`).

Sources: https://docs.kernel.org/filesystems/overlayfs.html, https://docs.kernel.org/filesystems/tmpfs.html,
https://kubernetes.io/docs/concepts/storage/volumes/, https://docs.docker.com/engine/storage/,
the Filesystem Hierarchy Standard 3.0, and the tables in tests/storage/machines.
"""

from __future__ import annotations

import re

from .models import Mount, Verdict
from .mounts import MountTable
from .walk import within

MEMORY = frozenset(("tmpfs", "ramfs", "devtmpfs", "hugetlbfs", "rootfs"))

PSEUDO = frozenset(
    """autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts efivarfs fusectl mqueue nsfs proc
    pstore rpc_pipefs securityfs selinuxfs sysfs tracefs fuse.lxcfs fuse.portal""".split()  # noqa: SIM905
)
"""Made up by the kernel or by programs: no place for files. What autofs mounts has a line of its own."""

NETWORK = {
    **dict.fromkeys(("nfs", "nfs4"), "NFS"),
    **dict.fromkeys(("cifs", "smb2", "smb3", "smbfs"), "SMB"),
    **dict.fromkeys(("ceph", "fuse.ceph", "fuse.ceph-fuse"), "CephFS"),
    **dict.fromkeys(("afs", "openafs"), "AFS"),
    **dict.fromkeys(("glusterfs", "fuse.glusterfs"), "GlusterFS"),
    **dict.fromkeys(("lustre", "fuse.lustre"), "Lustre"),
    **dict.fromkeys(("fuse.eosxd", "fuse.eosxd3", "fuse.eos"), "EOS"),
    **dict.fromkeys(("fuse.rclone", "fuse.rclonefs"), "rclone"),
    **dict.fromkeys(("fuse.davfs", "fuse.davfs2", "davfs"), "WebDAV"),
    **dict.fromkeys(("fuse.mfs", "fuse.moosefs", "fuse.lizardfs"), "MooseFS"),
    **dict.fromkeys(("pvfs2", "orangefs"), "OrangeFS"),
    "gpfs": "GPFS",
    "beegfs": "BeeGFS",
    "wekafs": "WekaFS",
    "panfs": "PanFS",
    "coda": "Coda",
    "fuse.sshfs": "SSH",
    "fuse.s3fs": "S3",
    "fuse.goofys": "S3",
    "fuse.geesefs": "S3",
    "fuse.mountpoint-s3": "S3",
    "fuse.gcsfuse": "Google Cloud Storage",
    "fuse.blobfuse2": "Azure",
    "fuse.juicefs": "JuiceFS",
    "fuse.seaweedfs": "SeaweedFS",
    "fuse.oneclient": "Onedata",
    "fuse.dfuse": "DAOS",
    "fuse.daos": "DAOS",
    "fuse.xrootdfs": "XRootD",
    "fuse.quobyte": "Quobyte",
    "fuse.hadoop-fuse-dfs": "HDFS",
}

_FUSE_SOURCES = (
    ("JuiceFS:", "fuse.juicefs"),
    ("cvmfs2", "cvmfs"),
    ("mountpoint-s3", "fuse.mountpoint-s3"),
    ("davfs", "fuse.davfs"),
    ("eosxd", "fuse.eosxd"),
)
"""Programs that mount as plain ``fuse`` and write into the source what they are."""

DISK = frozenset(
    """ext2 ext3 ext4 xfs btrfs zfs bcachefs f2fs jfs nilfs2 reiserfs vfat exfat msdos ntfs ntfs3 fuseblk
    hfsplus apfs ufs gfs2 ocfs2 udf fuse.ntfs-3g fuse.exfat""".split()  # noqa: SIM905
)

IMAGES = frozenset(
    ("squashfs", "erofs", "iso9660", "cramfs", "romfs", "fuse.squashfuse", "fuse.squashfuse_ll")
)

HOST_SHARES = frozenset(("9p", "virtiofs", "fuse.grpcfuse", "fuse.osxfs", "fakeowner", "prl_fs", "vboxsf"))
"""Folders of the machine around a virtual one."""

_OVERLAYS = frozenset(("overlay", "overlayfs", "fuse-overlayfs", "fuse.fuse-overlayfs", "aufs"))

_POD = re.compile(r"(?:^|/)pods/[0-9a-f][0-9a-f-]{7,}/")
"""The folder of a pod on a node of Kubernetes, wherever kubelet keeps it (``--root-dir``)."""

_POD_VOLUME = re.compile(_POD.pattern + r"volumes/kubernetes\.io~([^/]+)/")

_POD_OWN = re.compile(_POD.pattern + r"(?:etc-hosts$|containers/)")

_MADE_BY_KUBERNETES = frozenset(("configmap", "secret", "projected", "downward-api"))

_CLAIM = re.compile(r"(?:^|/)pvc-[0-9a-f]{8}-[0-9a-f-]{27}")
"""A persistent volume as provisioners name its folder: ``pvc-UID-OF-THE-CLAIM``."""

_LAYER = re.compile(
    r"/(?:overlay2?|fuse-overlayfs|aufs|vfs|devicemapper|btrfs/subvolumes|zfs)/(?:diff/|dir/|graph/)?[0-9a-f]{64}"
    r"|/io\.containerd\.snapshotter\.v1\.[a-z-]+/snapshots/"
    r"|/io\.containerd\.grpc\.v1\.cri/containers/[0-9a-f]+/"
)
"""What the runtimes keep of one container; the last are volumes that the image declares."""

_RUNTIME = re.compile(
    r"/containers/[0-9a-f]{64}/(?:hosts|hostname|resolv\.conf|mounts/)"
    r"|/overlay-containers/[0-9a-f]{64}/"
    r"|/io\.containerd\.grpc\.v1\.cri/sandboxes/"
)

_NAMED_VOLUME = re.compile(r"/volumes/([^/]+)/_data(?:/|$)")
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")

_KATA = "kataShared"

_COMPOSED = "composefs"
"""The read-only root of machines that are updated as a whole (ostree); it is an overlay, too."""


class Rules:
    """What the mounts of one machine say; see the module.

    Attributes:
        container: whether this process's root is the writable layer of a container, which goes with it
            (or the memory of a live system); a system container with a disk of its own is a machine.
        pod: whether it is one of Kubernetes, which may start the next one on another node.
    """

    def __init__(self, table: MountTable) -> None:
        self._table = table
        root = table.root
        self.container = root is not None and (
            (root.fs_type in _OVERLAYS and root.source != _COMPOSED)
            or root.fs_type in MEMORY
            or _is_layer(root)
            or root.source == _KATA
        )
        # Every pod has its own files there, /etc/hosts if nothing else.
        of_kubelet = [mount for mount in table.mounts if _POD.search(mount.root)]
        self.pod = bool(of_kubelet)
        self._node_disks = {mount.device for mount in of_kubelet}

    def of(self, path: str) -> Verdict:
        """What holds for a resolved path that nobody configured."""
        mount = self._table.of(path)
        if mount is None:
            return Verdict("unknown", "This system does not tell what it lies on.")
        return self.of_mount(mount, path)

    def of_mount(self, mount: Mount, path: str = "") -> Verdict:
        """What holds on a mount.

        Args:
            path: where on it, as far as that matters.
        """
        kind = kind_of(mount)
        if kind in PSEUDO:
            if kind == "autofs":
                return Verdict("unknown", "It is mounted when it is first used.")
            return Verdict("ephemeral", "It is made up by the system: no place for files.")
        if kind in MEMORY:
            return Verdict("ephemeral", f"It is in memory ({kind}): it goes with the server.")
        volume = _of_runtime(mount)
        if volume is not None:
            return volume
        if kind == "cvmfs":
            return Verdict("lasts", "CernVM-FS: read only, the same for everybody.")
        if kind in NETWORK:
            return Verdict("lasts", f"A network volume ({NETWORK[kind]}) of its own.")
        if kind in _OVERLAYS:
            return self._overlay(mount)
        if kind in IMAGES:
            return Verdict("lasts", f"An image ({kind}) that nobody writes to.")
        if kind in DISK:
            return self._disk(mount, path)
        if kind in HOST_SHARES:
            return self._host_share(mount)
        return Verdict("unknown", f"Whether files of this kind of storage ({kind}) last is not known.")

    def _overlay(self, mount: Mount) -> Verdict:
        root = self._table.root
        if self.container and root is not None and mount.device == root.device:
            return Verdict("ephemeral", "It is part of the container, and goes with it.")
        upper = next((each for each in mount.super_options if each.startswith("upperdir=")), None)
        if upper is None:
            return Verdict("lasts", "Layers that nobody writes to.")
        if _LAYER.search(upper) or _RUNTIME.search(upper):
            return Verdict("ephemeral", "A layer of a container, which goes with it.")
        return Verdict("unknown", "Where the upper layer of this overlay is kept is not seen from here.")

    def _disk(self, mount: Mount, path: str) -> Verdict:
        kind = mount.fs_type
        if not self.container:
            if within(path, "/tmp"):  # noqa: S108 - not ours to write to
                # FHS 3.0, 3.18.
                return Verdict("unknown", "On a disk, but the system may clear /tmp at any start.")
            return Verdict("lasts", f"A disk ({kind}) of this machine.")
        if self._table.root is mount:
            return Verdict("ephemeral", "It is part of the container, and goes with it.")
        if self.pod and mount.device in self._node_disks and not _CLAIM.search(mount.root):
            # https://kubernetes.io/docs/concepts/storage/volumes/#hostpath
            return Verdict(
                "unknown", "A folder of the node's own disk: the next start may be on another node."
            )
        if mount.root == "/" or _CLAIM.search(mount.root):
            return Verdict("lasts", f"A volume ({kind}) of its own.")
        return Verdict("lasts", f"A folder of the machine around the container ({kind}).")

    def _host_share(self, mount: Mount) -> Verdict:
        if self._table.root is mount:
            if mount.source == _KATA:
                return Verdict("ephemeral", "It is part of the container, and goes with it.")
            return Verdict("unknown", "What is behind the root of this machine is not seen from here.")
        if mount.source == _KATA:
            # Kata Containers hand in all volumes alike.
            return Verdict("unknown", "What is behind a volume is not seen from inside this container.")
        return Verdict("lasts", f"A folder of the machine around this one ({mount.fs_type}).")


def kind_of(mount: Mount) -> str:
    """The type of the file system; for plain ``fuse`` what its source tells."""
    kind = mount.fs_type
    if kind == "fuse":
        for beginning, tells in _FUSE_SOURCES:
            if mount.source.startswith(beginning):
                return tells
    return "cvmfs" if kind in ("cvmfs", "cvmfs2", "fuse.cvmfs2", "fuse.cvmfs") else kind


def is_pseudo(mount: Mount) -> bool:
    """Whether there are no files of anybody's."""
    return kind_of(mount) in PSEUDO


def is_kept_by_runtime(mount: Mount) -> bool:
    """Whether a runtime put it there for itself: ``/etc/hosts``, a secret."""
    volume = _POD_VOLUME.search(mount.root)
    own = _POD_OWN.search(mount.root) or _RUNTIME.search(mount.root)
    return bool(own) or (volume is not None and volume[1] in _MADE_BY_KUBERNETES)


def _is_layer(mount: Mount) -> bool:
    """Whether a disk's folder is the layer of a container: drivers without overlays."""
    # The driver devicemapper: a device of its own for each container.
    mapped = mount.source.startswith("/dev/mapper/docker-") and mount.root == "/rootfs"
    of_zfs = mount.fs_type == "zfs" and bool(_ANONYMOUS.search(mount.source.rpartition("/")[2]))
    return mapped or of_zfs or bool(_LAYER.search(mount.root))


def _of_runtime(mount: Mount) -> Verdict | None:
    """What Kubernetes' or a container runtime's own folders say, on whatever file system they are."""
    volume = _POD_VOLUME.search(mount.root)
    if volume is not None:
        plugin = volume[1]
        if plugin in ("empty-dir", "git-repo"):
            # https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
            return Verdict("ephemeral", "Scratch space of the pod (emptyDir): it goes with the server.")
        if plugin in _MADE_BY_KUBERNETES:
            return Verdict("ephemeral", f"Put there by Kubernetes at each start ({plugin}).")
        return Verdict("lasts", f"A volume of Kubernetes ({plugin}).")
    if _POD_OWN.search(mount.root) or _RUNTIME.search(mount.root):
        return Verdict("ephemeral", "Put there at each start for the container.")
    named = _NAMED_VOLUME.search(mount.root)
    if named is not None:
        # https://docs.docker.com/engine/storage/volumes/
        if _ANONYMOUS.fullmatch(named[1]):
            return Verdict("unknown", "A volume without a name: whoever removes the container may remove it.")
        return Verdict("lasts", f"A volume of the container engine ({named[1]}).")
    if mount.point != "/" and _LAYER.search(mount.root):
        return Verdict("ephemeral", "It is part of the container, and goes with it.")
    return None
