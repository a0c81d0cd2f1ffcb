"""The words for calls of functions."""

from typing import assert_never

from mcp_server.domain.failures import functions as facts
from mcp_server.domain.failures.functions import Growing
from mcp_server.surface.wording.syntax import NO_LAMBDAS
from mcp_server.surface.wording.words import Words, did_you_mean

_ROWS_OF_LISTS = "unnest(list) in FROM or in the SELECT list makes a row of each element."
_FORMATTED = "Use strftime(x, '%Y-%m-%d') of a DATE or TIMESTAMP; DuckDB's letters stand for parts of times only."
_PARSED = "Use strptime(text, '%Y-%m-%d')."
_INSTEAD = {
    "date_format": _FORMATTED,
    "date_parse": _PARSED,
    "explode": _ROWS_OF_LISTS,
    "flatten": _ROWS_OF_LISTS,
    "format_date": _FORMATTED,
    "format_timestamp": _FORMATTED,
    "initcap": "Use upper(left(text, 1)) || lower(substr(text, 2)), which is of the first word only.",
    "json_array_elements": _ROWS_OF_LISTS,
    "json_array_elements_text": _ROWS_OF_LISTS,
    "json_build_object": "Use json_object(key, value, …).",
    "json_each": _ROWS_OF_LISTS,
    "json_table": _ROWS_OF_LISTS,
    "jsonb_array_elements": _ROWS_OF_LISTS,
    "jsonb_array_elements_text": _ROWS_OF_LISTS,
    "jsonb_build_object": "Use json_object(key, value, …).",
    "julianday": "Subtract dates, or use date_diff('day', start, end).",
    "list_filter": NO_LAMBDAS,
    "list_transform": NO_LAMBDAS,
    "months_between": "Use date_diff('month', start, end), which counts the ends of months between them.",
    "openjson": _ROWS_OF_LISTS,
    "parse_date": _PARSED,
    "parse_timestamp": _PARSED,
    "str_to_date": _PARSED,
    "substring_index": "Use split_part(text, separator, number).",
    "to_char": _FORMATTED,
    "to_date": _PARSED,
    "unix_timestamp": "Use epoch(now()).",
    "width_bucket": "Compute it: floor((x - low) / width) + 1.",
}
"""What to use instead of functions of other databases that nothing here is called like."""
_TIMES = "Write date_trunc('month', x), date_diff('day', start, end), x + INTERVAL 3 DAY, x - INTERVAL 3 DAY."

_OF_ONE_ARGUMENT = {
    "decode": "Write CASE x WHEN value THEN result ELSE other END; decode makes a text of a BLOB.",
    "to_timestamp": "It takes seconds since 1970. Read a text with strptime(text, '%Y-%m-%d').",
}


def words(fact: facts.FunctionFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.UnknownFunction():
            instead = _INSTEAD.get(fact.name) or (did_you_mean(fact.near) if fact.near else "Use another function.")
            return Words(f'There is no function "{fact.name}" here.', instead)
        case facts.UnboundedSize():
            return Words("The size of what this function would make is not bounded.", _bounded(fact))
        case facts.DottedCall():
            return Words("Functions cannot be called with a dot.", "Write `function(value)`, without a schema.")
        case facts.UnknownTimeUnit():
            return Words(f'There is no unit of time "{fact.unit}".', _TIMES)
        case facts.ArgumentsOfAnotherDialect():
            plural = "" if fact.wanted == 1 else "s"
            advice = _OF_ONE_ARGUMENT.get(fact.function, _TIMES)
            return Words(f"{fact.function} has {fact.wanted} argument{plural}.", advice)
        case facts.DateWithModifiers():
            return Words("date has one argument.", _TIMES)
        case facts.TruncatedTime():
            return Words("trunc cuts numbers.", _TIMES)
        case _:
            assert_never(fact)


def _bounded(fact: facts.UnboundedSize) -> str:
    match fact.function:
        case Growing.REPEAT:
            return f"Give the number of repetitions as a constant; the result may have {fact.most} characters."
        case Growing.PAD:
            return f"Give the length as a constant of at most {fact.most}."
        case Growing.FORMAT:
            return f"Give the format as a constant, with widths of at most {fact.most} in all written in it."
        case Growing.SEQUENCE:
            return f"Give start, end and step as whole numbers; the sequence may have {fact.most:,} elements."
        case _:
            assert_never(fact.function)
