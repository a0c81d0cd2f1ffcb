"""A shop: tables of which people, orders, parts and events refer to one another."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.random_made import Made, Row

CITIES = ("Oslo", "Bergen", "Lyon", "", "O'Hara", "Ōsaka")
TEAMS = ("red", "blue", "a#1", "a#2", "ä")
CODES: Sequence[int | Decimal | str | bool] = (
    *(2705, 5, -5, 0, Decimal("0.1"), Decimal("0.10000000000000001"), Decimal("-3.5"), 9007199254740993),
    *(Decimal("1E+100"), 99999999999999999999, "2705", "5.0", " 5 ", "1e3", "2705-A", "", "-", "x", "0x5", "true"),
    *("1e-30", "-1e40", "5e", "+7", ".5", "٥", True, False),
)
STATES = ("open", "paid", "void", "5", "o")


def _people() -> Made:
    dice = random.Random("people")
    rows: list[Row] = []
    for number in range(40):
        geo = _some(dice, 0.8, {"lat": Decimal(dice.choice(["59.9", "60", "-1.5"])), "lon": dice.choice([10, 0, -7])})
        address = {"city": dice.choice(CITIES), **({"geo": geo} if geo is not None or dice.random() < 0.3 else {})}
        address |= {"zip": dice.choice(["0150", "150", "x", 150, Decimal("1.5"), True])} if dice.random() < 0.6 else {}
        lines = [
            {"sku": dice.choice(["tea", "jam", "I#1"]), **({"qty": dice.randint(0, 4)} if dice.random() < 0.8 else {})}
            for _ in range(dice.randint(0, 3))
        ]
        full: dict[str, Any] = {
            "name": dice.choice(["Ada", "Bo", "Cy", "ada"]),
            "age": dice.choice([0, 17, 18, 65, -1, 9007199254740993]),
            "born": date(1990 + dice.randint(0, 9), dice.choice([1, 2, 12]), dice.choice([1, 28])),
            "vip": dice.random() < 0.5,
            "boss": f"U#{dice.choice([0, 1, 2, 3, 99])}",
            "team": dice.choice(TEAMS),
            "address": dice.choice([address, address, address, {}]),
            "tags": dice.choices(["a", "b", "5", 5, "", False], k=dice.randint(0, 3)),
            "scores": [dice.choice([Decimal("1.5"), 2, None]) for _ in range(dice.randint(0, 2))],
            "lines": lines,
        }
        rows.append({"pk": f"U#{number}", **_sparsely(dice, full, never_null={"boss", "team"})})
    return Made(
        (("pk", "S"),),
        {
            **dict.fromkeys(("pk", "name", "boss", "team"), "VARCHAR"),
            "age": "BIGINT",
            "born": "DATE",
            "vip": "BOOLEAN",
            "address": "STRUCT(city VARCHAR, geo STRUCT(lat DECIMAL(38,1), lon BIGINT), zip VARCHAR)",
            "tags": "VARCHAR[]",
            "scores": "DECIMAL(38,1)[]",
            "lines": "STRUCT(qty BIGINT, sku VARCHAR)[]",
        },
        rows,
        [HeldIndex("by_team", (("team", "S"),)), HeldIndex("by_boss", (("boss", "S"), ("pk", "S")), frozenset())],
        paths=["address", "address.city", "address.zip", "address.geo", "address.geo.lat", "address.geo.lon"],
        kinds={"address.zip": "mixed", "tags": "mixed"},
        lists={"tags": [""], "scores": [""], "lines": [".sku", ".qty"]},
        refers={"boss": ("people", "pk")},
    )


def _orders() -> Made:
    dice = random.Random("orders")
    rows: list[Row] = []
    for number in range(120):
        at = datetime(2025, 11, 1, tzinfo=UTC) + timedelta(minutes=dice.randint(0, 14 * 30 * 24 * 60))
        full: dict[str, Any] = {
            "status": dice.choice(STATES),
            "code": dice.choice(CODES),
            "placed": f"{at:%Y-%m-%dT%H:%M:%S}Z",
            "created": int(at.timestamp()) * 1000 + dice.choice([0, 999]),
            "expires": int((at + timedelta(days=dice.choice([0, 40]))).timestamp()),
            "item": f"I#{dice.randint(0, 14)}",
            "total": Decimal(dice.choice(["0", "7.5", "12", "-1.25", "99999999999.99"])),
            "about": {"who": dice.choice(["Ada", "Bo"]), "n": dice.randint(0, 3)},
        }
        never_null = {"status", "placed", "item", "created", "expires"}
        rows.append(
            {"pk": f"U#{number % 25}", "n": number // 25, "id": number, **_sparsely(dice, full, never_null=never_null)}
        )
    return Made(
        (("pk", "S"), ("n", "N")),
        {
            "id": "BIGINT",
            **dict.fromkeys(("pk", "status", "code", "placed", "item"), "VARCHAR"),
            **dict.fromkeys(("n", "created", "expires"), "BIGINT"),
            "total": "DECIMAL(38,2)",
            "about": "STRUCT(n BIGINT, who VARCHAR)",
        },
        rows,
        [
            HeldIndex("by_status", (("status", "S"), ("placed", "S"))),
            HeldIndex("by_item", (("item", "S"), ("created", "N")), frozenset({"total"})),
            HeldIndex("by_expires", (("expires", "N"),), frozenset()),
            HeldIndex("by_id", (("id", "N"),), frozenset({"code"})),
        ],
        kinds={"code": "mixed", "placed": "iso", "created": "millis", "expires": "seconds"},
        paths=["about.who", "about.n"],
        refers={"pk": ("people", "pk"), "item": ("parts", "pk")},
    )


def _parts() -> Made:
    dice = random.Random("parts")
    rows: list[Row] = []
    for number in range(30):
        full: dict[str, Any] = {
            "label": CODES[number % len(CODES)],
            "of": f"I#{dice.randint(0, 14)}",
            "size": dice.choice([1, 2, 3, 10]),
            "made": date(2026, dice.randint(1, 3), dice.randint(1, 28)),
        }
        rows.append(
            {
                "pk": f"I#{number % 15}",
                "g": "ab"[number // 15],
                "id": number,
                **_sparsely(dice, full, never_null={"size"}),
            }
        )
    return Made(
        (("pk", "S"), ("g", "S")),
        {
            "id": "BIGINT",
            "pk": "VARCHAR",
            "g": "VARCHAR",
            "label": "VARCHAR",
            "of": "VARCHAR",
            "size": "BIGINT",
            "made": "DATE",
        },
        rows,
        [HeldIndex("by_size", (("size", "N"), ("g", "S")))],
        kinds={"label": "mixed"},
        refers={"of": ("parts", "pk")},
    )


def _events() -> Made:
    """Several of each order; keys are numbers and times."""
    dice = random.Random("events")
    rows: list[Row] = []
    for number in range(90):
        at = datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=number * 97)
        full: dict[str, Any] = {
            "kind": dice.choice(STATES),
            "person": f"U#{dice.randint(0, 45)}",
            "done": dice.random() < 0.5,
            "weight": Decimal(dice.choice(["0.5", "1", "-2.25"])),
        }
        key = {"of": number % 20 - 2, "since": f"{at:%Y-%m-%dT%H:%M:%SZ}", "id": number}
        rows.append({**key, **_sparsely(dice, full, never_null={"kind", "person"})})
    return Made(
        (("of", "N"), ("since", "S")),
        {
            **dict.fromkeys(("id", "of"), "BIGINT"),
            **dict.fromkeys(("since", "kind", "person"), "VARCHAR"),
            "done": "BOOLEAN",
            "weight": "DECIMAL(38,2)",
        },
        rows,
        [
            HeldIndex("by_kind", (("kind", "S"), ("since", "S"))),
            HeldIndex("by_person", (("person", "S"), ("of", "N")), frozenset({"weight"})),
        ],
        kinds={"since": "iso"},
        refers={"of": ("orders", "id"), "person": ("people", "pk")},
    )


def _some(dice: random.Random, share: float, value: Any) -> Any:
    return value if dice.random() < share else None


def _sparsely(dice: random.Random, full: Row, never_null: set[str]) -> Row:
    """Most of the attributes; a key of an index is missing rather than NULL, which DynamoDB refuses."""
    made: dict[str, Any] = {}
    for name, value in full.items():
        if (roll := dice.random()) < 0.8:
            made[name] = value
        elif roll < 0.87 and name not in never_null:
            made[name] = None
    return made


SHOP: Mapping[str, Made] = {"people": _people(), "orders": _orders(), "parts": _parts(), "events": _events()}
