"""Names that mean nothing, or too much: each fact, with its message and next action."""

from mcp_server.domain.failures import Fact, columns, schemas, sources, tables
from mcp_server.domain.failures.columns import Pseudocolumn

ON_INSTEAD = "Write JOIN … ON, with each column as `alias.column`."

NAMES: list[tuple[Fact, str, str]] = [
    (
        schemas.NoSchema(),
        "There is no schema for you.",
        "Ask the operator of this server to configure a schema for your tenant.",
    ),
    (schemas.UnknownSchema("x", ("a", "b")), 'There is no schema "x".', "Use one of: a, b."),
    (schemas.UnknownSchema("x", ("a", "b", "y"), ("y",)), 'There is no schema "x".', "Did you mean y?"),
    (
        schemas.IndexAsTable("orders", "gsi1"),
        'There is no schema "orders": that is a table, and "gsi1" an index of it.',
        "Read from the table alone; an index is used where the conditions name its key.",
    ),
    (schemas.UnknownSchema("x", ()), 'There is no schema "x".', "Call list_schemas."),
    (
        schemas.AmbiguousSchema("x", ("X", "x")),
        'Schema "x" could be any of X, x.',
        "Use the exact spelling of one of them.",
    ),
    (schemas.DisabledSchema("x"), 'Schema "x" is disabled.', "Call list_schemas and use an active schema."),
    (
        schemas.SelfDescription("information_schema"),
        'There is no schema "information_schema" to query.',
        "Call the tool list_tables to see the tables, and describe_table to see the columns of one.",
    ),
    (
        tables.UnknownTable("t", "shop", ("u", "v")),
        'There is no table "t" in schema "shop".',
        "Did you mean u or v?",
    ),
    (
        tables.UnknownTable("t", "shop", ()),
        'There is no table "t" in schema "shop".',
        'Call list_tables for schema "shop".',
    ),
    (
        tables.AmbiguousTable("t", ("T", "t")),
        'Table "t" could be any of T, t.',
        "Use the exact spelling of one of them, in double quotes.",
    ),
    (tables.NameOfThreeParts("a.b.c"), 'There is no table "a.b.c".', "Name tables `table` or `schema.table`."),
    (tables.TableNotGiven("t"), 'There is no table "t".', "List the tables."),
    (tables.TableGone("t"), 'There is no table "t" any more.', "Call list_tables."),
    (
        sources.UnknownSource("oo", "o"),
        'There is no table or alias "oo" in the FROM clause.',
        'Did you mean "o"?',
    ),
    (
        sources.UnknownSource("oo", None),
        'There is no table or alias "oo" in the FROM clause.',
        "Check the aliases.",
    ),
    (
        sources.UnknownQualifier("s.t"),
        'There is no table "s.t" in the FROM clause.',
        "Write columns as `alias.column`.",
    ),
    (
        sources.SameName("t", apart=False),
        'Two tables are called "t" in the same FROM clause.',
        "Give each an alias: `table AS name`.",
    ),
    (
        sources.SameName("t", apart=True),
        'Two tables are called "t" in the same FROM clause, each of another schema.',
        "Give each an alias: `table AS name`.",
    ),
    (
        sources.UncertainName("a.b"),
        'It is not certain what "a.b" stands for.',
        "Give every table an alias that no column has, and write columns as `alias.column`.",
    ),
    (
        sources.WholeRow("t"),
        '"t" is a table, and a whole row of it cannot be a value.',
        "Name its columns, or use _doc for the item as JSON.",
    ),
    (sources.UnexpandedStar(), "`*` cannot be expanded here.", "Name the columns instead of `*`."),
    (
        sources.UncertainMerge(),
        "USING and NATURAL are not supported beside commas and joins in parentheses.",
        ON_INSTEAD,
    ),
    (
        sources.NaturalWithDocument(),
        "A statement with _doc cannot use NATURAL JOIN.",
        "Write JOIN … USING (…).",
    ),
    (
        sources.Unresolved(),
        "The names in the statement cannot be resolved.",
        "Give every table an alias and write every column as `alias.column`.",
    ),
    (
        columns.UnknownField("cty", "address", (), ("city",), None),
        'There is no field "cty" in the maps of address.',
        'Did you mean "city"?',
    ),
    (
        columns.UnknownField("x", "my lines", (None, "at"), (), None),
        'There is no field "x" in the maps of "my lines"[].at.',
        "Describe the table to see the fields; _doc holds all of an item.",
    ),
    *(
        (columns.UnknownColumn("x", hint, None), 'There is no column "x".', advice)
        for hint, advice in (
            (columns.NearColumns(("a", "b")), 'Did you mean "a" or "b"?'),
            (columns.UnquotedColumn("x-y"), 'Did you mean "x-y"? Quote it.'),
            (columns.FieldsOfColumns(("a.x", "unnest(b).x")), "Did you mean a.x or unnest(b).x?"),
            (
                columns.QuotedText("'x'", typographic=True),
                "Write a text in straight single quotes: 'x'.",
            ),
            (
                columns.QuotedText("'x'", typographic=False),
                "Double quotes name columns. Write a text in single quotes: 'x'.",
            ),
            (
                columns.OutOfReach(),
                "Nothing that is read where it stands has that column; check tables and aliases.",
            ),
            (
                Pseudocolumn.ROWNUM,
                "Use LIMIT for the first rows, row_number() OVER (ORDER BY …) to number them.",
            ),
            (Pseudocolumn.SYSDATE, "Use now() or current_date."),
            (Pseudocolumn.SYSTIMESTAMP, "Use now()."),
            (Pseudocolumn.MISSING, "Write IS NULL: an attribute that an item lacks is NULL."),
            (Pseudocolumn.LEVEL, "Use WITH RECURSIVE for hierarchies."),
            (None, "Describe the table to see its columns; _doc holds every attribute of an item."),
        )
    ),
    (
        columns.NoOutput(7),
        "The result has no column number 7.",
        "In ORDER BY and GROUP BY, number the columns of the SELECT list from 1.",
    ),
    (columns.AmbiguousColumn("x"), 'Column "x" is ambiguous.', "Write it as `alias.column`."),
    (columns.AmbiguousColumn("x", ("a.x", "b.x")), 'Column "x" is ambiguous.', "Write it as a.x or b.x."),
    (
        columns.AmbiguousSpelling("x", ("X", "x")),
        'Column "x" may be any of "X", "x".',
        "Spell it exactly as one of them.",
    ),
    (
        columns.AmbiguousMerge("x"),
        'Column "x" exists more than once on the left side of a join that merges it.',
        ON_INSTEAD,
    ),
]
