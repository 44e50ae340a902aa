"""Names of environments: a label for people, a slug for folders and kernels."""

from __future__ import annotations

import re
import unicodedata

from ..errors import BadInputError

NAME_LENGTH = 64
"""Characters of a name: with `conda-env-NAME-py` and a host's paths around it still a good file name."""

LABEL_LENGTH = 100

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9_])?")


def slug(label: str) -> str:
    """The name that a label gives: lower-case ASCII letters, digits, ``.``, ``_`` and ``-``.

    Accents are dropped (NFKD), anything else becomes one ``-``. Empty when nothing is left.
    """
    ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9._]+", "-", ascii_only)[:NAME_LENGTH].strip("-._")


def check_label(label: str) -> str:
    """A label that can be shown, without spaces around it.

    Raises:
        BadInputError: it is empty, too long, or has control characters.
    """
    label = label.strip()
    if not label:
        raise _bad("label", label, "The label is empty.", "Give it a name that you will recognise.")
    if len(label) > LABEL_LENGTH:
        raise _bad("label", label, f"The label has {len(label)} characters.", f"Use at most {LABEL_LENGTH}.")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in label):
        raise _bad("label", label, "The label has invisible control characters.", "Type it again.")
    return label


def check_name(name: str) -> str:
    """A name that is safe as a folder and as a kernel's name.

    Raises:
        BadInputError: it is not; says which character is at fault and what would do.
    """
    if not name:
        raise _bad("name", name, "The name is empty.", "Give the environment a name.")
    if len(name) > NAME_LENGTH:
        message = f"The name has {len(name)} characters."
        raise _bad("name", name[:20] + "…", message, f"Use at most {NAME_LENGTH}.")
    if name == "base":
        hint = "Choose another name."
        raise _bad("name", name, "'base' is what conda calls its own installation.", hint)
    if _SLUG.fullmatch(name):
        return name
    proposal = slug(name)
    hint = f"Use {proposal!r}, or put what you like in the label." if proposal else "Use letters and digits."
    raise _bad("name", name, f"{name!r} cannot be a name: {_fault(name)}.", hint)


def name_for(label: str) -> str:
    """The name for a label, when none was given.

    Raises:
        BadInputError: nothing of the label can be in a name.
    """
    name = slug(label)
    if name == "base":
        name = "base-env"
    if not name:
        raise _bad(
            "label",
            label,
            f"No name can be made from {label!r}.",
            "Use at least one letter a-z or digit in the label, or give a name too.",
        )
    return name


def _fault(name: str) -> str:
    if any(unicodedata.category(char).startswith("C") for char in name):
        return "it has control characters"
    if name[0] in "-._":
        return f"it begins with {name[0]!r}"
    if "/" in name:
        return "it has a '/'"
    if name != name.lower():
        return "it has upper-case letters"
    strange = next((char for char in name if not re.fullmatch(r"[a-z0-9._-]", char)), None)
    return f"it has {strange!r}" if strange else f"it ends with {name[-1]!r}"


def _bad(field: str, value: str, message: str, hint: str) -> BadInputError:
    return BadInputError(message, hint=hint, fields={field: [{"value": value, "message": message}]})


def package_name(spec: str) -> str:
    """The package's name of a match spec or requirement, lower case."""
    text = spec.rpartition("::")[2].strip()
    for number, letter in enumerate(text):
        if not (letter.isalnum() or letter in "-_."):
            text = text[:number]
            break
    return text.lower()
