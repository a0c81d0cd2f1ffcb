"""The values that a rule of rows allows: texts in which the caller's own texts may stand, as in `USER#$subject`.

What a caller is called must not reach another's rows. A caller's text is therefore put into a longer one only between
separators, and only where it holds neither these nor anything else than letters, digits and a few marks: a subject
`7#ORDER` would else be told apart from `7` by nothing in `USER#$subject#ORDER`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

SUBJECT, TENANT, CLIENT = NAMES = ("$subject", "$tenant", "$client_id")
"""What stands for the caller's own; `$$` is a dollar sign."""

_DOLLAR = re.compile(r"\$(\$|[A-Za-z0-9_]*)")
_NO_SEPARATOR = re.compile(r"[A-Za-z0-9_.@-]")
_WITHIN = re.compile(r"[A-Za-z0-9_.@:-]+")


class BadRowValue(ValueError):
    """The text is no value of a rule; the message says why."""


@dataclass(frozen=True, slots=True)
class RowValue:
    """Fixed pieces, and between each two of them the name of a text of the caller's."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]

    def of_caller(self, own: Mapping[str, str]) -> str | None:
        """The text that the value is for a caller; None if a text of theirs cannot stand in it."""
        texts = [own[name] for name in self.names]
        if any(self.pieces) or len(texts) > 1:
            fixed = "".join(self.pieces)
            if not all(_WITHIN.fullmatch(text) and not (":" in fixed and ":" in text) for text in texts):
                return None
        return self.pieces[0] + "".join(text + piece for text, piece in zip(texts, self.pieces[1:], strict=True))


@lru_cache(maxsize=4096)
def row_value(text: str) -> RowValue:
    """The value that is written so. Raises BadRowValue."""
    pieces, names, end = [""], list[str](), 0
    for found in _DOLLAR.finditer(text):
        pieces[-1] += text[end : found.start()]
        end = found.end()
        if found[0] == "$$":
            pieces[-1] += "$"
        elif found[0] in NAMES:
            names.append(found[0])
            pieces.append("")
        else:
            message = f"has {found[0]}, which is none of {', '.join(NAMES)}; write $$ for a dollar sign"
            raise BadRowValue(message)
    pieces[-1] += text[end:]
    for number, name in enumerate(names):
        before, after = pieces[number], pieces[number + 1]
        joined = (number > 0 and not before) or any(map(_NO_SEPARATOR.fullmatch, (before[-1:], after[:1])))
        if joined:
            message = f"has {name} beside something else without a separator such as #"
            raise BadRowValue(message)
    return RowValue(tuple(pieces), tuple(names))
