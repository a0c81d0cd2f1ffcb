"""What may be used once: proofs of possession (RFC 9449 §11.1), and a person's yes to a large scan."""

from typing import Protocol


class SingleUse(Protocol):
    """Remembers the marks of one kind of thing for as long as each could be used again."""

    async def use(self, mark: str, seconds: float) -> bool:
        """Notes the use of what has that mark, for so many seconds; False if it has been used before.

        `seconds` is the same for every mark of the kind.
        """
        ...
