"""Two companies on one server, with everything that rules can keep apart, all of whose names and values are canaries.

We are Acme. They share a region, two tables and the source of virtual tables with us, and have a table that is called
as one of ours is, in another region. Of our own tables much is kept from members, and nothing of that from admins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mcp_server.domain.principal import Principal
from shared_kernel import scope
from tests.mcp_server.isolation.canaries import Mint, Search

Item = dict[str, dict[str, Any]]

ACME, ANN = "acme", "usr_ann"
SHOP, ANNEX, ASLEEP = "shop", "annex", "asleep"
ORDERS, PEOPLE, SHARED, PARTS, SOURCE = "orders", "people", "shared", "parts", "app_data"
CUSTOMERS = "customers"
EUROPE, NORTH, WEST = "eu-west-1", "eu-north-1", "us-west-2"
NAMES = frozenset(
    {
        *("tenant", "person", "schema", "table", "virtual table", "index", "column"),
        *("name of a part", "field", "field of a map"),
    }
)
"""What is a name, among what canaries stand for; all else is a value."""
ROWS = 12
"""How many items each table has of each side."""


def is_name(entry: str) -> bool:
    """Whether an entry of a book, as "their table", is about a name."""
    return entry.partition(" ")[2] in NAMES


@dataclass(frozen=True, slots=True)
class Held:
    """A table: where it is, its key as `(name, type)`, the keys of its indexes (texts) by name, and its items."""

    region: str
    name: str
    key: tuple[tuple[str, str], ...]
    items: list[Item]
    indexes: Mapping[str, str] = field(default_factory=dict)


class Book:
    """Mints canaries of one kind, and keeps what each of them is."""

    def __init__(self, kind: str, seed: str) -> None:
        self._kind, self._mint = kind, Mint(seed)
        self.entries: dict[str, str] = {}

    def word(self, what: str) -> str:
        """A new word."""
        return self._noted(self._mint.word(), what)

    def number(self, what: str) -> str:
        """A new number."""
        return self._noted(self._mint.number(), what)

    def _noted(self, canary: str, what: str) -> str:
        self.entries[canary] = f"{self._kind} {what}"
        return canary


def by_kind(entries: Mapping[str, str]) -> dict[str, list[str]]:
    """Canaries by what they are."""
    found: dict[str, list[str]] = {}
    for canary, what in entries.items():
        found.setdefault(what, []).append(canary)
    return found


class World:
    """All that there is.

    Two worlds of one seed differ in what is theirs, in what is kept from our members, or in both: in names, values,
    types of values, and in how many tables they have; but in no number of items, since that may be known.
    """

    def __init__(self, seed: int, *, other_theirs: bool = False, other_kept: bool = False) -> None:
        self._other_theirs, self._other_kept = other_theirs, other_kept
        self.ours = Book("our", "ours")
        self.kept, self.theirs = Book("kept", f"k {seed} {other_kept}"), Book("their", f"t {seed} {other_theirs}")
        their, kept = self.theirs, self.kept
        self.their_tenant, self.bob, self.queen = (their.word(what) for what in ("tenant", "person", "person"))
        self.their_schemas = their.word("schema"), their.word("schema")
        self.their_tables = their.word("table"), their.word("table")
        self.their_virtual, self.their_slot = their.word("virtual table"), their.word("name of a part")
        self.their_columns = tuple(their.word("column") for _ in range(3))
        self.their_index, self.their_field = their.word("index"), their.word("field of a map")
        self.hidden, self.rare, self.buried = kept.word("column"), kept.word("column"), kept.word("field of a map")
        self.hidden_index, self.vault = kept.word("index"), kept.word("table")
        self.tables = [*self._ours(), *self._of_both(), *self._theirs()]

    @property
    def secrets(self) -> dict[str, list[str]]:
        """Every name and value that our members may not know, by what it is."""
        return by_kind({**self.theirs.entries, **self.kept.entries})

    def principals(self) -> dict[str, Principal]:
        """Who calls: a member, an owner, an admin and a program of ours, two of theirs, and one of a third company.

        `demoted` is the admin, as a member. Rules except admins only, so the owner sees no more than the member. The
        third company has no schema.
        """
        all_scopes = frozenset(scope.RESOURCE_SCOPES)
        ann = Principal(ACME, ANN, "cli", all_scopes, "gid", frozenset({"member"}))
        bob = replace(ann, tenant=self.their_tenant, subject=self.bob)
        return {
            "ann": ann,
            "boss": replace(ann, subject="usr_boss", roles=frozenset({"admin"})),
            "demoted": replace(ann, subject="usr_boss"),
            "olga": replace(ann, subject="usr_olga", roles=frozenset({"owner"})),
            "bot": replace(ann, subject="client:cli", roles=frozenset()),
            "bob": bob,
            "queen": replace(bob, subject=self.queen, roles=frozenset({"owner", "admin"})),
            "cy": replace(ann, tenant="initech", subject="usr_cy", roles=frozenset({"owner"})),
        }

    @cached_property
    def values(self) -> Search:
        """All that is no name: nothing of it may be in a log."""
        books = (self.ours, self.kept, self.theirs)
        return Search({canary: what for book in books for canary, what in book.entries.items() if not is_name(what)})

    @cached_property
    def kept_from(self) -> dict[str, Search]:
        """What must be in nothing that is said to somebody."""
        whose = {
            "ann": (self.theirs, self.kept),
            "bot": (self.theirs, self.kept),
            "boss": (self.theirs,),
            "demoted": (self.theirs, self.kept),
            "olga": (self.theirs, self.kept),
            "bob": (self.ours, self.kept),
            "queen": (self.ours, self.kept),
            "cy": (self.ours, self.kept, self.theirs),
        }
        return {
            who: Search({canary: what for book in books for canary, what in book.entries.items()})
            for who, books in whose.items()
        }

    def _ours(self) -> list[Held]:
        our, kept = self.ours, self.kept
        orders: list[Item] = [
            {
                "pk": {"S": f"o{number}"},
                "status": {"S": ("open", "closed")[number % 2]},
                "total": {"N": str(number * 10)},
                "note": {"S": our.word("value")},
                "tags": {"L": [{"S": "red"}, {"N": str(number)}]},
                "mixed": {"S": "text"} if number % 3 else {"N": str(number)},
            }
            for number in range(ROWS)
        ]
        people: list[Item] = []
        for number in range(ROWS):
            seen = number % 3 < 2
            say = our if seen else kept
            people.append(
                {
                    "pk": {"S": f"p{number}" if seen else kept.word("key")},
                    "owner": {"S": (ANN, "everybody", kept.word("owner"))[number % 3]},
                    "email": {"S": f"{kept.word('address')}@example.com"},
                    "phone": {"S": kept.word("phone")},
                    "salary": {"N": kept.number("salary")},
                    "profile": {"M": {self.buried: {"S": kept.word("value in a map")}}},
                    "photo": {"B": kept.word("binary").encode()},
                    self.hidden: {"S": kept.word("hidden value")},
                    "nick": {"S": say.word("nick")},
                    "level": self._level(number),
                    "place": {"M": {"town": {"S": "Rome"}, **({} if seen else {kept.word("field"): {"N": "1"}})}},
                    **({} if seen else {self.rare: {"N": kept.number("rare value")}}),
                }
            )
        if self._other_kept:  # which types there are is kept as well
            for item in people[2::3]:
                item["nick"] = {"N": kept.number("nick")}
        vault: list[Item] = [{"pk": {"S": kept.word("key")}, "v": {"S": kept.word("value")}} for _ in range(ROWS)]
        notes: list[Item] = [{"pk": {"S": f"n{number}"}, "text": {"S": our.word("note")}} for number in range(ROWS)]
        key = (("pk", "S"),)
        self.our_notes = our.word("table")
        return [
            Held(EUROPE, ORDERS, key, orders, {"by_status": "status"}),
            Held(EUROPE, PEOPLE, key, people, {"by_owner": "owner", self.hidden_index: self.hidden}),
            Held(EUROPE, self.vault, key, vault),
            Held(NORTH, self.our_notes, key, notes),
        ]

    def _level(self, number: int) -> dict[str, Any]:
        """A number where one may see it; else a text, or in another world a number that is none of the others."""
        if number % 3 < 2:
            return {"N": str(number % 3)}
        return {"N": self.kept.number("level")} if self._other_kept else {"S": self.kept.word("level")}

    def _amount(self) -> dict[str, Any]:
        return {"S": self.theirs.word("amount")} if self._other_theirs else {"N": self.theirs.number("amount")}

    def _of_both(self) -> list[Held]:
        """Tables in which each side sees its own items, which come by turns."""
        shared: list[Item] = []
        parts: list[Item] = []
        source: list[Item] = []
        for number in range(ROWS):
            for tenant, book in ((ACME, self.ours), (self.their_tenant, self.theirs)):
                own = tenant == ACME
                column = "colour" if own else self.their_columns[0]
                inner = "town" if own else self.their_field
                shared.append(
                    {
                        "pk": {"S": f"s{number}" if own else book.word("key")},
                        "tenant": {"S": tenant},
                        "kind": {"S": ("small", "large")[number % 2] if own else book.word("kind")},
                        "amount": {"N": str(number)} if own else self._amount(),
                        "detail": {"M": {inner: {"S": book.word("value in a map")}}},
                        "remark": {"S": book.word("remark")} if own or number % 2 else {"N": book.number("remark")},
                        column: {"S": book.word("value")},
                    }
                )
                parts.append(
                    {
                        "tenant": {"S": tenant},
                        "at": {"N": str(number) if own else book.number("sort key")},
                        "v": {"S": book.word("value")},
                        **({} if own else {self.their_columns[1]: {"BOOL": True}}),
                    }
                )
                source.append(
                    {
                        "pk": {"S": f"{tenant}#CUSTOMER#{number if own else book.word('part of a key')}"},
                        "sk": {"S": "PROFILE"},
                        "name": {"S": book.word("name")},
                        "iban": {"S": (self.kept if own else book).word("iban")},
                        **({} if own else {self.their_columns[2]: {"N": book.number("value")}}),
                    }
                )
        return [
            Held(EUROPE, SHARED, (("pk", "S"),), shared, {"by_kind": "kind"}),
            Held(EUROPE, PARTS, (("tenant", "S"), ("at", "N")), parts),
            Held(EUROPE, SOURCE, (("pk", "S"), ("sk", "S")), source),
        ]

    def _theirs(self) -> list[Held]:
        their = self.theirs
        theirs: list[list[Item]] = [
            [
                {
                    "pk": {"S": their.word("key")},
                    "status": {"S": their.word("status")},
                    "total": {"N": their.number("total")},
                    self.their_columns[0]: {"S": their.word("value")},
                    "mixed": {"SS": [their.word("value in a set")]},
                }
                for _ in range(ROWS)
            ]
            for _ in range(3)
        ]
        key, (here, there) = (("pk", "S"),), self.their_tables
        more = [Held(EUROPE, their.word("table"), key, theirs[2])] if self._other_theirs else []
        return [
            *more,
            Held(WEST, ORDERS, key, theirs[0], {self.their_index: "status"}),
            Held(EUROPE, here, key, theirs[1], {self.their_index: "status"}),
            Held(WEST, there, key, theirs[2]),
        ]

    def schemas_file(self, endpoint_url: str) -> str:
        """The text of the schemas file."""
        place = f'endpoint_url = "{endpoint_url}"\n'
        by_tenant = f'[[schema.rules]]\ntable = "{SHARED}"\nrows = {{ tenant = ["$tenant"] }}\n' + (
            f'[[schema.rules]]\ntable = "{PARTS}"\nrows = {{ tenant = ["$tenant"] }}\n'
        )
        members = 'except_roles = ["admin"]\n'
        ours = (
            f'[[schema]]\nname = "{ANNEX}"\ntenant = "{ACME}"\nregion = "{NORTH}"\n{place}'
            f'[[schema]]\nname = "{ASLEEP}"\ntenant = "{ACME}"\nregion = "{EUROPE}"\nstatus = "disabled"\n{place}'
            f'[[schema]]\nname = "{SHOP}"\ntenant = "{ACME}"\nregion = "{EUROPE}"\ndefault = true\n{place}'
            f'tables = ["{ORDERS}", "{PEOPLE}", "{self.vault}", "{SHARED}", "{PARTS}"]\n'
            f'[[schema.virtual_tables]]\nname = "{CUSTOMERS}"\nsource = "{SOURCE}"\n'
            f'attributes = {{ pk = "{ACME}#CUSTOMER#{{customer_id}}", sk = "PROFILE" }}\n'
            f'[[schema.rules]]\ntable = "{PEOPLE}"\n{members}hidden = ["{self.hidden}"]\n'
            'masked = { email = "last4", phone = "null", salary = "redacted", profile = "redacted", '
            'photo = "redacted" }\n'
            'rows = { owner = ["$subject", "everybody"] }\n'
            f'[[schema.rules]]\ntable = "{self.vault}"\n{members}masked = {{ pk = "redacted" }}\n'
            f'[[schema.rules]]\ntable = "{SOURCE}"\n{members}masked = {{ iban = "redacted" }}\n{by_tenant}'
        )
        one, other = self.their_schemas
        theirs = (
            f'[[schema]]\nname = "{one}"\ntenant = "{self.their_tenant}"\nregion = "{WEST}"\ndefault = true\n{place}'
            f'[[schema]]\nname = "{other}"\ntenant = "{self.their_tenant}"\nregion = "{EUROPE}"\n{place}'
            f'tables = ["{self.their_tables[0]}", "{SHARED}", "{PARTS}"]\n'
            f'[[schema.virtual_tables]]\nname = "{self.their_virtual}"\nsource = "{SOURCE}"\n'
            f'attributes = {{ pk = "{self.their_tenant}#CUSTOMER#{{{self.their_slot}}}" }}\n{by_tenant}'
        )
        return ours + theirs
