"""`app_data`: one small table in single-table design, as irregular as real tables are.

Customers, their orders and an event log share one key space. Attributes are missing, change type from item to item,
nest, hold sets, NULL and binary values; the index is sparse: only open orders carry its keys.
"""

import datetime
import random
from collections.abc import Iterator
from typing import Any

from deploy.local.tables import DemoTable, Index, Key

CUSTOMERS = 60
TABLE = DemoTable(
    "app_data",
    Key("pk", "sk"),
    {"pk": "S", "sk": "S", "open_status": "S", "opened_at": "S"},
    (Index("open_orders", Key("open_status", "opened_at")),),
)

VIRTUAL_TABLES = {
    "app_customers": {"pk": "CUSTOMER#{customer_id}", "sk": "PROFILE"},
    "app_orders": {"pk": "CUSTOMER#{customer_id}", "sk": "ORDER#{placed_at}#{number}"},
    "app_events": {"pk": "EVENTS#{month}", "sk": "{at}#{number}"},
}
"""The kinds of items, as tables of their own: the form of their keys by the tables' names."""

_FIRST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_GIVEN = ("Ada", "Bjørn", "Chloé", "Dmitri", "Esi", "Farah", "Grace", "Hiro", "Inés", "Jan")
_FAMILY = ("Lovelace", "Haugen", "Martin", "Orlov", "Mensah", "Aziz", "Hopper", "Tanaka", "Peña", "Novák")
_CITIES = (("Oslo", "NO"), ("Lyon", "FR"), ("Austin", "US"), ("Pune", "IN"), ("Accra", "GH"))
_PRODUCTS = (
    ("KB-1", "Keyboard", "79.90"),
    ("MS-2", "Mouse", "24.5"),
    ("MN-4", "Monitor", "310"),
    ("CB-9", "Cable", "4.95"),
)
_STATUSES = ("PENDING", "PAID", "SHIPPED", "DELIVERED", "CANCELLED")
_OPEN = frozenset({"PENDING", "PAID"})


def items() -> Iterator[dict[str, Any]]:
    """All items of the table, the same ones every time."""
    dice = random.Random(20260101)  # noqa: S311  # demo data, the same every time
    for number in range(1, CUSTOMERS + 1):
        yield _customer(number, dice)
        for order in range(dice.randrange(0, 6)):
            yield _order(number, order, dice)
    for number in range(200):
        yield _event(number, dice)


def _customer(number: int, dice: random.Random) -> dict[str, Any]:
    city, country = dice.choice(_CITIES)
    item: dict[str, Any] = {
        "pk": {"S": f"CUSTOMER#{number:04d}"},
        "sk": {"S": "PROFILE"},
        "entity": {"S": "customer"},
        "name": {"S": f"{dice.choice(_GIVEN)} {dice.choice(_FAMILY)}"},
        "created_at": {"S": _instant(dice)},
        "active": {"BOOL": number % 7 != 0},
        # Older writers stored the postcode as text, newer ones as a number.
        "postcode": {"S": f"{dice.randrange(1000, 9999)}-A"}
        if number % 4 == 0
        else {"N": str(dice.randrange(1000, 9999))},
        "address": {"M": {"city": {"S": city}, "country": {"S": country}}},
    }
    if number % 2:
        item["email"] = {"S": f"customer{number}@example.com"}
    if number % 3 == 0:
        item["tags"] = {"SS": sorted(dice.sample(["vip", "newsletter", "beta", "wholesale"], k=dice.randrange(1, 4)))}
        item["address"]["M"]["geo"] = {"M": {"lat": {"N": "59.913"}, "lon": {"N": "10.752"}}}
    if number % 5 == 0:
        item["ratings"] = {"NS": sorted({str(dice.randrange(1, 6)) for _ in range(3)})}
        item["phone"] = {"NULL": True}
    if number % 11 == 0:
        item["avatar"] = {"B": b"\x89PNG\r\n" + bytes([number])}
        item["loyalty_points"] = {"N": "12345678901234567890123456789012345678"}
    return item


def _order(customer: int, order: int, dice: random.Random) -> dict[str, Any]:
    status = dice.choice(_STATUSES)
    placed = _instant(dice)
    lines = [_line(dice) for _ in range(dice.randrange(0, 4))]
    item: dict[str, Any] = {
        "pk": {"S": f"CUSTOMER#{customer:04d}"},
        "sk": {"S": f"ORDER#{placed}#{order}"},
        "entity": {"S": "order"},
        "status": {"S": status},
        "placed_at": {"S": placed},
        "lines": {"L": lines},
        "total": {"N": f"{dice.randrange(500, 90000) / 100:.2f}"},
    }
    if status in _OPEN:
        item["open_status"] = {"S": status}
        item["opened_at"] = {"S": placed}
    if dice.random() < 0.3:
        item["gift-note"] = {"S": dice.choice(["", "Happy birthday!", "Gratulerer med dagen"])}
    if dice.random() < 0.2:
        item["discount"] = {"NULL": True}
    elif dice.random() < 0.3:
        item["discount"] = {"N": "0.15"}
    return item


def _line(dice: random.Random) -> dict[str, Any]:
    sku, title, price = dice.choice(_PRODUCTS)
    line: dict[str, Any] = {
        "sku": {"S": sku},
        "title": {"S": title},
        "price": {"N": price},
        "quantity": {"N": str(dice.randrange(1, 5))},
    }
    if dice.random() < 0.2:
        line["options"] = {"M": {"colour": {"S": "black"}}}
    return {"M": line}


def _event(number: int, dice: random.Random) -> dict[str, Any]:
    at = _instant(dice)
    payload: dict[str, Any] = dice.choice(
        [
            {"S": "signed in"},
            {"M": {"path": {"S": "/cart"}, "ms": {"N": str(dice.randrange(5, 900))}}},
            {"L": [{"S": "a"}, {"N": "1"}, {"BOOL": True}, {"NULL": True}]},
            {"N": str(dice.randrange(100))},
        ]
    )
    item: dict[str, Any] = {
        "pk": {"S": f"EVENTS#{at[:7]}"},
        "sk": {"S": f"{at}#{number:04d}"},
        "entity": {"S": "event"},
        "actor": {"S": f"CUSTOMER#{dice.randrange(1, CUSTOMERS + 1):04d}"},
        "payload": payload,
        "expires_at": {"N": str(1_800_000_000 + number)},
    }
    if number % 13 == 0:
        item["fingerprints"] = {"BS": [b"\x00\x01", b"\xff"]}
        item["context"] = {"M": {}}
        item["trail"] = {"L": []}
    return item


def _instant(dice: random.Random) -> str:
    moment = _FIRST_DAY + datetime.timedelta(seconds=dice.randrange(300 * 86_400))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
