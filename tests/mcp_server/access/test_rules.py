"""What estimates follow from is kept from whoever may not see the values: masked columns, and others' rows."""

from dataclasses import replace
from decimal import Decimal

from mcp_server.access.rules import restricted
from mcp_server.domain.distribution import distribution
from mcp_server.domain.restriction import AllowedValues, Mask, Restriction
from tests.mcp_server.planning.test_access_path import ORDERS

SPREAD = distribution([Decimal(number) for number in range(20)], 1.0, 20, 20)
TABLE = replace(ORDERS, columns=tuple(replace(one, spread=SPREAD) for one in ORDERS.columns))
OWN = (AllowedValues("customer", frozenset({"7"}), frozenset({Decimal(7)})),)


def test_nothing_is_told_of_what_masked_columns_hold() -> None:
    left = restricted(TABLE, Restriction(masks=(("total", next(iter(Mask))),)))
    assert {one.name for one in left.columns if one.spread is None} == {"total"}


def test_others_rows_are_no_sample_of_ones_own() -> None:
    left = restricted(TABLE, Restriction(rows=OWN))
    assert left.columns
    assert all(one.spread is None for one in left.columns)


def test_ones_own_rows_are() -> None:
    left = restricted(replace(TABLE, rows=OWN), Restriction(rows=OWN))
    assert all(one.spread is not None for one in left.columns)
