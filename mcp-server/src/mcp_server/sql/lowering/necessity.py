"""Finds, for every source of every query in a statement, conditions that each of its useful rows must meet.

A row may be left out when the query it belongs to gives the same result without it. So conditions hold for one query
at a time, whatever surrounds it: those of its WHERE, of its inner joins, and of the side of an outer join that is not
preserved. Leaving out a row of such a side can bring up a row of NULLs in its place; then the condition must be one
that NULLs do not meet either.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from mcp_server.sql.sources import cte_of

SameType = Callable[[exp.Column, exp.Column], bool]
"""Tells whether two columns are of one SQL type in which equality is exact."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In, exp.Like)
_STRICT = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Cast, exp.DPipe)
_MAX_DERIVATIONS = 1_000
_MAX_HANDED_DOWN = 50


@dataclass(slots=True)
class _From:
    """The FROM clause of one query. `nullable` holds which sources an outer join may fill with NULLs."""

    sources: list[exp.Expr]
    joins: list[exp.Join | None]
    nullable: list[bool]
    closed: list[bool]
    conditions: list[list[exp.Expr]] = field(default_factory=list)


class Necessity:
    """Collects conditions of a statement; `of` gives those of a source, in terms of its own columns."""

    def __init__(self, query: exp.Query, same_type: SameType) -> None:
        self._same_type = same_type
        self._conditions: dict[int, list[exp.Expr]] = {}
        self._inherited: dict[int, list[exp.Expr]] = {}
        self._uses: dict[int, int] = {}
        for table in query.find_all(exp.Table):
            cte = cte_of(table)
            if cte is not None:
                self._uses[id(cte)] = self._uses.get(id(cte), 0) + 1
        for select in _users_first(query):
            self._visit(select)

    def of(self, source: exp.Expr) -> list[exp.Expr]:
        """The conditions found for a source."""
        return self._conditions.get(id(source), [])

    def _visit(self, select: exp.Select) -> None:
        from_ = _from(select)
        if from_ is None:
            return
        inherited = self._inherited.get(id(select), [])
        where = select.args.get("where")
        filters = [*(_conjuncts(where.this) if where is not None else []), *inherited]
        for condition in filters:
            self._add(from_, condition, from_.nullable, range(len(from_.sources)))
        self._visit_joins(from_)
        self._derive(from_, filters)
        for source, found in zip(from_.sources, from_.conditions, strict=True):
            if found:
                self._conditions[id(source)] = found
                self._hand_down(source, found)

    def _visit_joins(self, from_: _From) -> None:
        nullable = [False] * len(from_.sources)
        for place, join in enumerate(from_.joins):
            if join is None:
                continue
            for condition in _conjuncts(join.args.get("on")):
                self._add(from_, condition, nullable, _filtered_by_on(join, place))
            _extend_nullable(nullable, join, place)

    def _add(self, from_: _From, condition: exp.Expr, nullable: list[bool], places: range) -> None:
        """Files a condition under the one source it speaks of, if rows can be left out there."""
        place = _only_source(from_, condition)
        if place is None or place not in places or from_.closed[place]:
            return
        if nullable[place] and not rejects_nulls(condition):
            return
        if condition not in from_.conditions[place]:
            from_.conditions[place].append(condition)

    def _derive(self, from_: _From, filters: list[exp.Expr]) -> None:
        """From `a.x = 7` and `a.x = b.y` follows `b.y = 7`. Not where a join may fill earlier sources with NULLs."""
        if any(join is not None and join.side in ("RIGHT", "FULL") for join in from_.joins):
            return
        both_ways = list(filters)
        forwards: list[exp.Expr] = []
        for join in from_.joins:
            if join is not None and not join.method:
                (both_ways if _is_inner(join) else forwards).extend(_conjuncts(join.args.get("on")))
        pairs = [pair for one in both_ways for pair in _directions(one, both=True)]
        pairs += [pair for one in forwards for pair in _directions(one, both=False)]
        by_given: dict[exp.Column, list[exp.Column]] = {}
        for given, other in pairs:
            if self._same_type(given, other):
                by_given.setdefault(given, []).append(other)
        known = [one for one in both_ways if rejects_nulls(one)]
        derivations = 0
        while known and derivations < _MAX_DERIVATIONS:
            condition = known.pop(0)
            columns = set(condition.find_all(exp.Column))
            if len(columns) != 1:
                continue
            given = columns.pop()
            for other in by_given.get(given, []):
                derivations += 1
                derived = condition.transform(lambda node, given=given, other=other: _swapped(node, given, other))
                place = _only_source(from_, derived)
                if place is not None and not from_.closed[place] and derived not in from_.conditions[place]:
                    from_.conditions[place].append(derived)
                    known.append(derived)

    def _hand_down(self, source: exp.Expr, conditions: list[exp.Expr]) -> None:
        """Conditions on a subquery's output, or on that of a CTE used once, hold for the rows it is made of."""
        body: exp.Expr | None = None
        if isinstance(source, exp.Subquery) and not source.args.get("pivots"):
            body = source
        elif isinstance(source, exp.Table) and not source.args.get("pivots"):
            cte = cte_of(source)
            if cte is not None and self._uses[id(cte)] == 1 and not _recursive(cte):
                body = cte.this
        if body is not None:
            self._push(body, conditions[:_MAX_HANDED_DOWN], None)

    def _push(self, body: exp.Expr, conditions: list[exp.Expr], names: list[str] | None) -> None:
        if body.args.get("limit") or body.args.get("offset"):
            return
        if isinstance(body, exp.Subquery):
            if not any(value for part, value in body.args.items() if part not in ("this", "alias", "with_", "order")):
                self._push(body.this, conditions, names)
        elif isinstance(body, exp.SetOperation) and not body.args.get("by_name"):
            names = names or [projection.alias_or_name for projection in body.selects]
            self._push(body.this, conditions, names)
            self._push(body.expression, conditions, names)
        elif isinstance(body, exp.Select):
            outputs = _checkable_outputs(body, names)
            for condition in conditions:
                columns = list(condition.find_all(exp.Column))
                if all(column.name in outputs for column in columns):
                    inner = condition.transform(lambda node: _inside(node, outputs))
                    self._inherited.setdefault(id(body), []).append(inner)


