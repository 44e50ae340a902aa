"""The mounts and the configuration together: which volumes are told of, and what is walked through."""

# ruff: noqa: S108 - nothing is written there

from __future__ import annotations

import pytest

from .picture import picture


def names(machine: str, root: str = "/home/jovyan", **folders: object) -> dict[str, str]:
    return {each.name: each.verdict.persistence for each in picture(machine, root, **folders).volumes()}


def test_the_volumes_of_the_platform() -> None:
    seen = picture(
        "overlay_and_nfs",
        "/home",
        home="/home/private",
        environments="/home/private/environments",
        shared=["/home/shared", "/envs"],
    )
    told = {each.name: each for each in seen.volumes()}

    assert {name: each.verdict.persistence for name, each in told.items()} == {
        "home": "ephemeral",
        "~": "lasts",
        "shared": "ephemeral",
        "/envs": "lasts",
        "shared/public": "lasts",
        "shared/cms": "lasts",
        "/tmp": "ephemeral",
    }
    assert told["~"].root_path == "private"
    assert told["home"].root_path == ""
    assert (told["/envs"].root_path, told["/envs"].read_only) == (None, True)
    assert told["shared/cms"].fs_type == "nfs4"


def test_what_is_like_the_folder_around_it_is_told_once() -> None:
    assert names("one_disk", "/home/alice/work", home="/home/alice", shared=[]) == {
        "work": "lasts",
        "private": "lasts",
        "/tmp": "unknown",
    }


def test_mounts_below_what_is_shown_are_told_of() -> None:
    assert names("fuse", shared=[]) == {
        "~": "ephemeral",
        "private": "lasts",
        "cloud": "lasts",
        "bucket": "lasts",
        "lab": "lasts",
        "eos": "lasts",
        "odd": "unknown",
        "vault": "unknown",
        "older": "lasts",
        "/tmp": "ephemeral",
    }


def test_what_is_configured_goes_before_the_table() -> None:
    seen = picture(
        "nested",
        persistent=["/home/jovyan/covered", "/scratch"],
        ephemeral=["/home/jovyan/private/old", "/scratch/purged"],
    )

    def persistence(path: str) -> str:
        return seen.verdict(path).persistence

    assert persistence("/home/jovyan/covered/x") == "lasts"
    assert persistence("/home/jovyan/private/old/x") == "ephemeral"
    assert "administrator" in seen.verdict("/home/jovyan/private/old").why
    # The deepest wins, and so does what is mounted deeper.
    assert persistence("/scratch/purged") == "ephemeral"
    assert persistence("/scratch/other") == "lasts"
    assert persistence("/scratch/kept") == "lasts"
    assert picture("nested", persistent=["/home"]).verdict("/home/jovyan/private/fast").persistence == (
        "ephemeral"
    )


def test_what_the_table_does_not_know_takes_the_word_of_a_folder_above() -> None:
    assert picture("fuse", persistent=["/home/jovyan"]).verdict("/home/jovyan/odd").persistence == "lasts"


@pytest.mark.parametrize(("said", "expected"), [(True, "lasts"), (False, "unknown")])
def test_a_private_folder_of_an_unknown_kind(said: bool, expected: str) -> None:
    seen = picture("bind_mounts", private="/home/jovyan/unnamed", said_to_last=said)

    assert seen.verdict("/home/jovyan/unnamed/x").persistence == expected
    # There is nothing better to rescue to.
    assert seen.private()[0] is not None
    assert not [each for each in seen.plan(None).regions if each.startswith("/home/jovyan/unnamed")]


def test_what_others_do_in_a_shared_folder_of_an_unknown_kind_is_not_for_this_server_to_rescue() -> None:
    seen = picture("bind_mounts", shared=["/home/jovyan/unnamed"])
    assert seen.verdict("/home/jovyan/unnamed").persistence == "unknown"
    regions = seen.plan(None).regions
    assert "/home/jovyan/unnamed" not in regions
    # What certainly goes is told of wherever it is.
    assert (
        "/home/jovyan/scratch" in picture("bind_mounts", shared=["/home/jovyan/scratch"]).plan(None).regions
    )


