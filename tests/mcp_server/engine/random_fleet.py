"""A fleet: tables with local indexes and keys of several attributes, with declared types, binary values and sets."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from mcp_server.domain.schema import ColumnType, Override, TypeKind
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.random_made import INSTANT, At, Made, Row, Set
from tests.mcp_server.engine.random_views import View

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = (0, 0, 120, -480, 1439, -1439)
"""Minutes from UTC of the times that texts name."""
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}
"""How many of each are a second."""


VALUES = ("0.1", "0.10000000000000001", "9007199254740993", "9007199254740992", "-2.5", "0", "3", "1E+20", "0.3")
"""Of which some are the same to DOUBLE."""
BINARIES = (b"\x00", b"a", b"ab", b"\xff\xfe", b"\x3f\xbf", b"~", b"\x00\x01")


def counted(moment: datetime, unit: str, finer: str = "0") -> At:
    """A time as a number since 1970; `finer` is a part of a microsecond, which is cut off."""
    micros = (moment - EPOCH) // timedelta(microseconds=1)
    return At(moment, (Decimal(micros) + Decimal(finer)) * UNITS[unit] / UNITS["us"])


def written(moment: datetime, minutes: int) -> At:
    """A time as a text of a zone, some as a day alone."""
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    if minutes == 0:
        midnight = moment.timetz() == EPOCH.timetz()
        return At(moment, f"{moment:%Y-%m-%d}" if midnight else local.isoformat().replace("+00:00", "Z"))
    return At(moment, local.isoformat(sep=" " if minutes > 0 else "T"))


def _moment(dice: random.Random) -> datetime:
    """Around the turn of 2026, often at its very edges."""
    day = datetime(2025, 12, 1, tzinfo=UTC) + timedelta(days=dice.choice([0, 30, 31, 31, 32, 62, 90, 400]))
    return day + timedelta(microseconds=dice.choice([0, 0, 0, 1, -1, 1_000, -1_000, 43_200_000_000]))


def _cars() -> Made:
    dice = random.Random("cars")
    rows: list[Row] = []
    for number in range(30):
        moment = _moment(dice)
        full: dict[str, Any] = {
            "maker": dice.choice(["Aro", "Bo", "aro", ""]),
            "seats": dice.choice([2, 4, 5, 7]),
            "seen": counted(moment, "us"),
            "checked": written(_moment(dice), dice.choice(ZONES)),
            "home": dice.choice(["north", "south", "x"]),
            "notes": [_note(dice) for _ in range(dice.randint(0, 4))],
            "about": {"year": dice.choice(["2020", "2020.0", 2020, Decimal("0.5"), "new", True]), "n": number % 3},
        }
        rows.append({"pk": f"C#{number}", **_sparsely(dice, full, never_null={"seen", "home"})})
    return Made(
        (("pk", "S"),),
        {
            **dict.fromkeys(("pk", "maker", "home"), "VARCHAR"),
            "seats": "BIGINT",
            **dict.fromkeys(("seen", "checked"), INSTANT),
            "notes": "JSON",
            "about": 'STRUCT(n BIGINT, "year" VARCHAR)',
        },
        rows,
        [HeldIndex("by_home", (("home", "S"), ("seen", "N")), frozenset({"seats"}))],
        kinds={"about.year": "mixed"},
        paths=["about.year", "about.n"],
        refers={"home": ("trips", "depot")},
        untyped={"notes": ["by", "cost"]},
    )


def _note(dice: random.Random) -> Any:
    """A member of a list of unlike values: a map as often as something else."""
    if dice.random() < 0.5:
        made = {"by": dice.choice(["Ada", "Bo", 5, None]), "cost": dice.choice([2, "2", Decimal("2.5"), "many", True])}
        return {name: value for name, value in made.items() if dice.random() < 0.8}
    return dice.choice(["t", "5", 5, Decimal("2.5"), None, True, [1, "u"], "5.0", -5, ""])


def _trips() -> Made:
    """Of each car in a row; `leg`, `zone` and `side` are attributes of indexes' keys, and some lack them."""
    dice = random.Random("trips")
    rows: list[Row] = []
    for number in range(140):
        moment = _moment(dice)
        full: dict[str, Any] = {
            "depot": dice.choice(["north", "south", "x"]),
            "zone": dice.choice([1, 2, 10]),
            "leg": dice.choice(["out", "back", "b"]),
            "side": dice.choice(["A", "AB", "B"]),
            "status": dice.choice(["open", "done", "o"]),
            "started": counted(moment, "ms", dice.choice(["0", "0", "0.9"])),
            "ended": written(moment + timedelta(days=dice.choice([0, 1])), dice.choice(ZONES)),
            "expires": counted(moment + timedelta(days=30), "s"),
            "load": Decimal(dice.choice(["0.5", "1", "20"])),
        }
        always = {"depot", "started"}
        never_null = {"zone", "leg", "side", "status", "ended", "expires"}
        rows.append(
            {
                "car": f"C#{number % 23}",
                "n": number // 23,
                "id": number,
                **{name: full.pop(name) for name in always},
                **_sparsely(dice, full, never_null=never_null),
            }
        )
    return Made(
        (("car", "S"), ("n", "N")),
        {
            **dict.fromkeys(("id", "n", "zone"), "BIGINT"),
            **dict.fromkeys(("car", "depot", "leg", "side", "status"), "VARCHAR"),
            **dict.fromkeys(("started", "ended", "expires"), INSTANT),
            "load": "DECIMAL(38,1)",
        },
        rows,
        [
            HeldIndex("by_status", (("car", "S"), ("status", "S")), local=True),
            HeldIndex("by_started", (("car", "S"), ("started", "N")), frozenset({"depot"}), local=True),
            HeldIndex("by_ended", (("car", "S"), ("ended", "S")), frozenset(), local=True),
            HeldIndex(
                "by_route", (("depot", "S"), ("zone", "N"), ("leg", "S"), ("started", "N"), ("side", "S")), None, 2
            ),
            HeldIndex("by_leg", (("leg", "S"), ("side", "S"), ("zone", "N")), frozenset(), 2),
            HeldIndex("by_depot", (("depot", "S"), ("zone", "N"), ("leg", "S")), frozenset({"status"})),
            HeldIndex("by_expires", (("status", "S"), ("expires", "N"))),
        ],
        refers={"car": ("cars", "pk")},
    )


