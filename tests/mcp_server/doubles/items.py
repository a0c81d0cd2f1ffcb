"""Items of tables in memory."""

from collections.abc import AsyncGenerator, Awaitable, Collection, Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from mcp_server.adapters.decoding.item_decoding import PageDecoder, arrow_schema
from mcp_server.adapters.decoding.unshown import unshown_attributes
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import SourceRefused
from mcp_server.domain.failures.tables import TableGone
from mcp_server.domain.schema import Schema
from mcp_server.planning.estimates import read_units
from mcp_server.planning.plan import Read, Request
from mcp_server.planning.streaming import Key as ItemKey
from mcp_server.planning.streaming import key_names
from mcp_server.ports.items import Consumption, Observer, Part, Stretch, TableChanged
from tests.mcp_server.doubles.tables import HeldItem, HeldTable, HeldTables, wired
from tests.mcp_server.planning.filter_language import compile_filter, projection

PAGE_BYTES = 1 << 20
KEYS_A_REQUEST = 100
MOST_LOOKED_UP = 500


class HeldItems:
    """An ItemSource: it carries out requests by the filter language's own rules, a page of 1 MB or less at a time."""

    def __init__(self, tables: HeldTables, page_bytes: int = PAGE_BYTES) -> None:
        self._tables, self._page_bytes = tables, page_bytes

    def arrow_schema(self, read: Read) -> pa.Schema:
        return arrow_schema(read.relation)

    async def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        decoder = PageDecoder(read.relation, schema.overrides.get(read.relation.table.name, {}))
        rows = 0
        held = self._held(read)
        for page in self._united(held, read, decoder, observe):
            yield page
        for number, request in self._numbered(held, read, observe):
            rows = 0 if read.of_each else rows
            for part, scanned, items in self._parts(number, held, request):
                body = _whole(items)
                observe(_consumed(read, request, scanned, items, body, part))
                if items:
                    page = decoder.decode(_sent(items, request), len(items))
                    yield page
                    rows += page.num_rows  # of a virtual table, its own items alone
                    if read.enough is not None and rows >= read.enough:
                        if read.of_each:
                            break
                        return

    def _united(self, held: HeldTable, read: Read, decoder: PageDecoder, observe: Observer) -> Iterator[pa.RecordBatch]:
        """The items that the branches of a read yield, each once, as they are sent: with their keys."""
        seen = set[bytes]()
        for branch in read.branches:
            self._held(branch)
            for number, request in self._numbered(held, branch, observe):
                for part, scanned, items in self._parts(number, held, request):
                    observe(_consumed(branch, request, scanned, items, _whole(items), part))
                    sent: list[dict[str, Any]] = msgspec.json.decode(_sent(items, request))
                    keys = [msgspec.json.encode([item[name] for name, _ in held.key]) for item in sent]
                    new = [place for place, key in enumerate(keys) if key not in seen]
                    seen.update(keys)
                    if new:
                        yield decoder.decode(msgspec.json.encode([sent[place] for place in new]), len(new))

    def _numbered(self, held: HeldTable, read: Read, observe: Observer) -> Iterator[tuple[int, Request]]:
        """The read's requests with their numbers; where they only yield keys, those of the items with these keys."""
        for number, request in enumerate(read.requests):
            if read.lookup is None:
                yield number, request
                continue
            for part, scanned, items in self._parts(number, held, request):
                observe(_consumed(read, request, scanned, items, _whole(items), part))
                keys = [{name: item[name] for name, _ in held.key} for item in items]
                for start in range(0, len(keys), KEYS_A_REQUEST):
                    some = {**read.lookup, "Keys": keys[start : start + KEYS_A_REQUEST]}
                    yield number, Request("BatchGetItem", some)

    async def count(self, schema: Schema, read: Read, observe: Observer) -> int:
        found = 0
        for number, request in enumerate(read.requests):
            assert request.arguments["Select"] == "COUNT"
            for part, scanned, items in self._parts(number, self._held(read), request):
                observe(Consumption(len(items), len(scanned), 50, _units(scanned, request), part=part))
                found += len(items)
        return found

    def _held(self, read: Read) -> HeldTable:
        table = read.relation.table
        held = self._tables.get(table.physical_name)
        if held is None:
            raise Failure(TableGone(table.physical_name))
        if tuple((attribute.name, attribute.type.value) for attribute in table.key) != held.key:
            raise TableChanged(table, Failure(SourceRefused()))
        if read.index is not None and read.index not in {index.name for index in held.indexes}:
            raise TableChanged(table, Failure(SourceRefused()))
        return held

    def _parts(
        self, number: int, held: HeldTable, request: Request
    ) -> Iterator[tuple[Part | None, list[HeldItem], list[HeldItem]]]:
        """What each response looked at, and what it holds of that, with its place among those to the read's request."""
        pages = list(_pages(held, request, self._page_bytes))
        for place, (scanned, items) in enumerate(pages):
            part = Part(number, place == 0, place == len(pages) - 1) if request.operation != "BatchGetItem" else None
            yield part, scanned, items

    async def stretch(
        self, schema: Schema, read: Read, request: int, after: ItemKey | None, limit: int | None, observe: Observer
    ) -> Stretch:
        table, one = read.relation.table, read.requests[request]
        held = _asked(self._held(read), one)
        segment, segments = one.arguments.get("Segment", 0), one.arguments.get("TotalSegments", 1)
        own = [pair for pair in held.scattered() if pair[0][0][0] % segments == segment]
        if after is not None:
            backwards = one.operation == "Query" and not one.arguments.get("ScanIndexForward", True)
            at = held.place(after)
            own = [pair for pair in own if (pair[0] < at if backwards else pair[0] > at)]
        scattered = HeldTable(held.name, held.key, [item for _, item in own])
        arguments = {
            **one.arguments,
            **({"Limit": limit} if limit is not None else {}),
            "TotalSegments": 1,
            "Segment": 0,
        }
        if read.lookup is not None:
            arguments["Limit"] = min(arguments.get("Limit", MOST_LOOKED_UP), MOST_LOOKED_UP)
        arguments.pop("IndexName", None)
        scanned, items = next(_pages(scattered, Request(one.operation, arguments), self._page_bytes))
        body = _whole(items)
        full = len(scanned) == arguments.get("Limit") or sum(item.size for item in scanned) > self._page_bytes
        observe(_consumed(read, one, scanned, items, body, Part(request, after is None, not full)))
        decoder = PageDecoder(read.relation, schema.overrides.get(table.physical_name, {}))
        names = key_names(read)
        keys = [{name: item[name] for name in names} for item in items]
        last = {name: scanned[-1][name] for name in names} if full else None
        if read.lookup is not None:
            there = self._fetched(read, read.lookup, items, observe)
            keys = [key for key, item in zip(keys, there, strict=True) if item is not None]
            one, items = Request("BatchGetItem", read.lookup), [item for item in there if item is not None]
        batch, places = decoder.decode_with_places(_sent(items, one), len(items)) if items else (None, [])
        return Stretch(batch, last, lambda number: keys[places[number]])

    def _fetched(
        self, read: Read, lookup: Mapping[str, Any], named: list[HeldItem], observe: Observer
    ) -> list[HeldItem | None]:
        """The item of each of an index's items, if it is still there."""
        held, found = self._held(read), dict[str, HeldItem]()
        keys = [{name: item[name] for name, _ in held.key} for item in named]
        for start in range(0, len(keys), KEYS_A_REQUEST):
            batch = Request("BatchGetItem", {**lookup, "Keys": keys[start : start + KEYS_A_REQUEST]})
            for _, scanned, items in self._parts(0, held, batch):
                observe(_consumed(read, batch, scanned, items, _whole(items), None))
                found |= {repr({name: item[name] for name, _ in held.key}): item for item in items}
        return [found.get(repr(key)) for key in keys]

    def under_way(self, observers: Collection[Observer]) -> Awaitable[None] | None:
        return None  # it answers at once


