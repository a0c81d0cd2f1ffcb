"""How texts are written that are all written alike: `0000-00-00A00:00:00A` for times, `AAAA#000` for keys.

In a shape `0` is a digit, `a` a small letter, `A` a capital, `*` any of these; every other character is itself.
"""

from string import ascii_lowercase, ascii_uppercase, digits

_KINDS = str.maketrans(
    digits + ascii_lowercase + ascii_uppercase,
    "0" * len(digits) + "a" * len(ascii_lowercase) + "A" * len(ascii_uppercase),
)


def shape_of(text: str) -> str | None:
    """The shape of one text; None for a text that could be taken for more than one."""
    return None if "*" in text else text.translate(_KINDS)


def shared(one: str | None, other: str | None) -> str | None:
    """The shape that texts of both shapes have; None if there is none."""
    if one is None or other is None or len(one) != len(other):
        return None
    if one == other:
        return one
    merged = [
        left if left == right else "*" if {left, right} <= set("0aA*") else ""
        for left, right in zip(one, other, strict=True)
    ]
    return "".join(merged) if all(merged) else None


def begins(text: str, shape: str) -> bool:
    """Whether a text of that shape can begin like that."""
    kinds = text.translate(_KINDS)
    return len(kinds) <= len(shape) and all(
        kind == wanted or (wanted == "*" and kind in "0aA") for kind, wanted in zip(kinds, shape, strict=False)
    )