def test_a_word_of_the_admin_does_not_make_scratch_space_last() -> None:
    seen = picture("kubernetes", said_to_last=True)

    assert seen.verdict("/home/jovyan/private").persistence == "ephemeral"
    assert seen.private()[0] is None


@pytest.mark.parametrize(
    ("machine", "folders", "words"),
    [
        ("bind_mounts", {"private": "/home/jovyan/shared"}, "read only"),
        ("bind_mounts", {"private": None}, "no private folder"),
        ("tmpfs_home", {"private": "/home/jovyan/mine"}, "in memory"),
    ],
)
def test_where_nothing_can_be_rescued_to(machine: str, folders: dict[str, object], words: str) -> None:
    private, why = picture(machine, **folders).private()

    assert private is None
    assert words in why


def test_what_is_walked_through_on_the_platform() -> None:
    plan = picture("overlay_and_nfs", "/home", home="/home/private").plan(100.0, ["*.tmp"])

    assert plan.bases == ["/home", "/home/private"]
    assert plan.regions == ["/home"]
    assert sorted(plan.borders) == ["/home/private", "/home/shared/cms", "/home/shared/public"]
    assert (plan.since, plan.ignored) == (100.0, ["*.tmp"])


def test_what_is_walked_through_where_mounts_are_nested() -> None:
    plan = picture("nested", "/home/jovyan", home="/scratch").plan(None)

    assert set(plan.regions) == {
        "/home/jovyan",
        "/home/jovyan/private/fast",
        "/home/jovyan/covered",
        "/scratch",
    }
    assert "/home/jovyan/covered/below" not in plan.borders


@pytest.mark.parametrize(
    ("machine", "root", "regions"),
    [
        ("one_disk", "/home/alice", []),
        # Nobody writes to secrets, nor to what is read only.
        ("kubernetes", "/home/jovyan", ["", "/private", "/sub", "/of-node"]),
        ("bind_mounts", "/home/jovyan", ["", "/unnamed", "/scratch"]),
    ],
)
def test_where_nothing_is_lost_nothing_is_walked_through(machine: str, root: str, regions: list[str]) -> None:
    plan = picture(machine, root).plan(None)

    assert sorted(plan.regions) == sorted(root + each for each in regions)


@pytest.mark.parametrize(
    ("path", "shown", "name"),
    [
        ("/home/jovyan", "", "~"),
        ("/home/jovyan/a/b", "a/b", "a/b"),
        ("/home/jovyanne", None, "/home/jovyanne"),
        ("/", None, "/"),
    ],
)
def test_names(path: str, shown: str | None, name: str) -> None:
    seen = picture("nested")

    assert seen.root_path(path) == shown
    assert seen.name(path) == name


def test_a_root_that_is_the_whole_machine() -> None:
    seen = picture("nested", "/", home="/home/jovyan", private="/home/jovyan/private")

    assert seen.root_path("/") == ""
    assert seen.root_path("/scratch/x") == "scratch/x"
    plan = seen.plan(None)
    assert plan.regions[0] == "/"
    assert not {"/proc", "/sys", "/dev/pts", "/etc/hosts"} & set(plan.regions)
    assert {"/proc", "/sys", "/etc/hosts"} <= set(plan.borders)
    # What the system writes by itself is not the user's.
    assert {"/usr", "/var", "/etc"} <= set(plan.ignored_folders)
    assert "/usr" not in picture("nested").plan(None).ignored_folders


def test_a_user_without_a_home() -> None:
    plan = picture("nested", "/home/jovyan", home="/").plan(None)

    assert plan.bases == ["/home/jovyan"]
    assert "/" not in plan.regions


def test_places() -> None:
    seen = picture("nested")
    on_scratch = seen.place("/home/jovyan/private/fast/x/y.ipynb", "private/fast/x/y.ipynb")

    assert on_scratch.path == "private/fast/x/y.ipynb"
    assert on_scratch.verdict.persistence == "ephemeral"
    assert on_scratch.volume == "private/fast"
    assert on_scratch.private is not None
    assert on_scratch.private.root_path == "private"
    assert seen.place("/home/jovyan/n.ipynb", "n.ipynb").volume == "~"
