"""What somebody sees of tables: rows and values that rules leave, and tables of the parts of composite keys."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mcp_server.domain.restriction import Mask, Rule
from mcp_server.domain.schema import Override
from mcp_server.domain.virtual_table import Template, VirtualTable
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.random_made import Made, Row
from tests.mcp_server.engine.random_shop import SHOP

RULES: Sequence[Rule] = (
    Rule(
        "people",
        hidden=frozenset({"born"}),
        masks=(("name", Mask.LAST4), ("boss", Mask.REDACTED)),
        rows=(("team", frozenset({"red", "a#1", "a#2", "nobody"})),),
    ),
    Rule(
        "orders",
        masks=(("item", Mask.LAST4), ("placed", Mask.LAST4)),
        rows=(("code", frozenset({"5", "2705", "x", "-5", "0"})),),
    ),
    Rule("orders", masks=(("total", Mask.NULL),), rows=(("status", frozenset({"open", "paid", "5"})),)),
    Rule("parts", masks=(("size", Mask.REDACTED),), rows=(("pk", frozenset(f"I#{n}" for n in range(0, 15, 2))),)),
    Rule("events", masks=(("kind", Mask.LAST4),), rows=(("of", frozenset(map(str, range(-2, 12)))),)),
)


@dataclass(frozen=True, slots=True)
class View:
    """Tables as they are `stored`, and as they are `seen` by what a schema says of them."""

    stored: Mapping[str, Made]
    seen: Mapping[str, Made]
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    virtual_tables: Mapping[str, VirtualTable] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Override]] = field(default_factory=dict)


WHOLE = View(SHOP, SHOP)


def kept_back() -> View:
    """The shop, of which rules keep columns, values and rows back."""
    rules = {name: tuple(rule for rule in RULES if rule.table == name) for name in SHOP}
    return View(SHOP, {name: _seen(made, rules[name]) for name, made in SHOP.items()}, rules)


def _seen(made: Made, rules: Sequence[Rule]) -> Made:
    """What rules leave: docs/settings.md says how values are masked. Constants may name what is behind a mask."""
    hidden = frozenset[str]().union(*(rule.hidden for rule in rules))
    masks = {name: mask for rule in rules for name, mask in rule.masks}
    texts = {name: "VARCHAR" if name in masks else type_ for name, type_ in made.types.items() if name not in hidden}
    rows = [
        {name: _masked(value, masks.get(name)) for name, value in row.items() if name not in hidden}
        for row in made.rows
        if all(_is_one_of(row.get(name), values) for rule in rules for name, values in rule.rows)
    ]
    behind = {name: sorted({_quoted(row[name]) for row in made.rows if row.get(name) is not None}) for name in masks}
    return replace(
        made,
        types=texts,
        rows=rows,
        indexes=[one for one in made.indexes if hidden.isdisjoint(dict(one.key))],
        kinds={**made.kinds, **dict.fromkeys(masks, "text")},
        literals=behind,
    )


def _masked(value: Any, mask: Mask | None) -> Any:
    if mask is None or value is None:
        return value
    if mask is Mask.NULL:
        return None
    return f"***{value[-4:]}" if mask is Mask.LAST4 and isinstance(value, str) and len(value) >= 8 else "***"


def _is_one_of(value: Any, allowed: frozenset[str]) -> bool:
    """Texts are one of the texts, numbers one of the numbers; nothing else is."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value in {Decimal(text) for text in allowed if text.lstrip("-").isdecimal()}
    return isinstance(value, str) and value in allowed


