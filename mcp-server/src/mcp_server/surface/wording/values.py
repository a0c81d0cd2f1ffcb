"""The words for values."""

from collections.abc import Sequence
from typing import assert_never

from mcp_server.domain.failures import values as facts
from mcp_server.domain.failures.values import Trouble
from mcp_server.domain.names import quoted
from mcp_server.surface.wording.words import Words, listed

_REMEDIES = {
    Trouble.CONVERSION: (
        "A value does not fit the type. TRY_CAST(x AS TYPE) gives NULL instead; or leave such values out with WHERE."
    ),
    Trouble.TYPES: "Convert an operand with CAST(x AS TYPE); describe_table shows the types of the columns.",
    Trouble.GROUPING: "Add the column to GROUP BY, or take one of its values with any_value(), min() or max().",
    Trouble.NESTED_AGGREGATE: "Filter groups with HAVING, or compute the aggregate in a subquery first.",
    Trouble.NESTED_WINDOW: "Filter by a window function with QUALIFY, or compute it in a subquery first.",
    Trouble.DIVISION_BY_ZERO: "Divide by NULLIF(x, 0), which gives NULL instead.",
    Trouble.OVERFLOW: "Compute with a wider type: CAST an operand to HUGEINT or DOUBLE.",
    Trouble.TIME_FORMAT: (
        "Correct the format, for example '%Y-%m-%d'; try_strptime(x, format) gives NULL for texts that do not fit."
    ),
    Trouble.NO_STRUCT: "Read a field of a JSON column with column->>'field'.",
    Trouble.NO_FIELD: "describe_table shows the fields of structs; each item has only some of them.",
    Trouble.STAR: "unnest(x) in the SELECT list makes columns of the fields of a struct x.",
    Trouble.MACRO: "Filter, sort or make the rows distinct in a subquery, and call the function over that.",
    Trouble.JSON: "Use JSON functions on JSON columns and valid JSON only: CASE WHEN json_valid(x) THEN … END.",
    Trouble.UNNEST: ("UNNEST takes a list: convert a JSON array with CAST(x AS VARCHAR[]) or CAST(x AS DOUBLE[])."),
    Trouble.SET_OPERATION: "Give both sides of the set operation the same number of columns.",
    Trouble.PATTERN: "Correct the regular expression; its syntax is RE2's.",
    Trouble.SEVERAL_ROWS: "Make the subquery give one row, with LIMIT 1 or an aggregate, or compare with IN.",
    Trouble.OTHER: "Correct the expression; use TRY_CAST or NULLIF where single values may not fit.",
}
_AS_TEXT = "Cast it to VARCHAR."
_DECLARE = "Ask the operator to correct the column's declaration in the schemas file."


def words(fact: facts.ValueFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.NotEvaluated():
            return Words(fact.told, _remedy(fact))
        case facts.ParameterNotUnicode():
            return Words(
                "The statement or a parameter holds half of a surrogate pair, which is not valid Unicode.",
                "Send valid Unicode.",
            )
        case facts.UnshowableType():
            return Words(f'Column "{fact.column}" has type {fact.type}, which a result cannot carry.', _AS_TEXT)
        case facts.IntegerTooLong():
            return Words(
                f'Column "{fact.column}" holds an integer of more than {fact.most} digits, '
                "which a result cannot carry.",
                _AS_TEXT,
            )
        case facts.UnexpectedTypes():
            return Words(
                f'Items of table "{fact.table}" hold values of unexpected types in {listed(fact.columns)}.',
                "Run the statement again: the new types are known now. A type declared in the schemas file settles it.",
            )
        case facts.NotTheDeclaredType():
            found = f"a value of type {', '.join(fact.types)}" if fact.types else "a value that does not fit"
            return Words(_declared(fact.table, fact.column, fact.declared, found), _DECLARE)
        case facts.LackingThoughDeclared():
            return Words(_declared(fact.table, fact.column, "NOT NULL", "an item without it"), _DECLARE)
        case _:
            assert_never(fact)


def _remedy(fact: facts.NotEvaluated) -> str:
    if fact.texts:
        return _among_numbers(fact.texts)
    if fact.parts:
        are = "is" if len(fact.parts) == 1 else "are"
        return f"{' and '.join(fact.parts)} {are} read as text. {_numbers(fact.parts[0])}"
    if fact.numerals:
        texts = [text for text, _ in fact.numerals]
        written, type_ = fact.numerals[0]
        texts_are = "is a text" if len(texts) == 1 else "are texts"
        return f"{' and '.join(texts)} {texts_are}, where a number is needed: CAST({written} AS {type_}) is one."
    return _as_texts(*fact.moments[0]) if fact.moments else _REMEDIES[fact.trouble]


def _as_texts(column: str, type_: str) -> str:
    name, held = quoted(column), "days" if type_ == "DATE" else "times"
    return (
        f'"{column}" holds {held} as texts. Compare it with texts, which is a range of a key, too: '
        f"{name} >= '2026-01-01' AND {name} < '2027-01-01'. Or compute with CAST({name} AS {type_}). "
        f"The operator can declare the column {type_} in the schemas file."
    )


def _among_numbers(columns: Sequence[str]) -> str:
    held, read = ("holds", "it is") if len(columns) == 1 else ("hold", "they are")
    return f"{listed(columns)} {held} texts among the numbers, so {read} read as text. {_numbers(quoted(columns[0]))}"


def _numbers(text: str) -> str:
    return (
        f"TRY_CAST({text} AS DOUBLE) gives the numbers, and NULL for what is none; "
        "AS DECIMAL(38, 4) keeps decimal places exactly."
    )


def _declared(table: str, column: str, declared: str, found: str) -> str:
    return f'Column "{column}" of table "{table}" is declared {declared}, but there is {found}.'