def _users_first(node: exp.Expr) -> Iterator[exp.Select]:
    """All queries of a statement, each after those that read from it."""
    if isinstance(node, exp.Select):
        yield node
    with_ = node.args.get("with_")
    for child in node.iter_expressions():
        if child is not with_:
            yield from _users_first(child)
    if with_ is not None:
        for cte in reversed(with_.expressions):
            yield from _users_first(cte)


def _from(select: exp.Select) -> _From | None:
    """The FROM clause, unless rows in it depend on their place or its shape is not a plain list of joins."""
    first = select.args.get("from_")
    joins = select.args.get("joins") or []
    if first is None or any(join.method == "POSITIONAL" for join in joins):
        return None
    found = [first.this, *(join.this for join in joins)]
    if any(source.args.get("joins") for source in found):
        return None
    nullable = [False] * len(found)
    closed = [False] * len(found)
    for place, join in enumerate(joins, start=1):
        _extend_nullable(nullable, join, place)
        # Of an ASOF join's right side, leaving out one row makes another one the nearest.
        closed[place] = join.method == "ASOF"
    for place, source in enumerate(found):
        closed[place] = closed[place] or bool(source.args.get("pivots"))
    return _From(found, [None, *joins], nullable, closed, [[] for _ in found])


def _extend_nullable(nullable: list[bool], join: exp.Join, place: int) -> None:
    if join.side in ("LEFT", "FULL"):
        nullable[place] = True
    if join.side in ("RIGHT", "FULL"):
        nullable[:place] = [True] * place


def _is_inner(join: exp.Join) -> bool:
    return not join.side and not join.method and join.kind in ("", "INNER", "CROSS")


def _filtered_by_on(join: exp.Join, place: int) -> range:
    """The sources whose rows are lost when they do not meet the ON condition."""
    if _is_inner(join) or (join.kind == "SEMI" and not join.method):
        return range(place + 1)
    if join.method:
        return range(0)
    if join.side == "LEFT" or join.kind == "ANTI":
        return range(place, place + 1)
    return range(place) if join.side == "RIGHT" else range(0)


def _conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    if condition is None:
        return []
    if isinstance(condition, exp.Paren):
        return _conjuncts(condition.this)
    if isinstance(condition, exp.And):
        return [part for one in condition.flatten() for part in _conjuncts(one)]
    return [condition]


