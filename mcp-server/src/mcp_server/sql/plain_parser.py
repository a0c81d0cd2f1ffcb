"""DuckDB's parser, which reads plain parts of a statement in one step: the same tree at two thirds of the cost.

The parser goes down fifteen levels of precedence for each operand, and on the way up tries at each what may follow.
Here, every token has a kind, which is a letter, so that one regular expression tells what comes next. Where that is
plain, such as a column or a literal of which none of the levels can make more, it is read at once. A token with
comments is not plain, because those move from node to node.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from sqlglot import exp
from sqlglot.parser import Parser
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.sql.trees import holds

_KINDS = {
    **dict.fromkeys((TokenType.VAR, TokenType.IDENTIFIER), "n"),
    TokenType.NUMBER: "v",
    TokenType.STRING: "t",
    TokenType.DATE: "d",
    TokenType.DOT: ".",
    **dict.fromkeys((TokenType.EQ, TokenType.NEQ), "="),
    **dict.fromkeys((TokenType.LT, TokenType.GT, TokenType.LTE, TokenType.GTE), "<"),
    TokenType.ALIAS: "a",
    TokenType.L_PAREN: "(",
    TokenType.R_PAREN: ")",
    TokenType.COMMA: ",",
    TokenType.SELECT: "S",
    TokenType.FROM: "F",
    **dict.fromkeys((TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY), "f"),
    TokenType.LIMIT: "l",
    TokenType.JOIN: "j",
    **dict.fromkeys((TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.INNER, TokenType.CROSS), "j"),
    TokenType.ON: "o",
    **dict.fromkeys((TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT), "u"),
    TokenType.EXISTS: "E",
    TokenType.CASE: "C",
    TokenType.WHEN: "W",
    **dict.fromkeys((TokenType.THEN, TokenType.ELSE, TokenType.END, TokenType.ASC, TokenType.DESC), "w"),
    **dict.fromkeys((TokenType.AND, TokenType.OR), "&"),
    **dict.fromkeys((TokenType.BETWEEN, TokenType.IN, TokenType.LIKE, TokenType.IS, TokenType.NOT), "b"),
    **dict.fromkeys((TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH, TokenType.DPIPE), "+"),
}
"""The kinds of tokens that plain parts consist of, or end before."""
_OTHER, _END = "x", "$"
_READ = frozenset("nvtd.=<a")
"""Those that plain parts consist of."""

_NEVER_PLAIN = frozenset({*DuckDBParser.NO_PAREN_FUNCTION_PARSERS, "PRIOR", "LAMBDA"})
"""Names that stand before an operand, PRIOR in CONNECT BY only."""

_OPERAND = r"(?:n(?:\.n)?|[vt]|dt)"
_BEHIND = ",)aFfljouWw$"
"""Kinds of tokens that end an expression. None of the levels of precedence takes one."""
_EXPRESSION = re.compile(rf"{_OPERAND}(?=[{_BEHIND}])")
_COMPARISON = re.compile(rf"({_OPERAND})[=<]({_OPERAND})(?=[&{_BEHIND}])")
_SIDE = re.compile(rf"{_OPERAND}(?=[=&b{_BEHIND}]|<(?!<))")
_FACTOR = re.compile(rf"{_OPERAND}(?=[+=&b{_BEHIND}]|<(?!<))")
_ARGUMENT = re.compile(rf"{_OPERAND}(?=[,)])")
_CALL = re.compile(r"[nE]\(|C")
_ALIAS = re.compile(r"an(?=[,)Ff$])")
_TABLE = re.compile(r"(n(?:\.n)?)(?:a?(n))?(?=[,)fljou$])")

# Kinds of tokens at which something does not begin.
_NO_EXPRESSION = frozenset("SW")
_NO_QUERY = frozenset("nvtd")
_NO_COMPARISON = frozenset("=&" + _BEHIND)
_NO_ALIAS = frozenset(",)SFf$")
_NO_WINDOW = frozenset("+=<&b" + _BEHIND)
_NO_JOIN = frozenset(")Fflou$")
_NO_SET_OPERATION = frozenset("&,)aFfloWw$")

_Node = TypeVar("_Node", bound=exp.Expr)

_COMPARISONS = DuckDBParser.EQUALITY | DuckDBParser.COMPARISON


class PlainParser(DuckDBParser):
    """DuckDB's parser. Each method here reads what is plain, and leaves anything else to the parser's own."""

    _kinds = _END

    def _parse(
        self, parse_method: Callable[[Parser], exp.Expr | None], raw_tokens: list[Token], sql: str | None = None
    ) -> list[exp.Expr | None]:
        if not sql or ";" in sql:
            return super()._parse(parse_method, raw_tokens, sql)
        self.reset()
        self.sql = sql
        self._chunks = [raw_tokens]
        return self._parse_batch_statements(parse_method=parse_method, sep_first_statement=False)

    def _advance_chunk(self) -> None:
        super()._advance_chunk()
        self._kinds = "".join(map(_kind, self._tokens)) + _END

    def _parse_select(self, *args: Any, **kwargs: Any) -> exp.Expr | None:
        return super()._parse_select(*args, **kwargs) if self._kinds[self._index] not in _NO_QUERY else None

    def _parse_disjunction(self) -> exp.Expr | None:
        plain = _EXPRESSION.match(self._kinds, self._index)
        if plain is not None:
            return self._operand(plain)
        if self._kinds[self._index] in _NO_EXPRESSION:
            return None
        this = self._parse_conjunction()
        while self._match(TokenType.OR):
            comments = self._prev_comments
            this = self.expression(exp.Or(this=this, expression=self._parse_conjunction()), comments=comments)
        return this

    def _parse_conjunction(self) -> exp.Expr | None:
        this = self._comparison() or self._parse_equality()
        while self._match(TokenType.AND):
            comments = self._prev_comments
            following = self._comparison() or self._parse_equality()
            this = self.expression(exp.And(this=this, expression=following), comments=comments)
        return this

    def _comparison(self) -> exp.Expr | None:
        plain = _COMPARISON.match(self._kinds, self._index)
        if plain is None:
            return None
        middle = plain.end(1)
        comparison = _COMPARISONS[self._tokens[middle].token_type]
        left = _operand_of(self._tokens[self._index : middle])
        right = _operand_of(self._tokens[middle + 1 : plain.end()])
        self._advance(plain.end() - self._index)
        return comparison(this=left, expression=right)

    def _parse_comparison(self, this: exp.Expr | None = None) -> exp.Expr | None:
        if this is None:
            this = self._parse_bitwise()
            if self._kinds[self._index] in _NO_COMPARISON:
                return this
            this = self._parse_range(this)
        return super()._parse_comparison(this)

    def _parse_bitwise(self) -> exp.Expr | None:
        plain = _SIDE.match(self._kinds, self._index)
        return self._operand(plain) if plain is not None else super()._parse_bitwise()

    def _parse_unary(self) -> exp.Expr | None:
        plain = _FACTOR.match(self._kinds, self._index)
        if plain is not None:
            return self._operand(plain)
        this: exp.Expr | None = None
        if self._kinds[self._index] == "(":
            this = self._parse_paren()
        elif _CALL.match(self._kinds, self._index) is not None:
            this = self._parse_function()
        return self._parse_column_ops(this) if this is not None else super()._parse_unary()

    def _parse_lambda(self, alias: bool = False) -> exp.Expr | None:
        plain = _ARGUMENT.match(self._kinds, self._index)
        return self._operand(plain) if plain is not None else super()._parse_lambda(alias)

    def _operand(self, plain: re.Match[str]) -> exp.Expr:
        operand = _operand_of(self._tokens[self._index : plain.end()])
        self._advance(plain.end() - self._index)
        return operand

    def _parse_alias(self, this: exp.Expr | None, explicit: bool = False) -> exp.Expr | None:
        if self._kinds[self._index] in _NO_ALIAS:
            return this
        if this is None or _ALIAS.match(self._kinds, self._index) is None:
            return super()._parse_alias(this, explicit)
        self._advance(2)
        alias = exp.Alias(this=this, alias=_name(self._prev))
        if this.comments:
            alias.comments = this.pop_comments()
        return alias

    def _parse_table(self, *args: Any, **kwargs: Any) -> exp.Expr | None:
        is_usual = not args and not any(kwargs.values())
        plain = _TABLE.match(self._kinds, self._index) if is_usual else None
        return self._table(plain) if plain is not None else super()._parse_table(*args, **kwargs)

    def _table(self, plain: re.Match[str]) -> exp.Table:
        table = _table_of(self._tokens[plain.start() : plain.end(1)])
        self._advance(plain.end() - self._index)
        if plain[2]:
            alias = exp.TableAlias(this=_name(self._prev), columns=None)
            alias.comments = []
            table.set("alias", alias)
        return table

    def _parse_join(self, *args: Any, **kwargs: Any) -> exp.Join | None:
        kind = self._kinds[self._index]
        if kind in _NO_JOIN:
            return None
        plain = _TABLE.match(self._kinds, self._index + 1) if kind == "," and not self._curr.comments else None
        return exp.Join(this=self._table(plain)) if plain is not None else super()._parse_join(*args, **kwargs)

    def _parse_set_operations(self, this: exp.Expr | None) -> exp.Expr | None:
        if self._kinds[self._index] in _NO_SET_OPERATION and not isinstance(this, exp.SetOperation):
            return this
        return super()._parse_set_operations(this)

    def _parse_window(self, this: exp.Expr | None, alias: bool = False) -> exp.Expr | None:
        if self._kinds[self._index] not in _NO_WINDOW or alias:
            return super()._parse_window(this, alias)
        if isinstance(this, exp.AggFunc) and holds(this, exp.IgnoreNulls, exp.RespectNulls):
            return super()._parse_window(this, alias)
        return this


def _kind(token: Token) -> str:
    kind = _KINDS.get(token.token_type, _OTHER)
    if kind in _READ and (token.comments or (kind == "n" and token.text.upper() in _NEVER_PLAIN)):
        return _OTHER
    return kind


def _operand_of(tokens: list[Token]) -> exp.Expr:
    """The column or the literal that these tokens are."""
    first, last = tokens[0], tokens[-1]
    match first.token_type:
        case TokenType.VAR | TokenType.IDENTIFIER:
            name = _name(last)
            return exp.Column(this=name) if first is last else exp.Column(this=name, table=_name(first))
        case TokenType.DATE:
            kind = exp.DataType(this=exp.DType.DATE, expressions=None, nested=False)
            return exp.Cast(this=_literal(last), to=kind)
    return _literal(first)


def _table_of(tokens: list[Token]) -> exp.Table:
    first, last = tokens[0], tokens[-1]
    name = _name(last)
    return exp.Table(this=name) if first is last else exp.Table(this=name, db=_name(first))


def _literal(token: Token) -> exp.Literal:
    return _placed(exp.Literal(this=token.text, is_string=token.token_type is TokenType.STRING), token)


def _name(token: Token) -> exp.Identifier:
    return _placed(exp.Identifier(this=token.text, quoted=token.token_type is TokenType.IDENTIFIER), token)


def _placed(node: _Node, token: Token) -> _Node:
    """Like `update_positions`, at half of its cost."""
    node._meta = {"line": token.line, "col": token.col, "start": token.start, "end": token.end}  # noqa: SLF001
    return node
