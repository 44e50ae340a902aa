"""Sizes in words."""

from __future__ import annotations


def in_words(size: float) -> str:
    """ "8.2 MB": decimal units, as package sites use them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the loop returns at its last unit")
