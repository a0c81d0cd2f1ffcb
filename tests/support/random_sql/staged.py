"""Statements in which the rows of one table name the keys of another."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Table
from tests.support.random_sql.sources import Sources
from tests.support.random_sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Link:
    """A column that refers to the key of a table."""

    table: Table
    column: Column
    target: Table
    key: str


@dataclass(frozen=True, slots=True)
class Staged(Sources):
    """Makes statements over tables that refer to one another."""

    def staged(self) -> Statement:
        """A small side and a table that is read by the keys it names."""
        link = self._link()
        one, two = self._aliases(2)
        small = {f"{one}.{column.name}": column for column in link.table.columns}
        large = {f"{two}.{column.name}": column for column in link.target.columns}
        both = {**small, **large}
        named, key = f"{one}.{link.column.name}", f"{two}.{link.key}"
        few = self._few(link.table, f"{one}.")
        source, target = f"{link.table.name} {one}", f"{link.target.name} {two}"
        kind = self.dice.choice(["join", "join", "left join", "right join", "full join", "semi join", "anti join"])
        kept = small if kind in ("semi join", "anti join") else both
        mirrored = large if kind in ("semi join", "anti join") else both
        more = f" and {self._condition(both, 1)}" if self.dice.random() < 0.4 else ""
        more += f" and {self._also(link, one, two)}" if self.dice.random() < 0.3 else ""
        rest = f" and {self._condition(kept, 1)}" if self.dice.random() < 0.5 else ""
        names = f"select {named} from {source} where {few}"
        if self.dice.random() < 0.3:
            operator = self.dice.choice(["union", "union all", "union all", "except", "intersect"])
            names += f" {operator} select {named} from {source} where {self._few(link.table, f'{one}.')}"
        inner = f"select {link.column.name} as k, count(*) as n from {source} where {few} group by 1"
        not_ = self.dice.choice(["", "", "not "])
        end = self.dice.choice(["min", "max"])
        where = self._condition(large, 1)
        forms: list[Callable[[], str]] = [
            lambda: (
                f"select {self._projections(kept)} from {source} {kind} {target} on {named} = {key}{more}"
                f" where {few}{rest}"
            ),
            lambda: (
                f"select {self._projections(kept)} from {source} {kind} {target} on {named} = {key}{more}"
                f" where {few}{rest}"
            ),
            lambda: (
                f"select {self._projections(mirrored)} from {target} {kind} {source} on {key} = {named}{more} and {few}"
            ),
            lambda: (
                f"select {self._projections(kept)} from {source} {kind} {target} on {named} = {key} and {few}{more}"
            ),
            lambda: (
                f"select {self._projections(both)} from {source}, {target} where {named} = {key} and {few}{rest}"
                if kept is both
                else f"select count(*) from {source}, {target} where {named} = {key} and {few}"
            ),
            lambda: f"select {self._projections(large)} from {target} where {key} {not_}in ({names})",
            lambda: f"select {self._projections(large)} from {target} where {key} {not_}in ({names}) and {where}",
            lambda: f"select {self._projections(large)} from {target} where ({key} in ({names}) or {where})",
            lambda: (
                f"select {self._projections(large)} from {target} where {key} = (select {end}({named})"
                f" from {source} where {few})"
            ),
            lambda: (
                f"select {self._projections(large)} from {target} where {key} >= (select {end}({named})"
                f" from {source} where {few}) and {where}"
            ),
            lambda: (
                f"select {self._projections(large)} from {target} where {not_}exists (select 1 from {source}"
                f" where {named} = {key} and {few}{more})"
            ),
            lambda: f"with q as ({inner}) select q.n, {self._projections(large)} from q join {target} on q.k = {key}",
            lambda: f"with q as ({inner}) select q.k, {key} from {target} left join q on q.k = {key} where {where}",
            lambda: f"select q.k, (select count(*) from {target} where {key} = q.k and {where}) from ({inner}) q",
            lambda: (
                f"select q.k, {self._projections(large)} from ({names}) q(k) {self.dice.choice(['join', 'left join'])}"
                f" {target} on q.k = {key}"
            ),
            lambda: self._pairs(link, few, one, two),
            lambda: self._chain(link, few, one, two),
        ]
        return Statement(self.dice.choice(forms)())

    def _also(self, link: Link, one: str, two: str) -> str:
        """A second equality, of which the key may have its sort key."""
        left = {f"{one}.{column.name}": column for column in link.table.columns}
        right = {f"{two}.{column.name}": column for column in link.target.columns}
        sort_keys = [other for key, other in link.target.keys if key == link.key]
        if sort_keys and self.dice.random() < 0.5:
            column = next(column for column in link.target.columns if column.name == sort_keys[0])
            return f"{two}.{column.name} {self.dice.choice(['=', '=', '>', '<='])} {self._literal(column)}"
        return self._equality(left, right)

    def _pairs(self, link: Link, few: str, one: str, two: str) -> str:
        """Rows of values in the rows of a subquery."""
        left = {f"{two}.{column.name}": column for column in link.target.columns if column.name != link.key}
        right = {f"{one}.{column.name}": column for column in link.table.columns}
        name, like = self._pair(left, right)
        names = f"select {one}.{link.column.name}, {like} from {link.table.name} {one} where {few}"
        columns = {f"{two}.{column.name}": column for column in link.target.columns}
        if self.dice.random() < 0.5:
            kind = self.dice.choice(["join", "join", "left join", "right join"])
            return (
                f"select {self._projections(columns)} from ({names}) q(x, y) {kind} {link.target.name} {two}"
                f" on q.x = {two}.{link.key} and q.y = {name}"
            )
        within = f"({two}.{link.key}, {name}) {self.dice.choice(['', '', 'not '])}in ({names})"
        return f"select {self._projections(columns)} from {link.target.name} {two} where {within}"

    def _chain(self, link: Link, few: str, one: str, two: str) -> str:
        """A third table, whose keys the second names, or the first."""
        links = [other for other in self._links() if other.table in (link.target, link.table)]
        if not links:
            return f"select count(*) from {link.table.name} {one} where {few}"
        next_ = self.dice.choice(links)
        at = two if next_.table is link.target else one
        columns = {f"{two}.{column.name}": column for column in link.target.columns}
        columns |= {f"c3.{column.name}": column for column in next_.target.columns}
        first, second = (self.dice.choice(["join", "join", "left join"]) for _ in range(2))
        return (
            f"select {self._projections(columns)} from {link.table.name} {one}"
            f" {first} {link.target.name} {two} on {one}.{link.column.name} = {two}.{link.key}"
            f" {second} {next_.target.name} c3 on {at}.{next_.column.name} = c3.{next_.key}"
            f" where {few}{self.dice.choice(['', f' and {self._condition(columns, 1)}'])}"
        )

    def _few(self, table: Table, prefix: str) -> str:
        """A condition that leaves few rows: a key, or any."""
        columns = {column.name: column for column in table.columns}
        prefixed = {f"{prefix}{name}": column for name, column in columns.items()}
        if self.dice.random() < 0.2 or not table.keys:
            return self._condition(prefixed, 1)
        partition, other = self.dice.choice(table.keys)
        values = ", ".join(self._literal(columns[partition]) for _ in range(self.dice.choice([1, 1, 2, 3])))
        beside = f" and {self._condition({f'{prefix}{other}': columns[other]}, 1)}" if self.dice.random() < 0.4 else ""
        return f"{prefix}{partition} in ({values}){beside}"

    def _link(self) -> Link:
        return self.dice.choice(self._links())

    def _links(self) -> list[Link]:
        """All of them, also from a key to the column that refers to it."""
        by_name = {table.name: table for table in self.tables}
        found: list[Link] = []
        for table in self.tables:
            columns = {column.name: column for column in table.columns}
            for column in table.columns:
                if column.refers is not None:
                    target, key = by_name[column.refers[0]], column.refers[1]
                    found.append(Link(table, column, target, key))
                    if any(column.name in keys for keys in table.keys):
                        owner = next(one for one in target.columns if one.name == key)
                        found.append(Link(target, owner, table, columns[column.name].name))
        return found
