"""The words for a statement's text."""

from typing import assert_never

from mcp_server.domain.failures import texts as facts
from mcp_server.surface.wording.words import Words, did_you_mean


def words(fact: facts.TextFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.EmptyStatement():
            return Words("The statement is empty.", "Send a SELECT statement.")
        case facts.NotUnicode():
            return Words("The statement is not valid Unicode text.", "Send it as UTF-8.")
        case facts.StatementTooLong():
            return Words(
                f"The statement has {fact.size} bytes, more than {fact.most}.", "Shorten it; pass values as parameters."
            )
        case facts.ControlCharacter():
            return Words(
                f"The statement holds the control character U+{fact.code_point:04X}.",
                "Remove it, or pass the value as a parameter.",
            )
        case facts.NoTokens():
            return Words(
                "A quoted text, name or comment is not closed, or a character has no meaning in SQL.",
                "Write texts as 'it''s' and names as \"my name\".",
            )
        case facts.BadEscape():
            return Words(
                "The escape string holds NUL, or bytes that are not UTF-8.",
                "Write the characters themselves, without escapes.",
            )
        case facts.NestedTooDeeply():
            return Words("The statement is nested too deeply.", "Break it up with CTEs or shorten it.")
        case facts.Unparsable():
            return _unparsable(fact)
        case facts.MisspeltBeginning():
            return Words(f'A statement cannot start with "{fact.word}".', did_you_mean([fact.near]))
        case facts.NotANumber():
            return Words(
                f'"{fact.written}" is not a number.', "Write numbers in decimals, and a space before an alias."
            )
        case _:
            assert_never(fact)


def _unparsable(fact: facts.Unparsable) -> Words:
    place = f' at "{fact.near[:40]}"' if fact.near.strip() else ""
    reason = f": {fact.reason[0].lower()}{fact.reason[1:]}" if fact.reason else ""
    return Words(f"The statement cannot be parsed{place}{reason}.", "Correct the syntax; the dialect is DuckDB's.")
