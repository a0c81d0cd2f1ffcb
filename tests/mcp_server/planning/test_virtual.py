"""Every item of a virtual table that meets the conditions on its columns meets those that are made of them."""

import itertools
import operator
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.planning.plan import Conjunct, Relation
from mcp_server.planning.predicate import Between, Comparison, Predicate, StartsWith
from mcp_server.planning.virtual import as_virtual
from tests.mcp_server.planning.test_access_path import ORDERS

COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SIGNS = "!#a\U0010ffff"
TEXTS = ["".join(signs) for length in (1, 2) for signs in itertools.product(SIGNS, repeat=length)]


def predicates() -> Iterator[Predicate]:
    """Conditions on the column `x`."""
    for value in TEXTS:
        yield StartsWith("x", value)
        yield from (Comparison("x", compared, value) for compared in ("<", "<=", ">", ">="))
    for low, high in itertools.product(TEXTS[::3], repeat=2):
        yield Between("x", low, high)


def holds(predicate: Predicate, text: str) -> bool:
    """Whether a predicate is true; texts compare as in UTF-8, which Python's do by code points."""
    match predicate:
        case Comparison(_, compared, str(value)):
            return bool(COMPARED[compared](text, value))
        case Between(_, str(low), str(high)):
            return low <= text <= high
        case StartsWith(_, prefix):
            return text.startswith(prefix)
    raise AssertionError(predicate)


def derived(template: Template, said: list[Predicate]) -> list[Predicate]:
    """What is made of conditions for the attribute `sk`."""
    table = replace(ORDERS, virtual=VirtualTable("orders", "all", (("sk", template),)))
    conjuncts = tuple(Conjunct("…", predicate, faithful=True) for predicate in said)
    found = as_virtual(Relation("orders", table, (), conjuncts)).conjuncts[len(said) :]
    return [one.predicate for one in found if one.predicate is not None]


@pytest.mark.parametrize(
    ("beginning", "end"), [("O", "{y}"), ("O", ""), ("{w}:", "{y}")], ids=["first", "last", "behind one that is known"]
)
def test_no_item_is_left_out(beginning: str, end: str) -> None:
    known: list[Predicate] = [Comparison("w", "=", "k")] if "{w}" in beginning else []
    for following in ["", *TEXTS] if not end else TEXTS:
        template = Template.parse(f"{beginning}{{x}}{following}{end}")
        held = [(values, text) for values, text in items(template) if template.read(text) == values]
        for said in predicates():
            found = derived(template, [*known, said])
            for values, text in held:
                if holds(said, values[template.slots.index("x")]):
                    assert all(holds(one, text) for one in found), (said, text)


def items(template: Template) -> Iterator[tuple[tuple[str, ...], str]]:
    """What slots hold, and the text of it: the first of three is `k`, the last one of the least and the greatest."""
    choices = {"w": ["k"], "x": TEXTS, "y": ["!", "\U0010ffff\U0010ffff"]}
    for values in itertools.product(*(choices[slot] for slot in template.slots)):
        yield values, template.beginning(values)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Comparison("day", ">=", "05"), [Comparison("sk", ">=", "O#05")]),
        (Comparison("day", "<", "05"), [Comparison("sk", "<", "O#05")]),
        (Comparison("day", "<=", "05"), [Comparison("sk", "<", "O#05$")]),
        (Comparison("day", "<=", "0!"), [Comparison("sk", "<", "O#0$")]),
        (Between("day", "05", "07"), [Comparison("sk", ">=", "O#05"), Comparison("sk", "<", "O#07$")]),
        (StartsWith("day", "0"), [StartsWith("sk", "O#0")]),
        (Comparison("day", "<=", "0" * 2000), []),
    ],
    ids=["from", "below", "up to", "up to, before what follows", "between", "prefix", "longer than any key"],
)
def test_a_part_is_bounded_by_the_texts_that_hold_it(said: Predicate, expected: list[Predicate]) -> None:
    assert derived(Template.parse("O#{day}#{number}"), [said]) == [StartsWith("sk", "O#"), *expected]
