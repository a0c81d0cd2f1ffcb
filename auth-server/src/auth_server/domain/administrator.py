"""Who may use the operator's verbs over HTTP: whoever holds a key, each of which has a name and a role."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from auth_server.domain import credentials

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._@-]{1,64}) (?P<role>viewer|operator) (?P<digest>[0-9a-f]{64})")


class AdministratorRole(StrEnum):
    """What a key is good for."""

    VIEWER = "viewer"
    """Looks at everything."""
    OPERATOR = "operator"
    """Looks at everything, and ends it."""

    def includes(self, needed: "AdministratorRole") -> bool:
        """Whether a key of this role does where that one is needed."""
        return self is AdministratorRole.OPERATOR or needed is AdministratorRole.VIEWER


@dataclass(frozen=True, slots=True)
class Administrator:
    """The holder of a key, known by the key's SHA-256."""

    name: str
    role: AdministratorRole
    digest: str = field(repr=False)

    @property
    def line(self) -> str:
        """How the file of keys has it."""
        return f"{self.name} {self.role.value} {self.digest}"


class UnusableAdministrators(Exception):
    """The text names no administrators, or a line of it is wrong; the message says which, and never holds a key."""


def parse(text: str) -> tuple[Administrator, ...]:
    """The administrators in a file of keys. Raises UnusableAdministrators."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            message = f"line {number} is not: a name, viewer or operator, and the SHA-256 of a key in hexadecimal"
            raise UnusableAdministrators(message)
        found.append(Administrator(match["name"], AdministratorRole(match["role"]), match["digest"]))
    if not found:
        raise UnusableAdministrators("it names no administrator")
    if len({each.name for each in found}) != len(found):
        raise UnusableAdministrators("it names one administrator twice")
    return tuple(found)


def holder(administrators: tuple[Administrator, ...], key: str) -> Administrator | None:
    """Whose key this is. Every one is compared, in constant time."""
    presented = credentials.digest(key)
    found = [each for each in administrators if credentials.same_digest(each.digest, presented)]
    return found[0] if found else None
