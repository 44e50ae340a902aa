"""Names of environments: what is refused, and that each refusal says what would do."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.envs.names import check_label, check_name, name_for
from jupyter_mlinfn.errors import BadInputError


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("My env", "my-env"),
        ("Año nuevo 2.0", "ano-nuevo-2.0"),
        ("  spaces  ", "spaces"),
        ("../../etc/passwd", "etc-passwd"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("B→µν", "b"),
        ("a" * 80, "a" * 64),
        ("UPPER_case", "upper_case"),
        ("Base", "base-env"),
    ],
)
def test_a_label_gives_a_name_that_is_a_valid_name(label: str, name: str) -> None:
    assert name_for(check_label(label)) == name
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "empty"),
        ("a/b", "has a '/'"),
        ("..", "begins with '.'"),
        ("../x", "begins with '.'"),
        ("-rf", "begins with '-'"),
        (".mlinfn", "begins with '.'"),
        ("a\nb", "control characters"),
        ("a\x00b", "control characters"),
        ("a" * 300, "300 characters"),
        ("MyEnv", "upper-case"),
        ("my env", "' '"),
        ("naïve", "'ï'"),
        ("a.", "ends with '.'"),
        ("base", "conda calls"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_its_fault(name: str, fault: str) -> None:
    with pytest.raises(BadInputError) as caught:
        check_name(name)
    assert fault in caught.value.message
    assert caught.value.hint
    assert caught.value.fields["name"]


@pytest.mark.parametrize("label", ["", "   ", "a\x1bb", "a\u202eb", "x" * 101])
def test_a_label_that_cannot_be_shown_is_refused(label: str) -> None:
    with pytest.raises(BadInputError) as caught:
        check_label(label)
    assert caught.value.fields["label"]


def test_a_label_of_which_nothing_can_be_in_a_name_asks_for_a_name() -> None:
    with pytest.raises(BadInputError, match="No name can be made"):
        name_for("物理")
