"""DuckDB's SQL as it is read and written here."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel, UnsupportedError
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import TokenType

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.syntax import NotGenerated
from mcp_server.domain.failures.texts import NestedTooDeeply
from mcp_server.sql.plain_generator import PlainGenerator
from mcp_server.sql.plain_parser import PlainParser

TIME_WORDS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.CurrentDate: ("current_date", "current_date()"),
    exp.CurrentTime: ("current_time", "get_current_time()"),
    exp.CurrentTimestamp: ("current_timestamp", "now()"),
    exp.Localtime: ("localtime", "current_localtime()"),
    exp.Localtimestamp: ("localtimestamp", "current_localtimestamp()"),
}
"""The words that ask for the time: how DuckDB names their column, and the call that gives the same."""


CALLED = "called"
"""The key in the `meta` of an aggregate under which its name in the statement is found: `list`, `array_agg`."""
PLACE = "place"
"""The key in the `meta` of a parameter, and of a text that stands for one, under which its start and end in the
statement are found."""
MAX_DOTTED_CALLS = 10
"""Calls like `x.f(…)` that are parsed, none of which is allowed. At each, the parser copies all that stands before."""
_AROUND_CALLS = (exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)


def _called(_generator: DuckDBGenerator, _word: exp.Expr, call: str) -> str:
    return call


def _date_add(arguments: list[exp.Expr]) -> exp.Expr:
    """A sum, which DuckDB's macro of that name is: a DATE and the number 5 make a DATE."""
    if len(arguments) != 2:
        return exp.Anonymous(this="date_add", expressions=arguments)
    time, interval = (exp.Paren(this=argument) for argument in arguments)
    return exp.Paren(this=exp.Add(this=time, expression=interval))


def _of_one(name: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    """A function of one argument. Of more, which other databases' have, the parser would lose or mistake some."""

    def call(arguments: list[exp.Expr]) -> exp.Expr:
        known: exp.Expr = DuckDBParser.FUNCTIONS[name](arguments)
        return known if len(arguments) == 1 else exp.Anonymous(this=name.lower(), expressions=arguments)

    return call


def _placed(parser: DuckDBParser) -> exp.Expr | None:
    """A parameter with its place. The tokens of a bare `?` are two at the same place (see mark_parameters)."""
    sign = parser._prev  # noqa: SLF001
    parse: Callable[[DuckDBParser], exp.Expr | None] = DuckDBParser.PLACEHOLDER_PARSERS[TokenType.PARAMETER]
    parameter = parse(parser)
    if parameter is not None:
        name = parser._prev  # noqa: SLF001
        parameter.meta[PLACE] = (sign.start, sign.start + 1 if name.start == sign.start else name.end + 1)
    return parameter


class Dialect(DuckDB):
    """DuckDB's dialect, except that `$1,$2` are two parameters and not the start of a dollar-quoted text.

    Names are compared as they are spelt, since binding spells alike what DuckDB takes for the same name. Subscripts
    stay as they are written: the parser would make those count from 0 that it takes for numbers, and miss parameters.
    """

    NORMALIZATION_STRATEGY = NormalizationStrategy.CASE_SENSITIVE
    INDEX_OFFSET = 0

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """Keys and paths of JSON as they are written: DuckDB takes `doc->>'a.b'` for a key, the parser for a path."""
        return path

    class Tokenizer(DuckDB.Tokenizer):
        """Tokens without dollar-quoted texts."""

        HEREDOC_STRINGS: ClassVar[list[str | tuple[str, str]]] = []
        SINGLE_TOKENS: ClassVar[dict[str, TokenType]] = {**DuckDB.Tokenizer.SINGLE_TOKENS, "$": TokenType.PARAMETER}

    class Parser(PlainParser):
        """DuckDB's parser, with `iff` beside `if`, which remembers by what name an aggregate of several was called."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {
            **DuckDBParser.FUNCTIONS,
            "IFF": exp.If.from_arg_list,
            "DATE_ADD": _date_add,
            "DECODE": _of_one("DECODE"),
            "TO_TIMESTAMP": _of_one("TO_TIMESTAMP"),
        }

        PLACEHOLDER_PARSERS: ClassVar[dict[TokenType, Any]] = {
            **DuckDBParser.PLACEHOLDER_PARSERS,
            TokenType.PARAMETER: _placed,
        }

        _dotted_calls = 0

        def reset(self) -> None:
            """Forgets what was parsed before."""
            super().reset()
            self._dotted_calls = 0

        def _parse_function_call(self, *args: Any, **kwargs: Any) -> exp.Expr | None:
            name = self._curr.text if self._curr is not None else ""
            is_dotted = kwargs.get("anonymous") and self._prev.token_type is TokenType.DOT
            call = super()._parse_function_call(*args, **kwargs)
            if is_dotted and call is not None:
                self._dotted_calls += 1
                if self._dotted_calls > MAX_DOTTED_CALLS:
                    raise Failure(NestedTooDeeply())
            inner = call
            while isinstance(inner, _AROUND_CALLS):
                inner = inner.this
            if isinstance(inner, exp.ArrayAgg | exp.GroupConcat):
                inner.meta.setdefault(CALLED, name.lower())
            return call

    class Generator(PlainGenerator):
        """DuckDB's generator, which takes `approx_top_k` for another dialect's.

        What asks for the time without parentheses is written as a call: DuckDB takes the bare word for a column where
        one has that name, such as the result's own in `SELECT current_date`.
        """

        TRANSFORMS: ClassVar[dict[type[exp.Expr], Any]] = {
            **DuckDBGenerator.TRANSFORMS,
            **{node: partial(_called, call=call) for node, (_, call) in TIME_WORDS.items()},
        }

        def bracket_offset_expressions(self, expression: exp.Bracket, _offset: int | None = None) -> list[exp.Expr]:
            """Subscripts as they are written."""
            return expression.expressions

        def approxtopk_sql(self, expression: exp.ApproxTopK) -> str:
            """The call as DuckDB spells it."""
            return self.func("APPROX_TOP_K", expression.this, expression.expression)


_DIALECT = Dialect()


def to_sql(expression: exp.Expr, *, quoted: bool = True) -> str:
    """The text of an expression, which is not used afterwards; with all its names quoted, or only those that need it.

    Raises syntax_not_supported for what DuckDB cannot express.
    """
    try:
        return _DIALECT.generate(
            expression, copy=False, identify=quoted, unsupported_level=ErrorLevel.RAISE, comments=False
        )
    except UnsupportedError as error:
        raise Failure(NotGenerated(str(error))) from None
