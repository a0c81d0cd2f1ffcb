"""Finds in the statement that a person wrote what an error blames in the statement that was executed."""

from sqlglot import exp
from sqlglot.errors import SqlglotError

from mcp_server.sql.dialect import Dialect
from mcp_server.sql.gate.parse import Statement

_LONGEST_PART = 2_000
_OPERATORS: dict[str, type[exp.Binary]] = {
    "+": exp.Add,
    "-": exp.Sub,
    "*": exp.Mul,
    "/": exp.Div,
    "//": exp.IntDiv,
    "%": exp.Mod,
    "||": exp.DPipe,
    "=": exp.EQ,
    "<>": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_NAMES_END = "§"  # internal names of sources continue after it with a number


def part_at(statement: Statement, executed: str, offset: int, length: int) -> exp.Expr | None:
    """What of the statement says what a part of the executed one says; None where that is not sure.

    The part is an expression, or, with length 0, an operator, which the statement must have once. Of several
    expressions that are the same the first counts, for the error holds for each.
    """
    part = executed[offset : offset + length] if length else _operator_at(executed, offset)
    operator = _OPERATORS.get(part)
    if operator is not None:
        found = [node for node in statement.expression.find_all(operator) if type(node) is operator]
        return found[0] if len(found) == 1 else None
    wanted = _expression(part)
    if wanted is None:
        return None
    shape = _shape(wanted)
    for node in statement.expression.walk(bfs=False):
        if type(node) is type(wanted) and _sources_agree(node, wanted) and _shape(node) == shape:
            return node
    return None


def _operator_at(executed: str, offset: int) -> str:
    return max((one for one in _OPERATORS if executed.startswith(one, offset)), key=len, default="")


def _expression(part: str) -> exp.Expr | None:
    if len(part) > _LONGEST_PART:
        return None
    try:
        (parsed,) = Dialect().parse(f"SELECT {part}")
    except (SqlglotError, ValueError):
        return None
    selected = parsed.expressions if isinstance(parsed, exp.Select) else []
    if len(selected) != 1 or parsed is None or parsed.args.get("from_"):
        return None
    expression: exp.Expr = selected[0]
    return None if isinstance(expression, (exp.Alias, exp.Literal)) else expression


def _shape(node: exp.Expr) -> exp.Expr:
    """The expression without what binding changes: qualifiers, quotes and the case of names."""

    def plain(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column):
            return exp.column(part.name.casefold(), quoted=False)
        return part

    return node.copy().transform(plain)


def _sources_agree(node: exp.Expr, wanted: exp.Expr) -> bool:
    """Whether the columns may be of the same sources; whoever wrote the statement need not have named them."""
    written, executed = list(node.find_all(exp.Column)), list(wanted.find_all(exp.Column))
    return len(written) == len(executed) and all(
        not left.table or left.table.casefold() == right.table.partition(_NAMES_END)[0].casefold()
        for left, right in zip(written, executed, strict=True)
    )
