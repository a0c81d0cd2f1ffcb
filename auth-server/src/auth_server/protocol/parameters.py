"""Request parameters: each at most once, empty ones as if they were not there (RFC 6749 §3.1 and §3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_server.domain.failures import Reason, Refused

Pairs = Sequence[tuple[str, str]]
"""A request's parameters as they arrived: in order, decoded, with duplicates."""
REPEATABLE = frozenset({"resource"})
"""RFC 8707 §2: "Multiple resource parameters MAY be used"."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request's parameters without duplicates; `resources` are the values of `resource`, in order."""

    values: dict[str, str]
    resources: tuple[str, ...]

    def get(self, name: str) -> str | None:
        """The value, or None if the parameter is absent or empty."""
        return self.values.get(name)

    def required(self, name: str) -> str:
        """The value. Raises Refused (MISSING_PARAMETER)."""
        value = self.values.get(name)
        if value is None:
            raise Refused(Reason.MISSING_PARAMETER)
        return value


def parse(pairs: Pairs) -> Parameters:
    """The parameters of a request. Raises Refused (DUPLICATE_PARAMETER, MALFORMED_REQUEST)."""
    values: dict[str, str] = {}
    resources: list[str] = []
    seen: set[str] = set()
    for name, value in pairs:
        # RFC 6749 §3.1: "Request and response parameters MUST NOT be included more than once."
        if name in seen and name not in REPEATABLE:
            raise Refused(Reason.DUPLICATE_PARAMETER)
        seen.add(name)
        if not _is_text(name) or not _is_text(value):
            raise Refused(Reason.MALFORMED_REQUEST)
        # RFC 6749 §3.1: "Parameters sent without a value MUST be treated as if they were omitted"
        if not value:
            continue
        if name in REPEATABLE:
            resources.append(value)
        else:
            values[name] = value
    return Parameters(values, tuple(resources))


def sole(pairs: Pairs, name: str) -> str | None:
    """The one non-empty value of a parameter, looked up before the rest of the request is judged.

    None if it is absent or empty. Raises Refused (DUPLICATE_PARAMETER, MALFORMED_REQUEST).
    """
    found = [value for key, value in pairs if key == name]
    if len(found) > 1:
        raise Refused(Reason.DUPLICATE_PARAMETER)
    if not found or not found[0]:
        return None
    if not _is_text(found[0]):
        raise Refused(Reason.MALFORMED_REQUEST)
    return found[0]


def _is_text(value: str) -> bool:
    """Whether the string has a UTF-8 form: lone surrogates, as lenient decoders leave them, have none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
