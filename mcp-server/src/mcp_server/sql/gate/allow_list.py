"""What a parsed statement may consist of. Anything that is not on a list is refused."""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from mcp_server.domain.failures import Failure, Position
from mcp_server.domain.failures.functions import DottedCall, UnknownFunction
from mcp_server.domain.failures.syntax import NotOneQuery, UnknownType, UnsupportedSyntax
from mcp_server.domain.failures.texts import NestedTooDeeply
from mcp_server.sql.dialect import Dialect, to_sql
from mcp_server.sql.gate.allowed_functions import ALLOWED_FUNCTIONS, PUBLIC_FUNCTIONS
from mcp_server.sql.gate.allowed_nodes import ALLOWED_NODES, TABLE_FUNCTIONS, UNSUPPORTED
from mcp_server.sql.gate.checks import Check, Look, looks_at
from mcp_server.sql.gate.sizes import SIZE_CHECKS
from mcp_server.sql.gate.time_arguments import TIME_CHECKS
from mcp_server.sql.positions import position_at, position_of
from mcp_server.sql.trees import children
from mcp_server.sql.word_places import place_of_lock

MAX_DEPTH = 300
"""Levels of a syntax tree; DuckDB's own bound on expressions is 1,000."""

_TABLE_PARTS = frozenset({"this", "alias", "db", "catalog", "joins", "laterals", "pivots"})
_WRITES = (exp.DML, exp.DDL, exp.Command, exp.Set, exp.Copy, exp.Attach, exp.Detach, exp.Pragma, exp.Drop, exp.Use)


def check(expression: exp.Expr, found: Sequence[exp.Expr], text: str) -> exp.Query:
    """Lets a statement through, of which `found` are all nodes, or raises the Failure that says what is not allowed."""
    if not isinstance(expression, exp.Query):
        raise Failure(NotOneQuery())
    refusal = _refusal(found, text)
    # A tree is no deeper than it has nodes.
    if refusal is not None or len(found) > MAX_DEPTH:
        _check_in_order(expression, text)
    if refusal is not None:
        raise refusal
    return expression


def _refusal(found: Sequence[exp.Expr], text: str) -> Failure | None:
    try:
        for node in found:
            for look in _LOOKS[type(node)]:
                look(node, text)
    except Failure as failure:
        return failure
    return None


