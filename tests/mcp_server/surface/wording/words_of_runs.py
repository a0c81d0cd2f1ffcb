"""What ends a run: each fact, with its message and next action."""

from mcp_server.domain.failures import Fact, access, budgets, confirmations, cursors, limits, scans
from mcp_server.domain.prices import Dollars
from mcp_server.domain.rejected_index import RejectedIndex

SHOWN = "Use a schema and tables that list_tables shows."
ALLOW = "Filter by a key (see explain_sql and describe_table), or repeat it with allow_full_scan if that is wanted."
STOPPED = "It has no result, since one from a part of the data would be wrong."
NARROW = "Filter by key or by an index (see explain_sql)"
READ_LESS = "Read less: filter by key or by an index (see explain_sql); or wait until earlier reads are an hour old."
SHORTEN = "Shorten it: name columns instead of `*`, use fewer CTEs, joins and expressions."
FROM_THE_START = "Run the statement again without a cursor."

RUNS: list[tuple[Fact, str, str]] = [
    (access.SchemaDenied("shop"), 'There is no schema "shop".', SHOWN),
    (access.DisabledSchemaDenied("shop"), 'Schema "shop" is disabled.', SHOWN),
    (access.TableDenied("shop", "t"), 'There is no table "t" in schema "shop".', SHOWN),
    (
        access.WorkspaceUsageDenied(),
        "Only owners and admins of a workspace may see what everybody in it reads.",
        "Leave whose out, to see what you read yourself.",
    ),
    (
        access.MissingScopes(("a", "b")),
        "The access token lacks a scope that this tool needs.",
        "Sign in again and grant: a b.",
    ),
    (
        scans.LargeScan((scans.LargeTable("t"), scans.LargeTable("u"))),
        'The query needs a full scan of "t", "u": that is more than may be scanned unasked.',
        ALLOW,
    ),
    (
        scans.LargeScan((scans.LargeTable("t", ("a = ?", "b = ?")), scans.LargeTable("u", ("c = ?",)))),
        'The query needs a full scan of "t", "u": that is more than may be scanned unasked.',
        'Filter "t" by a = ? or by b = ?, and "u" by c = ? (explain_sql tells what that takes), or repeat it with '
        "allow_full_scan if that is wanted.",
    ),
    (
        scans.LargeScan((scans.LargeTable("t", (), (RejectedIndex("i", "x is y", 2.5, 1000.0),)),)),
        'The query needs a full scan of "t": that is more than may be scanned unasked. Index "i" (about 2.5 read units '
        "instead of 1000) was not used: x is y.",
        ALLOW,
    ),
    (
        scans.ScanForKeys(scans.LargeTable("t")),
        'The query needs a full scan of "t": other tables\' rows name too many of its keys to read it by them.',
        ALLOW,
    ),
    (
        scans.ScanWentOn(scans.LargeTable("t"), 100000),
        'The query needs a full scan of "t": more than 100,000 items were scanned.',
        ALLOW,
    ),
    (
        scans.ScanWentOn(scans.LargeTable("t"), 100000, 7812.5, early=True, spent=7820.0),
        'The query needs a full scan of "t": it was likely to end early, but found too few rows in 100,000 items or '
        "7,812.5 read units, the most that is scanned unasked. 7,820.0 read units were read.",
        ALLOW,
    ),
    (
        confirmations.CostUnconfirmed(
            3_000_000, 20_000.0, Dollars(0.0025, 0.001, "list price"), unasked=10_000.0, budget=50_000.0, most=50_000.0
        ),
        "The query is expected to read about 3,000,000 items, 20,000.0 read units: $0.0025 on demand, or $0.001 of "
        "provisioned capacity (list price). More than 10,000 read units need a confirmation.",
        "Filter by key or by an index (see explain_sql), or ask the person who pays for it and repeat it with "
        "max_read_units 25000.",
    ),
    (
        confirmations.CostUnconfirmed(
            9_000_000, 60_000.0, Dollars(0.0075, 0.003, "list price"), unasked=10_000.0, budget=12_000.0, most=50_000.0
        ),
        "The query is expected to read about 9,000,000 items, 60,000.0 read units: $0.0075 on demand, or $0.003 of "
        "provisioned capacity (list price). More than 10,000 read units need a confirmation. It is stopped, without a "
        "result, once it has taken 12,000.",
        "Filter by key or by an index (see explain_sql), or ask the person who pays for it and repeat it with "
        "max_read_units 50000.",
    ),
    (
        scans.ScanWentOn(scans.LargeTable("t", ("a = ?",)), 100000),
        'The query needs a full scan of "t": more than 100,000 items were scanned.',
        'Filter "t" by a = ? (explain_sql tells what that takes), or repeat it with allow_full_scan if that is wanted.',
    ),
    (
        budgets.BudgetTooSmall(1234.5, 1000.0, 50000.0, (scans.LargeTable("t", ("a = ?",)), scans.LargeTable("u"))),
        "The query was stopped before it read anything, since it takes about 1,234 read units; its budget is 1,000. "
        f"{STOPPED}",
        'Filter "t" by a = ? (explain_sql tells what that takes), or allow it with max_read_units 1544.',
    ),
    (
        budgets.BudgetSpent(501, 500, "read units", 10000, 1234.5),
        f"The query was stopped after 501 read units; its budget is 500. {STOPPED}",
        f"{NARROW}, or allow it with max_read_units 1544.",
    ),
    (
        budgets.BudgetTooSmall(1234.5, 1000.0, 50000.0),
        "The query was stopped before it read anything, since it takes about 1,234 read units; its budget is 1,000. "
        f"{STOPPED}",
        f"{NARROW}, or allow it with max_read_units 1544.",
    ),
    (
        budgets.BudgetTooSmall(1234.5, 1000.0, 1240.0),
        "The query was stopped before it read anything, since it takes about 1,234 read units; its budget is 1,000. "
        f"{STOPPED}",
        f"{NARROW}, or allow it with max_read_units 1240.",
    ),
    (
        budgets.BudgetTooSmallForRead(1234.5, 1000.0, 1200.0),
        "The query was stopped before a read that would make it about 1,234 read units; its budget is 1,000. "
        f"{STOPPED}",
        f"{NARROW}: no query may take more than 1,200.",
    ),
    (
        budgets.BudgetSpent(501, 500, "read units", 10000),
        f"The query was stopped after 501 read units; its budget is 500. {STOPPED}",
        f"{NARROW}, or allow more with max_read_units, 10000 at most.",
    ),
    (
        budgets.BudgetSpent(10001, 10000, "pages", 10000),
        f"The query was stopped after 10,001 pages; its budget is 10,000. {STOPPED}",
        f"{NARROW}: no query may take more than 10,000.",
    ),
    (
        budgets.HourSpent(60.0, 41.0, 100.0),
        "Your calls have read 60 read units in the last hour, and this one is expected to read 41; 100 an hour are "
        "allowed.",
        READ_LESS,
    ),
    (
        budgets.HourSpent(101.0, 0.0, 100.0),
        "Your calls have read 101 read units in the last hour; 100 an hour are allowed.",
        READ_LESS,
    ),
    (
        limits.Overdue(30.0),
        "The query was stopped after 30 seconds. It has no result.",
        "Make it read or compute less: filter by key or by an index (see explain_sql).",
    ),
    (limits.PlanningOverdue(5.0), "Planning the statement takes longer than 5 seconds.", SHORTEN),
    (limits.PlanningTooLarge(), "Planning the statement needs more memory than it may take.", SHORTEN),
    (
        limits.OutOfMemory(),
        "The query needs more memory than one query may use.",
        "Aggregate or filter earlier, select fewer columns, or join fewer rows.",
    ),
    (
        limits.RowTooLargeForReply(1000000),
        "A single row takes more than the 1000000 bytes that one reply may have.",
        "Select fewer or shorter columns.",
    ),
    (
        limits.RowTooLarge(),
        "A single row of the result is larger than a result may be.",
        "Select fewer or shorter columns.",
    ),
    *(
        (
            fact,
            f"{why}, so this one was not started.",
            "Wait 5 seconds, then repeat the call; run fewer queries at once.",
        )
        for fact, why in (
            (limits.ShareTaken(2, "principal"), "2 of your queries are running already"),
            (limits.ShareTaken(4, "tenant"), "4 queries of your tenant are running already"),
            (limits.ServerFull(), "The server is running as many queries as it can"),
        )
    ),
    (limits.NoEvaluatorFree(), "Too many queries are running at the moment.", "Try again in a few seconds."),
    (cursors.CursorTooOld(), "The cursor has expired.", FROM_THE_START),
    (cursors.ResultNotKept(), "The result that this cursor continues is no longer kept.", FROM_THE_START),
    (
        cursors.ReadOtherwise(),
        "What is known of the table has changed, so that the cursor no longer says where the next page starts.",
        FROM_THE_START,
    ),
    (
        cursors.SeenOtherwise(),
        "What you may see of these tables has changed since the cursor was made.",
        FROM_THE_START,
    ),
    (
        cursors.PathClosed("by_day", None),
        'The index "by_day", through which the pages so far were read, is not there any more.',
        FROM_THE_START,
    ),
    (
        cursors.PathClosed("by_day", "it is still being built"),
        'The index "by_day", through which the pages so far were read, cannot be read any more: '
        "it is still being built.",
        FROM_THE_START,
    ),
    (
        cursors.ForeignCursor(),
        "The cursor does not belong to this statement, its parameters and this caller.",
        "Pass `next_cursor` unchanged, with the same statement and parameters; or leave the cursor out.",
    ),
]