def _only_source(from_: _From, condition: exp.Expr) -> int | None:
    """The one source that a condition speaks of; None if it holds subqueries, other sources, or none."""
    if condition.find(exp.Query, exp.Exists, exp.AggFunc, exp.Window, exp.Unnest, exp.Explode) is not None:
        return None
    aliases = {column.table for column in condition.find_all(exp.Column)}
    if len(aliases) != 1:
        return None
    alias = aliases.pop()
    places = [place for place, source in enumerate(from_.sources) if source.alias_or_name == alias]
    return places[0] if len(places) == 1 else None


def rejects_nulls(condition: exp.Expr) -> bool:
    """Whether a condition is not true where all its columns are NULL."""
    if isinstance(condition, exp.Paren):
        return rejects_nulls(condition.this)
    if isinstance(condition, exp.And):
        return any(rejects_nulls(part) for part in condition.flatten())
    if isinstance(condition, exp.Or):
        return all(rejects_nulls(part) for part in condition.flatten())
    if isinstance(condition, exp.Not):
        inner = condition.this.this if isinstance(condition.this, exp.Paren) else condition.this
        if isinstance(inner, exp.Is):
            return isinstance(inner.expression, exp.Null) and _is_null_if_columns_are(inner.this)
        return isinstance(inner, _COMPARISONS) and _compares_columns(inner)
    return isinstance(condition, _COMPARISONS) and _compares_columns(condition)


def _compares_columns(comparison: exp.Expr) -> bool:
    return _is_null_if_columns_are(comparison.this) or (
        isinstance(comparison, exp.Binary) and _is_null_if_columns_are(comparison.expression)
    )


def _is_null_if_columns_are(operand: exp.Expr) -> bool:
    if isinstance(operand, exp.Column):
        return True
    return isinstance(operand, _STRICT) and any(
        _is_null_if_columns_are(part) for part in (operand.this, operand.args.get("expression")) if part is not None
    )


def _swapped(node: exp.Expr, given: exp.Column, other: exp.Column) -> exp.Expr:
    return other.copy() if node == given else node


def _directions(equality: exp.Expr, *, both: bool) -> Iterator[tuple[exp.Column, exp.Column]]:
    """What stands for what by an equality of two columns; of an outer join only from its left to its right."""
    if not isinstance(equality, exp.EQ):
        return
    left, right = equality.this, equality.expression
    if not isinstance(left, exp.Column) or not isinstance(right, exp.Column) or left.table == right.table:
        return
    if both:
        yield left, right
        yield right, left
        return
    join = equality.find_ancestor(exp.Join)
    joined = join.this.alias_or_name if join is not None else None
    if right.table == joined:
        yield left, right
    elif left.table == joined:
        yield right, left


def _checkable_outputs(select: exp.Select, names: list[str] | None) -> dict[str, exp.Column]:
    """The output columns on which a condition may as well be checked before all else, and what they are inside."""
    if select.args.get("qualify") or _on_distinct(select) or _windows(select):
        return {}
    group = select.args.get("group")
    if group is not None and any(group.args.get(key) for key in ("grouping_sets", "cube", "rollup", "totals", "all")):
        return {}
    grouped = group.expressions if group is not None else [] if _aggregates(select) else None
    outputs: dict[str, exp.Column] = {}
    seen = set()
    for place, projection in enumerate(select.expressions):
        name = names[place] if names is not None and place < len(names) else projection.alias_or_name
        inner = projection.unalias()
        plain = isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star)
        if isinstance(inner, exp.Column) and plain and name not in seen and (grouped is None or inner in grouped):
            outputs[name] = inner
        elif name in seen:
            outputs.pop(name, None)
        seen.add(name)
    return outputs


def _inside(node: exp.Expr, outputs: dict[str, exp.Column]) -> exp.Expr:
    return outputs[node.name].copy() if isinstance(node, exp.Column) else node


def _on_distinct(select: exp.Select) -> bool:
    distinct = select.args.get("distinct")
    return distinct is not None and distinct.args.get("on") is not None


def _windows(select: exp.Select) -> bool:
    return any(projection.find(exp.Window) is not None for projection in select.expressions)


def _aggregates(select: exp.Select) -> bool:
    # Of functions the parser does not know it cannot be said that they are not aggregates.
    aggregates = (exp.AggFunc, exp.Anonymous, exp.Filter, exp.WithinGroup)
    return select.args.get("having") is not None or any(one.find(*aggregates) for one in select.expressions)


def _recursive(cte: exp.CTE) -> bool:
    return isinstance(cte.parent, exp.With) and bool(cte.parent.recursive)
