"""The words for what statements may not consist of."""

from typing import assert_never

from mcp_server.domain.failures import syntax as facts
from mcp_server.domain.failures.syntax import Unsupported, Wish
from mcp_server.surface.wording.words import Words

NO_LAMBDAS = "Lambdas are not supported; unnest the list and use ordinary expressions."
_ADVICE = {
    Unsupported.LAMBDA: NO_LAMBDAS,
    Unsupported.COMPREHENSION: "List comprehensions are not supported; unnest the list and use ordinary expressions.",
    Unsupported.SAMPLE: "Sampling is not supported; use ORDER BY and LIMIT.",
    Unsupported.COLUMNS: "COLUMNS(…) is not supported; name the columns.",
    Unsupported.POSITIONAL_COLUMN: "Name the column instead of giving its position.",
    Unsupported.PIVOT: "Use SELECT … FROM table PIVOT (aggregate FOR column IN (values)).",
    Unsupported.FROM_ITEM: "Only tables, subqueries, VALUES, unnest, range and generate_series can be read from.",
    Unsupported.LATERAL: "After LATERAL write a subquery, unnest, range or generate_series.",
    Unsupported.LOCK: "Leave FOR UPDATE out; statements only read.",
    Unsupported.INTO: "Leave INTO out; statements only read.",
    Unsupported.HISTORY: "Reading a table as of another time is not supported.",
    Unsupported.LIMIT_BY: "Use QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) <= n for n rows of each group.",
    Unsupported.QUANTIFIER: "Compare something with it: x = ANY(list), x > ALL(list); any_value(x) is an aggregate.",
}


def words(fact: facts.SyntaxFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.NotOneQuery():
            return Words(
                "Only a single SELECT statement (also WITH, VALUES and set operations) is allowed.",
                "Send one query that only reads.",
            )
        case facts.NotAQuery():
            return Words(f"{fact.word.upper()} is not a query.", _instead(fact))
        case facts.UnsupportedSyntax():
            advice = "Write the query without it." if fact.kind is None else _ADVICE[fact.kind]
            return Words(f"This syntax is not supported: {fact.excerpt}.", advice)
        case facts.UnknownType():
            return Words(
                f'There is no type "{fact.name}".',
                "Use VARCHAR, BIGINT, DOUBLE, DECIMAL(p,s), BOOLEAN, DATE, TIMESTAMP, INTERVAL, JSON "
                "or lists of these.",
            )
        case facts.FetchOtherwise():
            return Words(
                "FETCH … PERCENT and FETCH … WITH TIES are not supported.",
                "Use LIMIT, or QUALIFY rank() OVER (ORDER BY …) <= n to keep ties.",
            )
        case facts.PivotGroups():
            return Words(
                "This GROUP BY of a PIVOT is not supported.",
                "Pivot a subquery that selects only the columns to group by and those that PIVOT uses.",
            )
        case facts.AliasesTooLarge():
            return Words(
                "The aliases of the SELECT list, put in place of one another, grow too large.",
                "Compute the parts in a subquery or CTE and refer to its columns.",
            )
        case facts.NotGenerated():
            return Words(f"Part of the statement is not supported: {fact.reason}.", "Write it another way.")
        case facts.TooManyTables():
            return Words(
                f"A query may refer to at most {fact.most} tables; this one refers to {fact.count}.", "Split the query."
            )
        case _:
            assert_never(fact)


def _instead(fact: facts.NotAQuery) -> str:
    match fact.wish:
        case Wish.SCHEMAS:
            return "Call the tool list_schemas."
        case Wish.TABLES:
            return "Call the tool list_tables."
        case Wish.DESCRIPTION:
            return "Call the tool describe_table."
        case Wish.PLAN:
            return "Call the tool explain_sql with the query alone."
        case Wish.PIVOT:
            return (
                f"{fact.word.upper()} (…) stands after a table in FROM; "
                "a PIVOT lists its values, FOR column IN ('a', 'b')."
            )
        case Wish.DEFAULT_SCHEMA:
            return "Name the schema in the argument schema_name, or write schema.table."
        case _:
            assert_never(fact.wish)
