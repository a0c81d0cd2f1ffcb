"""Virtual tables: the items of one kind in a table of many kinds, with the parts of composite keys as columns."""

import re
from dataclasses import dataclass, field

_SLOT = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class BadTemplate(ValueError):
    """The text is no template; the message says why."""


@dataclass(frozen=True, slots=True)
class Template:
    """The form of a text: fixed pieces, and between each two of them a slot, which holds one or more characters.

    `ORDER#{order_id}` has the pieces `ORDER#` and an empty one. A slot ends before the first occurrence of the
    piece that follows it, so that a text can be read in one way only.
    """

    pieces: tuple[str, ...]
    slots: tuple[str, ...]
    _form: re.Pattern[str] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Template":
        """The template that is written so. Raises BadTemplate."""
        parts = _SLOT.split(text)
        pieces, slots = tuple(parts[::2]), tuple(parts[1::2])
        if any("{" in piece or "}" in piece for piece in pieces):
            raise BadTemplate("has a brace without its other half")
        if not all(_NAME.fullmatch(slot) for slot in slots):
            raise BadTemplate("names a column that is not letters, digits and underscores")
        if len(set(slots)) != len(slots):
            raise BadTemplate("names a column twice")
        if not all(pieces[1:-1]):
            raise BadTemplate("has two columns with nothing between them")
        if not any(pieces):
            raise BadTemplate("has nothing but a column")
        form = "".join(
            re.escape(piece) + (_slot_form(following) if following is not None else "")
            for piece, following in zip(pieces, [*pieces[1:], None], strict=True)
        )
        return cls(pieces, slots, re.compile(form, re.DOTALL))

    def read(self, text: str) -> tuple[str, ...] | None:
        """What the slots hold in a text; None if it has another form."""
        match = self._form.fullmatch(text)
        return match.groups() if match is not None else None

    def beginning(self, values: tuple[str, ...]) -> str:
        """How a text begins whose first slots hold these values; with all of them, the text."""
        following = self.pieces[1 : len(values) + 1]
        return self.pieces[0] + "".join(value + piece for value, piece in zip(values, following, strict=True))


def _slot_form(following: str) -> str:
    return "(.+)" if not following else f"((?:(?!{re.escape(following)}).)+)"


@dataclass(frozen=True, slots=True)
class VirtualTable:
    """The items of the table `source` each of whose attributes here is a text of its template's form."""

    name: str
    source: str
    templates: tuple[tuple[str, Template], ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that tell whether an item belongs to it."""
        return tuple(attribute for attribute, _ in self.templates)

    @property
    def slots(self) -> tuple[str, ...]:
        """The columns that are parts of attributes; of a name that two templates have, both parts are the same."""
        return tuple(dict.fromkeys(slot for _, template in self.templates for slot in template.slots))
