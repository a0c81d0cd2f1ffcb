"""What is wrong with a statement or with what is given with it: each fact, with its message and next action."""

from mcp_server.domain.failures import Fact, arguments, functions, parameters, syntax, texts
from mcp_server.domain.failures.functions import Growing
from mcp_server.domain.failures.syntax import Unsupported, Wish

ONE_QUERY = "Only a single SELECT statement (also WITH, VALUES and set operations) is allowed."
ROWS_OF_LISTS = "unnest(list) in FROM or in the SELECT list makes a row of each element."
NO_LAMBDAS = "Lambdas are not supported; unnest the list and use ordinary expressions."
TIMES = "Write date_trunc('month', x), date_diff('day', start, end), x + INTERVAL 3 DAY, x - INTERVAL 3 DAY."
UNBOUNDED = "The size of what this function would make is not bounded."

TEXTS: list[tuple[Fact, str, str]] = [
    (texts.EmptyStatement(), "The statement is empty.", "Send a SELECT statement."),
    (texts.NotUnicode(), "The statement is not valid Unicode text.", "Send it as UTF-8."),
    (
        texts.StatementTooLong(70000, 65536),
        "The statement has 70000 bytes, more than 65536.",
        "Shorten it; pass values as parameters.",
    ),
    (
        texts.ControlCharacter(7),
        "The statement holds the control character U+0007.",
        "Remove it, or pass the value as a parameter.",
    ),
    (
        texts.NoTokens(),
        "A quoted text, name or comment is not closed, or a character has no meaning in SQL.",
        "Write texts as 'it''s' and names as \"my name\".",
    ),
    (
        texts.BadEscape(),
        "The escape string holds NUL, or bytes that are not UTF-8.",
        "Write the characters themselves, without escapes.",
    ),
    (texts.NestedTooDeeply(), "The statement is nested too deeply.", "Break it up with CTEs or shorten it."),
    (
        texts.Unparsable("FORM", "Unexpected token"),
        'The statement cannot be parsed at "FORM": unexpected token.',
        "Correct the syntax; the dialect is DuckDB's.",
    ),
    (
        texts.Unparsable(" ", ""),
        "The statement cannot be parsed.",
        "Correct the syntax; the dialect is DuckDB's.",
    ),
    (
        texts.MisspeltBeginning("SELCT", "SELECT"),
        'A statement cannot start with "SELCT".',
        "Did you mean SELECT?",
    ),
    (texts.NotANumber("5kg"), '"5kg" is not a number.', "Write numbers in decimals, and a space before an alias."),
]

SYNTAX: list[tuple[Fact, str, str]] = [
    (syntax.NotOneQuery(), ONE_QUERY, "Send one query that only reads."),
    (syntax.NotAQuery("show", Wish.SCHEMAS), "SHOW is not a query.", "Call the tool list_schemas."),
    (syntax.NotAQuery("show", Wish.TABLES), "SHOW is not a query.", "Call the tool list_tables."),
    (
        syntax.NotAQuery("describe", Wish.DESCRIPTION, table="t"),
        "DESCRIBE is not a query.",
        "Call the tool describe_table.",
    ),
    (
        syntax.NotAQuery("explain", Wish.PLAN, query="SELECT 1"),
        "EXPLAIN is not a query.",
        "Call the tool explain_sql with the query alone.",
    ),
    (
        syntax.NotAQuery("unpivot", Wish.PIVOT),
        "UNPIVOT is not a query.",
        "UNPIVOT (…) stands after a table in FROM; a PIVOT lists its values, FOR column IN ('a', 'b').",
    ),
    (
        syntax.NotAQuery("use", Wish.DEFAULT_SCHEMA),
        "USE is not a query.",
        "Name the schema in the argument schema_name, or write schema.table.",
    ),
    *(
        (syntax.UnsupportedSyntax("f(x)", kind), "This syntax is not supported: f(x).", advice)
        for kind, advice in (
            (None, "Write the query without it."),
            (Unsupported.LAMBDA, NO_LAMBDAS),
            (
                Unsupported.COMPREHENSION,
                "List comprehensions are not supported; unnest the list and use ordinary expressions.",
            ),
            (Unsupported.SAMPLE, "Sampling is not supported; use ORDER BY and LIMIT."),
            (Unsupported.COLUMNS, "COLUMNS(…) is not supported; name the columns."),
            (Unsupported.POSITIONAL_COLUMN, "Name the column instead of giving its position."),
            (Unsupported.PIVOT, "Use SELECT … FROM table PIVOT (aggregate FOR column IN (values))."),
            (
                Unsupported.FROM_ITEM,
                "Only tables, subqueries, VALUES, unnest, range and generate_series can be read from.",
            ),
            (Unsupported.LATERAL, "After LATERAL write a subquery, unnest, range or generate_series."),
            (Unsupported.LOCK, "Leave FOR UPDATE out; statements only read."),
            (Unsupported.INTO, "Leave INTO out; statements only read."),
            (Unsupported.HISTORY, "Reading a table as of another time is not supported."),
            (
                Unsupported.LIMIT_BY,
                "Use QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) <= n for n rows of each group.",
            ),
            (
                Unsupported.QUANTIFIER,
                "Compare something with it: x = ANY(list), x > ALL(list); any_value(x) is an aggregate.",
            ),
        )
    ),
    (
        syntax.UnknownType("MONEY"),
        'There is no type "MONEY".',
        "Use VARCHAR, BIGINT, DOUBLE, DECIMAL(p,s), BOOLEAN, DATE, TIMESTAMP, INTERVAL, JSON or lists of these.",
    ),
    (
        syntax.FetchOtherwise(),
        "FETCH … PERCENT and FETCH … WITH TIES are not supported.",
        "Use LIMIT, or QUALIFY rank() OVER (ORDER BY …) <= n to keep ties.",
    ),
    (
        syntax.PivotGroups(),
        "This GROUP BY of a PIVOT is not supported.",
        "Pivot a subquery that selects only the columns to group by and those that PIVOT uses.",
    ),
    (
        syntax.AliasesTooLarge(),
        "The aliases of the SELECT list, put in place of one another, grow too large.",
        "Compute the parts in a subquery or CTE and refer to its columns.",
    ),
    (
        syntax.NotGenerated("no such thing"),
        "Part of the statement is not supported: no such thing.",
        "Write it another way.",
    ),
    (
        syntax.TooManyTables(101, 100),
        "A query may refer to at most 100 tables; this one refers to 101.",
        "Split the query.",
    ),
]