def _readings() -> Made:
    """Of each plate in a row; keys are binary values, and numbers that DOUBLE does not carry."""
    dice = random.Random("readings")
    rows: list[Row] = []
    for number in range(100):
        full: dict[str, Any] = {
            "value": Decimal(dice.choice(VALUES)),
            "wide": Decimal(dice.choice(["1E-30", "1E+30", "0.5", "-2"])),
            "digest": dice.choice(BINARIES),
            "tags": Set(sorted(dice.sample(["a", "b", "5", "ä"], dice.randint(1, 3)))),
            "sizes": Set(sorted(map(Decimal, dice.sample(["1", "2", "2.5", "-3"], dice.randint(1, 3))))),
            "marks": Set(sorted(dice.sample(BINARIES, dice.randint(1, 2)))),
            "car": f"C#{dice.randint(0, 33)}",
        }
        key = {"plate": BINARIES[number % 6], "nr": number // 6, "id": number, "kind": dice.choice("pq")}
        rows.append({**key, **_sparsely(dice, full, never_null={"value", "digest", "car"})})
    rows[0] = {**rows[0], "wide": Decimal("1E-30")}
    rows[1] = {**rows[1], "wide": Decimal("1E+30")}
    return Made(
        (("plate", "B"), ("nr", "N")),
        {
            **dict.fromkeys(("id", "nr"), "BIGINT"),
            **dict.fromkeys(("plate", "digest"), "BLOB"),
            **dict.fromkeys(("value", "wide"), "DOUBLE"),
            **dict.fromkeys(("kind", "car"), "VARCHAR"),
            "tags": "VARCHAR[]",
            "sizes": "DECIMAL(38,1)[]",
            "marks": "BLOB[]",
        },
        rows,
        [
            HeldIndex("by_value", (("kind", "S"), ("value", "N"))),
            HeldIndex("by_digest", (("digest", "B"), ("kind", "S")), frozenset({"value"})),
            HeldIndex("by_plate_digest", (("plate", "B"), ("digest", "B")), local=True),
            HeldIndex("by_all", (("kind", "S"), ("digest", "B"), ("value", "N")), frozenset(), 2),
        ],
        lists={"tags": [""], "sizes": [""], "marks": [""]},
        refers={"car": ("cars", "pk")},
        literals={"value": ["9007199254740993", "0.1", "1e0", "0.30000000000000001"]},
    )


def _sparsely(dice: random.Random, full: Mapping[str, Any], never_null: set[str]) -> Row:
    """Most of the attributes; a key of an index is missing rather than NULL, which DynamoDB refuses."""
    made: dict[str, Any] = {}
    for name, value in full.items():
        if (roll := dice.random()) < 0.85:
            made[name] = value
        elif roll < 0.9 and name not in never_null:
            made[name] = None
    return made


def _instant(unit: Any = None) -> Override:
    return Override(ColumnType(TypeKind.TIMESTAMPTZ, unit=unit))


TABLES: Mapping[str, Made] = {"cars": _cars(), "trips": _trips(), "readings": _readings()}
OVERRIDES: Mapping[str, Mapping[str, Override]] = {
    "cars": {"seen": _instant("us"), "checked": _instant()},
    "trips": {
        "depot": Override(not_null=True),
        "started": Override(_instant("ms").type, not_null=True),
        "ended": _instant(),
        "expires": _instant("s"),
    },
    "readings": {"value": Override(ColumnType(TypeKind.DOUBLE)), "kind": Override(not_null=True)},
}


def fleet() -> View:
    """The fleet, whose schema declares what its items do not tell."""
    return View(TABLES, TABLES, overrides=OVERRIDES)
