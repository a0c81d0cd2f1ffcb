"""Our walks over syntax trees find what the parser's own do, in the same order."""

import pytest
from sqlglot import exp, parse_one

from mcp_server.sql.trees import holds, nodes, nodes_of

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