FUNCTIONS: list[tuple[Fact, str, str]] = [
    *(
        (functions.UnknownFunction(name, near), f'There is no function "{name}" here.', advice)
        for name, near, advice in (
            ("coutn", ("count", "cot"), "Did you mean count or cot?"),
            ("nosuch", (), "Use another function."),
            ("flatten", (), ROWS_OF_LISTS),
            ("json_table", (), ROWS_OF_LISTS),
            ("json_build_object", ("json_object",), "Use json_object(key, value, …)."),
            ("julianday", (), "Subtract dates, or use date_diff('day', start, end)."),
            ("list_filter", (), NO_LAMBDAS),
            ("substring_index", (), "Use split_part(text, separator, number)."),
            ("unix_timestamp", (), "Use epoch(now())."),
            ("width_bucket", (), "Compute it: floor((x - low) / width) + 1."),
        )
    ),
    (
        functions.UnboundedSize(Growing.REPEAT, 10000),
        UNBOUNDED,
        "Give the number of repetitions as a constant; the result may have 10000 characters.",
    ),
    (functions.UnboundedSize(Growing.PAD, 10000), UNBOUNDED, "Give the length as a constant of at most 10000."),
    (
        functions.UnboundedSize(Growing.FORMAT, 10000),
        UNBOUNDED,
        "Give the format as a constant, with widths of at most 10000 in all written in it.",
    ),
    (
        functions.UnboundedSize(Growing.SEQUENCE, 1000000),
        UNBOUNDED,
        "Give start, end and step as whole numbers; the sequence may have 1,000,000 elements.",
    ),
    (
        functions.DottedCall(),
        "Functions cannot be called with a dot.",
        "Write `function(value)`, without a schema.",
    ),
    (functions.UnknownTimeUnit("fortnight"), 'There is no unit of time "fortnight".', TIMES),
    (functions.ArgumentsOfAnotherDialect("date_sub", 3), "date_sub has 3 arguments.", TIMES),
    (
        functions.ArgumentsOfAnotherDialect("to_timestamp", 1),
        "to_timestamp has 1 argument.",
        "It takes seconds since 1970. Read a text with strptime(text, '%Y-%m-%d').",
    ),
    (functions.DateWithModifiers(), "date has one argument.", TIMES),
    (functions.TruncatedTime(), "trunc cuts numbers.", TIMES),
]

GIVEN: list[tuple[Fact, str, str]] = [
    (
        parameters.MixedPlaceholders(),
        "The statement mixes `?` with numbered parameters.",
        "Use only `?` or only `$1`, `$2`, ….",
    ),
    (
        parameters.ParametersOtherwiseNamed(),
        "The parameters do not match the way the statement names them.",
        "Pass a list for `?` and `$1`, an object for `$name` and `:name`.",
    ),
    (
        parameters.MissingParameters(("1", "2")),
        "No value is given for parameter $1, $2.",
        "Give every parameter of the statement a value.",
    ),
    (
        parameters.UnknownParameters(("a", "b")),
        "The statement has no parameter $a, $b.",
        "Leave it out, or use it in the statement.",
    ),
    (
        parameters.UnfitParameter("a"),
        "Parameter $a has a value that cannot be passed.",
        "Pass strings without NUL, finite numbers of up to 38 digits, booleans or null; pass a list item by item.",
    ),
    (arguments.MissingArgument("sql"), "sql is required.", "Correct the argument and call again."),
    (
        arguments.UnknownArgument("sq", "sql", ("sql", "cursor")),
        "There is no argument sq. Did you mean sql?",
        "Correct the argument and call again.",
    ),
    (
        arguments.UnknownArgument("x" * 100, None, ("sql", "cursor")),
        f"There is no argument {'x' * 64}. This tool takes sql, cursor.",
        "Correct the argument and call again.",
    ),
    (
        arguments.UnknownArgument("sql", None, ()),
        "There is no argument sql. This tool takes no arguments.",
        "Correct the argument and call again.",
    ),
    (
        arguments.MalformedArgument("sql", "Input should be a valid string"),
        "sql: input should be a valid string.",
        "Correct the argument and call again.",
    ),
    (
        arguments.ArgumentOutOfRange("days", 1, 35),
        "days must be between 1 and 35.",
        "Correct the argument.",
    ),
    (
        arguments.ArgumentNotPositive("max_read_units"),
        "max_read_units must be greater than 0.",
        "Correct the argument.",
    ),
]
