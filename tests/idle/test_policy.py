"""What the admin decides, and which warnings follow from it."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.idle.config import IdleConfig
from jupyter_mlinfn.idle.models import Deadline, Moment
from jupyter_mlinfn.idle.policy import Culler, Warner, fitting, parse_duration, read


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), (" 30 m ", 1800), ("30min", 1800), ("2h", 7200), ("1.5D", 129600)],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "2 weeks", "1h30m", "1e3", "∞"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


def test_nothing_stops_a_server_unless_it_is_set() -> None:
    policy, culler = read(IdleConfig(), {"JUPYTERHUB_API_URL": "http://hub/hub/api"})

    assert policy.timeout is None
    assert culler == Culler()
    assert list(policy.warnings) == [1800, 600, 120]


def test_the_environment_says_what_traits_do_not() -> None:
    environment = {
        "MLINFN_IDLE_TIMEOUT": "2h",
        "MLINFN_IDLE_LONGEST_LIFE": "3d",
        "MLINFN_HUB_CULL_TIMEOUT": "3h",
        "MLINFN_HUB_CULL_EVERY": "300",
        "MLINFN_HUB_MAX_AGE": "7d",
    }
    policy, culler = read(IdleConfig(), environment)
    assert (policy.timeout, policy.longest_life) == (7200, 3 * 86400)
    assert culler == Culler(10800, 300, 7 * 86400)

    policy, culler = read(IdleConfig(idle_timeout=60.0, hub_cull_timeout=120.0), environment)
    assert (policy.timeout, culler.timeout) == (60, 120)
    assert read(IdleConfig(idle_timeout=0.0), environment)[0].timeout is None


def test_a_mistake_in_the_environment_is_told_and_left_out() -> None:
    complaints: list[str] = []
    policy, _ = read(IdleConfig(), {"MLINFN_IDLE_TIMEOUT": "two hours"}, complaints.append)

    assert policy.timeout is None
    assert len(complaints) == 1
    assert "MLINFN_IDLE_TIMEOUT" in complaints[0]
    assert "two hours" in complaints[0]


def test_the_cullers_interval_is_its_own_default() -> None:
    assert read(IdleConfig(hub_cull_timeout=600.0), {})[1].every == 300
    assert read(IdleConfig(hub_cull_timeout=86400.0), {})[1].every == 600


@pytest.mark.parametrize(
    ("whole", "steps"),
    [
        (3 * 3600, [1800, 600, 120]),
        (3600, [1800, 600, 120]),
        (1200, [600, 120]),
        (300, [120]),
        (100, [50]),
    ],
)
def test_who_was_just_there_is_not_warned(whole: float, steps: list[float]) -> None:
    assert list(fitting([1800.0, 600.0, 120.0], whole)) == steps


def end(at: Moment, *, extendable: bool = True) -> Deadline:
    source = "policy" if extendable else "allocation"
    return Deadline(source, at, "certain", "stop_server", extendable)


def test_levels_follow_each_other_and_the_last_is_known() -> None:
    warner = Warner([1800, 600, 120])
    due = [warner.due(end(10_000), 7200, now, "quiet") for now in (8000, 8200, 9399, 9400, 9880, 10_500)]

    assert [each and (each.level, each.last) for each in due] == [
        None,
        (1, False),
        (1, False),
        (2, False),
        (3, True),
        (3, True),
    ]
    assert len({each.id for each in due if each is not None}) == 3


def test_a_warning_is_taken_back_and_another_end_has_another_id() -> None:
    warner = Warner([1800])
    first = warner.due(end(10_000), 7200, 9000, "")
    assert first is not None
    assert warner.due(end(16_000), 7200, 9010, "") is None
    second = warner.due(end(16_000), 7200, 15_000, "")

    assert second is not None
    assert second.id != first.id


def test_an_end_that_others_reckon_by_their_clocks_may_wander() -> None:
    warner = Warner([1800])
    ids = {
        warning.id
        for at in (9999.999, 10_000.001, 10_001.5, 9998.9)
        if (warning := warner.due(end(at, extendable=False), 86400, 9000, ""))
    }
    assert len(ids) == 1


def test_two_servers_never_have_one_id() -> None:
    one, other = (Warner([1800]).due(end(10_000), 7200, 9000, "") for _ in range(2))

    assert one is not None
    assert other is not None
    assert one.id != other.id
