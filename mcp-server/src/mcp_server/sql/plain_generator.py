"""DuckDB's generator, which writes plain nodes at once: the same text at two thirds of the cost.

Most of the generator's work is to look for what few nodes have: comments, line breaks, hints, clauses of other
dialects.
"""

from typing import Any

from sqlglot import exp
from sqlglot.generators.duckdb import DuckDBGenerator

from mcp_server.sql.trees import parts

_BARE_TYPES = {
    exp.DType.BIGINT: "BIGINT",
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.DATE: "DATE",
    exp.DType.DOUBLE: "DOUBLE",
    exp.DType.INT: "INT",
    exp.DType.TEXT: "TEXT",
}
"""How types are written that have nothing beside their name."""

_CLAUSES = ("where", "group", "having", "order")
_RARE_CLAUSES = exp.QUERY_MODIFIERS.keys() - {"joins", *_CLAUSES}


class PlainGenerator(DuckDBGenerator):
    """DuckDB's generator. Each method here writes what is plain, and leaves anything else to the generator's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_plain = not self.pretty and not self.comments
        self._quotes_all = self.identify is True and not self.pretty

    def sql(self, expression: str | exp.Expr | None, key: str | None = None, comment: bool = True) -> str:
        """The text of a node, or of one of its parts."""
        if key is not None and isinstance(expression, exp.Expr):
            expression = expression.args.get(key)
        if self._is_plain and isinstance(expression, exp.Expr):
            handler = self._dispatch.get(type(expression))
            if handler is not None:
                return handler(self, expression)
        return super().sql(expression, comment=comment) if expression else ""

    def expressions(self, expression: exp.Expr | None = None, key: str | None = None, *args: Any, **kwargs: Any) -> str:
        """The texts of a list of nodes."""
        if expression is None:
            return super().expressions(expression, key, *args, **kwargs)
        listed = expression.args.get(key or "expressions")
        if not listed:
            return ""
        if self._is_plain and not args and kwargs.keys() <= {"flat"}:
            texts = [self.sql(one) for one in listed]
            if all(texts):
                return ", ".join(texts)
        return super().expressions(expression, key, *args, **kwargs)

    def query_modifiers(self, expression: exp.Expr, *sqls: str) -> str:
        """The clauses of a query behind its FROM, or of a source in parentheses."""
        if not parts(expression).isdisjoint(_RARE_CLAUSES):
            return super().query_modifiers(expression, *sqls)
        joins = [self.sql(join) for join in expression.args.get("joins") or []]
        return "".join([*sqls, *joins, *(self.sql(expression, clause) for clause in _CLAUSES)])

    def binary(self, expression: exp.Binary, op: str) -> str:
        """An operator between its operands."""
        kind, left, right = type(expression), expression.args.get("this"), expression.args.get("expression")
        if self._is_plain and kind is not type(left) and kind is not type(right) and _only_two(expression):
            return f"{self.sql(left)} {op} {self.sql(right)}"
        return super().binary(expression, op)

    def connector_sql(self, expression: exp.Connector, op: str, stack: list[str | exp.Expr] | None = None) -> str:
        """Conditions that are connected from the left to the right."""
        if stack is not None or not self._is_plain:
            return super().connector_sql(expression, op, stack)
        kind, connected, left = type(expression), [], expression
        while type(left) is kind:
            connected.append(left.args["expression"])
            left = left.args["this"]
        connected.append(left)
        if any(isinstance(one, exp.Connector) for one in connected):
            return super().connector_sql(expression, op)
        return f" {op} ".join([self.sql(one) for one in reversed(connected)])

    def column_sql(self, expression: exp.Column) -> str:
        """A column with its source."""
        name, source = expression.args["this"], expression.args.get("table")
        if self._quotes_all and type(name) is type(source) is exp.Identifier and _only_two(expression):
            return f"{_quoted(source)}.{_quoted(name)}"
        return super().column_sql(expression)

    def table_sql(self, expression: exp.Table, sep: str = " AS ") -> str:
        """A table with its alias."""
        alias = expression.args.get("alias")
        if alias is not None and _only_two(expression):
            return f"{self.sql(expression.args['this'])}{sep}{self.sql(alias)}"
        return super().table_sql(expression, sep)

    def join_sql(self, expression: exp.Join, join_op: str | None = None) -> str:
        """A table behind a comma."""
        table = expression.args["this"]
        if join_op is None and type(table) is exp.Table and len(parts(expression)) == 1:
            return f", {self.sql(table)}"
        return super().join_sql(expression, join_op)

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """A name in quotes."""
        if self._quotes_all and not isinstance(expression.parent, exp.Func):
            return _quoted(expression)
        return super().identifier_sql(expression)

    def datatype_sql(self, expression: exp.DataType) -> str:
        """A type that has nothing beside its name."""
        text = _BARE_TYPES.get(expression.this)
        return text if text is not None and len(parts(expression)) == 1 else super().datatype_sql(expression)


def _quoted(name: exp.Identifier) -> str:
    text: str = name.args["this"]
    return '"' + text.replace('"', '""') + '"'


def _only_two(node: exp.Expr) -> bool:
    """Whether it has no parts but two."""
    return len(node.args) == 2 or len(parts(node)) == 2
