"""What a parsed statement may consist of. Anything that is not on a list is refused."""

import re
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
from mcp_server.sql.gate.sizes import SIZED, check_size
from mcp_server.sql.gate.time_arguments import TIMED, check_time_arguments
from mcp_server.sql.positions import position_at, position_of
from mcp_server.sql.trees import children

MAX_DEPTH = 300
"""Levels of a syntax tree; DuckDB's own bound on expressions is 1,000."""

_TABLE_PARTS = frozenset({"this", "alias", "db", "catalog", "joins", "laterals", "pivots"})
_WITH_FORMS = (
    exp.Table, exp.Lateral, exp.CTE, exp.SetOperation, exp.Subquery, exp.Column, exp.Alias, exp.TableAlias,
    exp.PivotAlias, exp.Pivot,
)  # fmt: skip
"""Kinds that are put together in several ways, of which `_has_unknown_form` knows those that are not allowed."""
_LOOKED_AT = (exp.Dot, exp.DataType, *_WITH_FORMS, *TIMED, *SIZED)
_PLAIN = frozenset(kind for kind in ALLOWED_NODES if not issubclass(kind, _LOOKED_AT))
"""Kinds that are allowed whatever is in them, which is checked for itself."""
_WRITES = (exp.DML, exp.DDL, exp.Command, exp.Set, exp.Copy, exp.Attach, exp.Detach, exp.Pragma, exp.Drop, exp.Use)


def check(expression: exp.Expr, text: str) -> exp.Query:
    """Lets a statement through, or raises the Failure that says what is not allowed."""
    if not isinstance(expression, exp.Query):
        raise Failure(NotOneQuery())
    pending: list[tuple[exp.Expr, int]] = [(expression, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise Failure(NestedTooDeeply())
        if type(node) not in _PLAIN:
            _check_node(node, text)
        pending += [(child, depth + 1) for child in children(node)]
    return expression


def _check_node(node: exp.Expr, text: str) -> None:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        raise Failure(DottedCall(), position=position_of(text, node))
    if isinstance(node, exp.DataType) and node.this in (exp.DType.USERDEFINED, exp.DType.UNKNOWN):
        raise Failure(UnknownType(to_sql(node)), position=position_of(text, node))
    if isinstance(node, exp.Table | exp.Lateral) and isinstance(node.this, exp.Func):
        _check_function(node.this, text)
    check_time_arguments(node, text)
    if _has_unknown_form(node):
        raise _not_supported(node, text)
    if type(node) in ALLOWED_NODES:
        check_size(node, text)
        return
    if isinstance(node, exp.Func) and not isinstance(node, exp.Columns):
        lambda_ = next((part for part in node.iter_expressions() if isinstance(part, exp.Lambda)), None)
        if lambda_ is not None:
            raise _not_supported(lambda_, text)
        _check_function(node, text)
        check_size(node, text)
        return
    if isinstance(node, _WRITES):
        raise Failure(NotOneQuery(), position=position_of(text, node))
    raise _not_supported(node, text)


def _has_unknown_form(node: exp.Expr) -> bool:
    """Whether a node of an allowed kind is put together in a way that names or reads something else."""
    if isinstance(node, exp.Column):
        return not isinstance(node.this, (exp.Identifier, exp.Star))
    if not isinstance(node, _WITH_FORMS):
        return False
    if isinstance(node, exp.Table):
        # DuckDB reads the file of that name where a text stands for a table, and looks tables up by their name in some
        # functions that have the name of an aggregate: `FROM histogram('/etc/passwd', 'x')`.
        known = isinstance(node.this, (exp.Identifier, *TABLE_FUNCTIONS))
        return not known or any(value for part, value in node.args.items() if part not in _TABLE_PARTS)
    if isinstance(node, exp.Lateral):
        return not isinstance(node.this, (exp.Subquery, *TABLE_FUNCTIONS))
    if isinstance(node, exp.CTE):
        return not isinstance(node.this, (exp.Query, *_WRITES))
    if isinstance(node, exp.SetOperation):
        return not (isinstance(node.this, exp.Query) and isinstance(node.expression, exp.Query))
    if isinstance(node, exp.Subquery):
        return not isinstance(node.this, exp.Query | exp.Table | exp.Values)
    if isinstance(node, exp.Alias | exp.TableAlias | exp.PivotAlias):
        names = [node.args.get("alias"), *(node.args.get("columns") or [])]
        names += [node.this] if isinstance(node, exp.TableAlias) else []
        return any(not isinstance(name, exp.Identifier) for name in names if name is not None)
    # `PIVOT t ON a` finds out its columns by a query of its own.
    return node.args.get("this") is not None


def _not_supported(node: exp.Expr, text: str) -> Failure:
    return Failure(UnsupportedSyntax(_excerpt(node), UNSUPPORTED.get(type(node))), position=position_of(text, node))


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