def _check_in_order(expression: exp.Expr, text: str) -> None:
    """Raises what is said of a statement in which several things are not allowed."""
    pending: list[tuple[exp.Expr, int]] = [(expression, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise Failure(NestedTooDeeply())
        for look in _LOOKS[type(node)]:
            look(node, text)
        pending += [(child, depth + 1) for child in children(node)]


class _Looks(dict[type[exp.Expr], tuple[Look, ...]]):
    """What looks at nodes, by their kinds."""

    def __missing__(self, kind: type[exp.Expr]) -> tuple[Look, ...]:
        allowed = () if kind in ALLOWED_NODES else (_check_kind,)
        self[kind] = (*looks_at(kind, _BEFORE), *allowed, *looks_at(kind, SIZE_CHECKS))
        return self[kind]


def _check_kind(node: exp.Expr, text: str) -> None:
    if isinstance(node, exp.Func) and not isinstance(node, exp.Columns):
        lambda_ = next((part for part in node.iter_expressions() if isinstance(part, exp.Lambda)), None)
        if lambda_ is not None:
            raise _not_supported(lambda_, text)
        _check_function(node, text)
    elif isinstance(node, _WRITES):
        raise Failure(NotOneQuery(), position=position_of(text, node))
    else:
        raise _not_supported(node, text)


def _dot(node: exp.Expr, text: str) -> None:
    if isinstance(node.expression, exp.Func):
        raise Failure(DottedCall(), position=position_of(text, node))


def _type(node: exp.Expr, text: str) -> None:
    if node.this in (exp.DType.USERDEFINED, exp.DType.UNKNOWN, exp.DType.CHARACTER_SET):
        raise Failure(UnknownType(to_sql(node)), position=position_of(text, node))


def _table_function(node: exp.Expr, text: str) -> None:
    if isinstance(node.this, exp.Func):
        _check_function(node.this, text)


def _known_form(form: Callable[[exp.Expr], bool]) -> Callable[[exp.Expr, str], None]:
    """The check that refuses a node of an allowed kind that is put together in a way that names or reads another thing.

    `form` tells of a node whether it is put together in a known way.
    """

    def checking(node: exp.Expr, text: str) -> None:
        if not form(node):
            raise _not_supported(node, text)

    return checking


def _table_form(node: exp.Expr) -> bool:
    # DuckDB reads the file of that name where a text stands for a table, and looks tables up by their name in some
    # functions that have the name of an aggregate: `FROM histogram('/etc/passwd', 'x')`.
    known = isinstance(node.this, (exp.Identifier, *TABLE_FUNCTIONS))
    return known and not any(value for part, value in node.args.items() if part not in _TABLE_PARTS)


def _quantifier_form(node: exp.Expr) -> bool:
    """`a = ANY (…)`; alone, ANY and ALL are no values."""
    return isinstance(node.parent, exp.Binary) and node.arg_key == "expression"


def _alias_form(node: exp.Expr) -> bool:
    names = [node.args.get("alias"), *(node.args.get("columns") or [])]
    names += [node.this] if isinstance(node, exp.TableAlias) else []
    return all(isinstance(name, exp.Identifier) for name in names if name is not None)


def _this_is(*kinds: type[exp.Expr]) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node.this, kinds)


_FORMS: dict[type[exp.Expr], Callable[[exp.Expr], bool]] = {
    exp.Column: _this_is(exp.Identifier, exp.Star),
    exp.Table: _table_form,
    exp.Lateral: _this_is(exp.Subquery, *TABLE_FUNCTIONS),
    exp.CTE: _this_is(exp.Query, *_WRITES),
    exp.SetOperation: lambda node: isinstance(node.this, exp.Query) and isinstance(node.expression, exp.Query),
    **dict.fromkeys((exp.Any, exp.All), _quantifier_form),
    exp.Limit: lambda node: not node.args.get("expressions"),
    exp.Subquery: _this_is(exp.Query, exp.Table, exp.Values),
    **dict.fromkeys((exp.Alias, exp.TableAlias, exp.PivotAlias), _alias_form),
    # `PIVOT t ON a` finds out its columns by a query of its own.
    exp.Pivot: lambda node: node.args.get("this") is None,
}
"""The known forms of kinds that are put together in several ways."""

_BEFORE: tuple[Check, ...] = (
    (exp.Dot, _dot),
    (exp.DataType, _type),
    *((kind, _table_function) for kind in (exp.Table, exp.Lateral)),
    *TIME_CHECKS,
    *((kind, _known_form(form)) for kind, form in _FORMS.items()),
)
"""What is told of a node before its kind is; SIZE_CHECKS are of what is allowed, by kind or by name."""
_LOOKS = _Looks()


def _not_supported(node: exp.Expr, text: str) -> Failure:
    position = place_of_lock(text) if isinstance(node, exp.Lock) else position_of(text, node)
    return Failure(UnsupportedSyntax(_excerpt(node), UNSUPPORTED.get(type(node))), position=position)


def _check_function(node: exp.Func, text: str) -> None:
    names = [node.name] if isinstance(node, exp.Anonymous) else list(node.sql_names())
    if type(node) in ALLOWED_NODES or any(name.lower() in ALLOWED_FUNCTIONS for name in names):
        return
    name = names[0].lower()
    for candidate in names:
        # The parser's own name of JSON_TABLE is J_S_O_N_TABLE.
        spelt = re.escape(candidate).replace("_", "_?")
        called = re.search(rf'\b({spelt})"?\s*\(', text, re.IGNORECASE)
        if called:
            name, position = called[1].lower(), position_at(text, called.start())
            break
    else:
        position = position_of(text, node) or Position(1, 1)
    near = get_close_matches(name, PUBLIC_FUNCTIONS, n=3, cutoff=0.75)
    raise Failure(UnknownFunction(name, tuple(near)), position=position)


def _excerpt(node: exp.Expr) -> str:
    try:
        sql = " ".join(node.sql(dialect=Dialect, comments=False, unsupported_level=ErrorLevel.IGNORE).split())
    except ValueError:  # the generator knows no text for it either
        sql = ""
    sql = sql or type(node).__name__
    return sql if len(sql) <= 60 else sql[:59] + "…"
