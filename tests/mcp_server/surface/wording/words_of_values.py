"""Values that cannot be had, and what is away: each fact, with its message and next action."""

from mcp_server.domain.failures import Fact, availability, values
from mcp_server.domain.failures.values import Trouble

DECLARE = "Ask the operator to correct the column's declaration in the schemas file."
COMPUTE_LESS = "Run the statement again; if it fails again, make it read or compute less."

VALUES: list[tuple[Fact, str, str]] = [
    (
        values.NotEvaluated("No.", Trouble.TYPES, ("my amount",)),
        "No.",
        '"my amount" holds texts among the numbers, so it is read as text. TRY_CAST("my amount" AS DOUBLE) gives the '
        "numbers, and NULL for what is none; AS DECIMAL(38, 4) keeps decimal places exactly.",
    ),
    (
        values.NotEvaluated("No.", Trouble.TYPES, parts=("m.zip", "lines[1].qty")),
        "No.",
        "m.zip and lines[1].qty are read as text. TRY_CAST(m.zip AS DOUBLE) gives the numbers, and NULL for what is "
        "none; AS DECIMAL(38, 4) keeps decimal places exactly.",
    ),
    (
        values.NotEvaluated("No.", Trouble.TYPES, numerals=(("$1", "BIGINT"),)),
        "No.",
        "$1 is a text, where a number is needed: CAST($1 AS BIGINT) is one.",
    ),
    (
        values.NotEvaluated("No.", Trouble.TYPES, numerals=(("$1", "BIGINT"), ("'7.5'", "DOUBLE"))),
        "No.",
        "$1 and '7.5' are texts, where a number is needed: CAST($1 AS BIGINT) is one.",
    ),
    (
        values.NotEvaluated("No.", Trouble.TYPES, moments=(("day", "DATE"),)),
        "No.",
        '"day" holds days as texts. Compare it with texts, which is a range of a key, too: '
        "day >= '2026-01-01' AND day < '2027-01-01'. Or compute with CAST(day AS DATE). "
        "The operator can declare the column DATE in the schemas file.",
    ),
    (
        values.NotEvaluated("No.", Trouble.TYPES, moments=(("at 1", "TIMESTAMPTZ"),)),
        "No.",
        '"at 1" holds times as texts. Compare it with texts, which is a range of a key, too: '
        """"at 1" >= '2026-01-01' AND "at 1" < '2027-01-01'. Or compute with CAST("at 1" AS TIMESTAMPTZ). """
        "The operator can declare the column TIMESTAMPTZ in the schemas file.",
    ),
    (
        values.NotEvaluated("No.", Trouble.CONVERSION, ("a", "b")),
        "No.",
        '"a", "b" hold texts among the numbers, so they are read as text. TRY_CAST(a AS DOUBLE) gives the '
        "numbers, and NULL for what is none; AS DECIMAL(38, 4) keeps decimal places exactly.",
    ),
    *(
        (values.NotEvaluated("No.", trouble), "No.", advice)
        for trouble, advice in (
            (
                Trouble.CONVERSION,
                "A value does not fit the type. TRY_CAST(x AS TYPE) gives NULL instead; or leave such values out with "
                "WHERE.",
            ),
            (
                Trouble.TYPES,
                "Convert an operand with CAST(x AS TYPE); describe_table shows the types of the columns.",
            ),
            (
                Trouble.GROUPING,
                "Add the column to GROUP BY, or take one of its values with any_value(), min() or max().",
            ),
            (
                Trouble.NESTED_AGGREGATE,
                "Filter groups with HAVING, or compute the aggregate in a subquery first.",
            ),
            (
                Trouble.NESTED_WINDOW,
                "Filter by a window function with QUALIFY, or compute it in a subquery first.",
            ),
            (Trouble.DIVISION_BY_ZERO, "Divide by NULLIF(x, 0), which gives NULL instead."),
            (Trouble.OVERFLOW, "Compute with a wider type: CAST an operand to HUGEINT or DOUBLE."),
            (
                Trouble.TIME_FORMAT,
                "Correct the format, for example '%Y-%m-%d'; try_strptime(x, format) gives NULL for texts that do not "
                "fit.",
            ),
            (Trouble.NO_STRUCT, "Read a field of a JSON column with column->>'field'."),
            (
                Trouble.NO_FIELD,
                "describe_table shows the fields of structs; each item has only some of them.",
            ),
            (Trouble.STAR, "unnest(x) in the SELECT list makes columns of the fields of a struct x."),
            (
                Trouble.MACRO,
                "Filter, sort or make the rows distinct in a subquery, and call the function over that.",
            ),
            (
                Trouble.JSON,
                "Use JSON functions on JSON columns and valid JSON only: CASE WHEN json_valid(x) THEN … END.",
            ),
            (
                Trouble.UNNEST,
                "UNNEST takes a list: convert a JSON array with CAST(x AS VARCHAR[]) or CAST(x AS DOUBLE[]).",
            ),
            (Trouble.SET_OPERATION, "Give both sides of the set operation the same number of columns."),
            (Trouble.PATTERN, "Correct the regular expression; its syntax is RE2's."),
            (
                Trouble.SEVERAL_ROWS,
                "Make the subquery give one row, with LIMIT 1 or an aggregate, or compare with IN.",
            ),
            (
                Trouble.OTHER,
                "Correct the expression; use TRY_CAST or NULLIF where single values may not fit.",
            ),
        )
    ),
    (
        values.ParameterNotUnicode(),
        "The statement or a parameter holds half of a surrogate pair, which is not valid Unicode.",
        "Send valid Unicode.",
    ),
    (
        values.UnshowableType("x", "TIME WITH TIME ZONE"),
        'Column "x" has type TIME WITH TIME ZONE, which a result cannot carry.',
        "Cast it to VARCHAR.",
    ),
    (
        values.IntegerTooLong("x", 4300),
        'Column "x" holds an integer of more than 4300 digits, which a result cannot carry.',
        "Cast it to VARCHAR.",
    ),
    (
        values.UnexpectedTypes("t", ("a", "b")),
        'Items of table "t" hold values of unexpected types in "a", "b".',
        "Run the statement again: the new types are known now. A type declared in the schemas file settles it.",
    ),
    (
        values.NotTheDeclaredType("t", "a", "BIGINT", ("S",)),
        'Column "a" of table "t" is declared BIGINT, but there is a value of type S.',
        DECLARE,
    ),
    (
        values.NotTheDeclaredType("t", "a", "DATE", ()),
        'Column "a" of table "t" is declared DATE, but there is a value that does not fit.',
        DECLARE,
    ),
    (
        values.LackingThoughDeclared("t", "a"),
        'Column "a" of table "t" is declared NOT NULL, but there is an item without it.',
        DECLARE,
    ),
    (
        availability.SourceTooSlow("shop"),
        'DynamoDB does not answer in time for schema "shop".',
        "Try again in a minute.",
    ),
    (
        availability.SourceThrottles("shop"),
        'DynamoDB throttles reads of schema "shop".',
        "Wait a minute and run it again, or read less: filter by key, name fewer tables.",
    ),
    (
        availability.SourceUnavailable("shop"),
        'DynamoDB cannot be read for schema "shop" at the moment.',
        "Try again later; if it lasts, the operator has to look at the endpoint and the credentials of the schema.",
    ),
    (
        availability.RoleNotAssumed("shop"),
        'The role that reads schema "shop" cannot be assumed.',
        "The operator has to look at role_arn and external_id of the schema, and at the role's trust policy.",
    ),
    (
        availability.SourceRefused(),
        "DynamoDB refused a request of this server.",
        "Write the query differently, and report it to the operator with the request id.",
    ),
    (
        availability.ResultsUnavailable(),
        "The next page cannot be had at the moment: what keeps results between pages does not answer.",
        "Repeat the call with the same cursor in a few seconds.",
    ),
    (
        availability.UsageNotTold(),
        "What was read cannot be told at the moment: what keeps it does not answer.",
        "Repeat the call in a few seconds; queries work as ever.",
    ),
    (availability.EvaluatorFailed(), "The process that evaluates the query failed.", COMPUTE_LESS),
    (availability.EvaluatorLost(), "The process that evaluates the query ended unexpectedly, twice.", COMPUTE_LESS),
    (
        availability.Defect(),
        "Something went wrong on the server.",
        "Try once more; if it fails again, give the request_id to the operator.",
    ),
]