def _quoted(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def single_table() -> View:
    """A table of many kinds of items, and a table for each of them."""
    dice = random.Random("single table")
    rows: list[Row] = []
    for number in range(24):
        customer = {"pk": f"C#{number}", "sk": "PROFILE", "g": f"T#{dice.choice(['red', 'blue', 'a#1'])}"}
        rows.append({**customer, "age": number % 7, "name": dice.choice(["Ada", "Bo", ""])})
    for number in range(90):
        day = f"2026-0{dice.randint(1, 4)}-1{dice.randint(0, 9)}"
        order = {"pk": f"C#{dice.randint(0, 23)}", "sk": f"O#{day}#{number}", "total": dice.randint(0, 9)}
        rows.append({**order, **({"g": f"S#{dice.choice(['open', 'paid', 'void'])}"} if dice.random() < 0.8 else {})})
    for number in range(60):
        of, part = dice.randint(0, 20), dice.choice(["tea", "jam", "x#y"])
        rows.append({"pk": f"O#{of}", "sk": f"L#{number}", "g": f"P#{part}#{number}", "qty": dice.randint(0, 5)})
    strays: list[Row] = [
        {"pk": "C#", "sk": "PROFILE", "age": 1},
        {"pk": "C#1", "sk": "PROFILE2", "age": 1},
        {"pk": "C#1", "sk": "O#2026-01-10", "total": 3},
        {"pk": "C#2", "sk": "O##7", "total": 3},
        {"pk": "O#3", "sk": "L#1000", "g": "P#tea#1001", "qty": 2},
        {"pk": "X#3", "sk": "L#1001", "g": "P#tea#1001", "qty": 2},
        {"pk": "O#3", "sk": "L#1002", "qty": 2},
    ]
    names = ("pk", "sk", "g", "name", "age", "total", "qty")
    types = {name: "VARCHAR" if name in ("pk", "sk", "g", "name") else "BIGINT" for name in names}
    key, by_g = (("pk", "S"), ("sk", "S")), HeldIndex("by_g", (("g", "S"), ("sk", "S")))
    stored = Made(key, types, [*rows, *strays], [by_g])
    forms: Mapping[str, tuple[Mapping[str, str], Sequence[str]]] = {
        "customers": ({"pk": "C#{customer}", "sk": "PROFILE"}, ["g", "name", "age"]),
        "orders": ({"pk": "C#{customer}", "sk": "O#{day}#{number}"}, ["g", "total"]),
        "lines": ({"pk": "O#{number}", "g": "P#{part}#{line}", "sk": "L#{line}"}, ["qty"]),
    }
    seen = {name: _virtual(stored, form, rest) for name, (form, rest) in forms.items()}
    tables = {
        name: VirtualTable(name, "single", tuple((at, Template.parse(text)) for at, text in form.items()))
        for name, (form, _) in forms.items()
    }
    return View({"single": stored}, seen, virtual_tables=tables)


def _virtual(stored: Made, form: Mapping[str, str], rest: Sequence[str]) -> Made:
    """The items whose attributes have a form, with its parts as columns; the last part tells rows apart."""
    forms = {name: re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^#]+)", text)) for name, text in form.items()}
    parts = list(dict.fromkeys(re.findall(r"\{(\w+)\}", " ".join(form.values()))))
    rows: list[Row] = []
    for row in stored.rows:
        found = [one.fullmatch(row.get(name, "")) for name, one in forms.items()]
        read = [match.groupdict() for match in found if match is not None]
        values = {name: text for one in read for name, text in one.items()}
        if len(read) == len(found) and all(values.items() >= one.items() for one in read):
            rows.append({**row, **values})
    names = [parts[-1], *parts[:-1], "pk", "sk", *dict.fromkeys([*(name for name in form if name == "g"), *rest])]
    pairs = [("pk", "sk"), ("g", "sk"), (parts[0], "sk"), *((part, parts[0]) for part in parts[1:] or parts)]
    refers = {"customer": ("customers", "customer"), "number": ("orders", "number")}
    return Made(
        ((parts[0], "S"), (parts[-1], "S")),
        {name: stored.types.get(name, "VARCHAR") for name in names},
        rows,
        [HeldIndex("", ((one, "S"), (other, "S"))) for one, other in pairs],
        kinds={"day": "iso"} if "day" in parts else {},
        refers={name: to for name, to in refers.items() if name in parts},
    )