def _sent(items: list[HeldItem], request: Request) -> bytes:
    """What a response holds of some items."""
    if "ProjectionExpression" not in request.arguments:
        return _whole(items)
    return msgspec.json.encode(list(map(projection(request), items)))


def _whole(items: list[HeldItem]) -> bytes:
    return f"[{', '.join(item.text for item in items)}]".encode()


def _asked(held: HeldTable, request: Request) -> HeldTable:
    """The table, or its index that a request names, which has to be one that can be read as it is asked for."""
    name = request.arguments.get("IndexName")
    if name is None:
        return held
    # "Strongly consistent reads are not supported on global secondary indexes." (API reference, Query)
    index = next(one for one in held.indexes if one.name == name)
    assert index.local or not request.arguments.get("ConsistentRead"), name
    return held.of_index(name)


def _pages(held: HeldTable, request: Request, page_bytes: int) -> Iterator[tuple[list[HeldItem], list[HeldItem]]]:
    """What each response looked at, and what it holds of that."""
    arguments = request.arguments
    held = _asked(held, request)
    if request.operation == "BatchGetItem":
        wanted = wired(arguments["Keys"])
        found = [item for item in held.items if {name: item[name] for name, _ in held.key} in wanted]
        yield found, found
        return
    names = arguments.get("ExpressionAttributeNames", {})
    values = wired(arguments.get("ExpressionAttributeValues", {}))
    matches = compile_filter(arguments.get("KeyConditionExpression"), names, values)
    passes = compile_filter(arguments.get("FilterExpression"), names, values)
    segment, segments = arguments.get("Segment", 0), arguments.get("TotalSegments", 1)
    page: list[HeldItem] = []
    size, limit = 0, arguments.get("Limit")
    stored = held.by_sort_key() if request.operation == "Query" else held.items
    stored = stored if arguments.get("ScanIndexForward", True) else stored[::-1]
    for item in stored[segment::segments]:
        if matches(item):
            page.append(item)
            size += item.size
            if size > page_bytes or len(page) == limit:
                yield page, list(filter(passes, page))
                page, size, limit = [], 0, limit * 2 if limit is not None else None
    yield page, list(filter(passes, page))


def _consumed(
    read: Read, request: Request, scanned: list[HeldItem], items: list[HeldItem], body: bytes, part: Part | None
) -> Consumption:
    unshown = unshown_attributes(body, len(items), read.relation.table) if read.relation.starred else frozenset[str]()
    return Consumption(len(items), len(scanned), len(body), _units(scanned, request), unshown, part)


def _units(scanned: list[HeldItem], request: Request) -> float:
    consistent = bool(request.arguments.get("ConsistentRead", False))
    sizes = [item.size for item in scanned]
    if request.operation == "BatchGetItem":
        missing = len(request.arguments["Keys"]) - len(sizes)
        return sum(read_units(size, consistent=consistent) for size in [*sizes, *[0] * missing])
    return read_units(sum(sizes), consistent=consistent)
