"""Our walks over syntax trees find what the parser's own do, in the same order; and trees of the gate are trees."""

import random
from contextlib import suppress

import pytest
from sqlglot import exp, parse_one

from mcp_server.domain.failures import Failure
from mcp_server.sql.gate.parse import Statement, parse
from mcp_server.sql.trees import holds, nodes, nodes_of
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.mcp_server.sql.test_same_results import STATEMENTS as ODD
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.support.random_sql.statements import Statements

RANDOM = 300

STATEMENTS = [
    "SELECT 1",
    "WITH c AS (SELECT a, max(b) AS m FROM t GROUP BY a) SELECT c.m FROM c JOIN t ON t.a = c.a WHERE t.b IN (1, c.m)",
    "SELECT CASE WHEN a > 1 THEN [1, b] END FROM t UNION SELECT unnest(l) FROM (SELECT l FROM u) x LIMIT 3",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_walk_goes_level_by_level(statement: str) -> None:
    tree = parse_one(statement, dialect="duckdb")
    assert list(map(id, nodes(tree))) == list(map(id, tree.walk()))
    for kinds in [(exp.Column,), (exp.Table, exp.Subquery, exp.CTE), (exp.Query,), (exp.AggFunc, exp.Literal)]:
        assert list(map(id, nodes_of(tree, *kinds))) == list(map(id, tree.find_all(*kinds)))
        assert holds(tree, *kinds) == (tree.find(*kinds) is not None)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT make_timestamp(a) > make_timestamp(b) FROM t",
        "WITH c AS (SELECT 1 AS a) (SELECT a FROM c)",
    ],
)
def test_what_the_parser_shares_or_leaves_around_is_put_right(sql: str) -> None:
    _assert_is_tree(parse(sql, None))


def test_each_node_that_passed_the_gate_is_in_one_place_and_knows_it() -> None:
    statements = Statements(random.Random("trees"), RANDOM_TABLES, names=["j"])
    texts = [*ODD, *(path.read_text("utf-8") for path in QUERIES), *(statements.next() for _ in range(RANDOM))]
    passed = 0
    for text in texts:
        with suppress(Failure):
            _assert_is_tree(parse(text, None))
            passed += 1
    assert passed > 0.9 * len(texts)


def _assert_is_tree(statement: Statement) -> None:
    """Binding changes the tree where it is, so that one node in two places would be changed in both."""
    sql = statement.text
    assert statement.expression.parent is None, sql
    assert list(map(id, statement.nodes)) == list(map(id, nodes(statement.expression)))
    for node in statement.nodes:
        for part, value in node.args.items():
            several = isinstance(value, list)
            for index, child in enumerate(value if several else [value]):
                if isinstance(child, exp.Expr):
                    assert child.parent is node, sql
                    assert (child.arg_key, child.index) == (part, index if several else None), sql
