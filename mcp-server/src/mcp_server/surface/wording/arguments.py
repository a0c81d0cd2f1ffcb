"""The words for arguments."""

from typing import assert_never

from mcp_server.domain.failures import arguments as facts
from mcp_server.surface.wording.words import Words, did_you_mean

_AGAIN = "Correct the argument and call again."
_CORRECT = "Correct the argument."
_LONGEST_NAME = 64


def words(fact: facts.ArgumentFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.MissingArgument():
            return Words(f"{fact.name} is required.", _AGAIN)
        case facts.UnknownArgument():
            return Words(f"There is no argument {fact.name[:_LONGEST_NAME]}. {_meant(fact)}", _AGAIN)
        case facts.MalformedArgument():
            return Words(f"{fact.name}: {fact.problem[:1].lower()}{fact.problem[1:]}.", _AGAIN)
        case facts.ArgumentOutOfRange():
            return Words(f"{fact.name} must be between {fact.least} and {fact.most}.", _CORRECT)
        case facts.ArgumentNotPositive():
            return Words(f"{fact.name} must be greater than 0.", _CORRECT)
        case _:
            assert_never(fact)


def _meant(fact: facts.UnknownArgument) -> str:
    if fact.near is not None:
        return did_you_mean([fact.near])
    return f"This tool takes {', '.join(fact.known)}." if fact.known else "This tool takes no arguments."
