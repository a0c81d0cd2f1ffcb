"""DynamoDB's answers, read by us where botocore would be slow or trusting.

botocore walks its service model once per value of every item, which costs more than all the rest of a read together,
and it takes an answer without `Items` for one that holds none. Here Scan, Query and BatchGetItem keep their items as
raw JSON, to be decoded by Arrow. An answer that lacks what DynamoDB always sends, or contradicts itself, is an error,
never the end of the rows. The hook is aiobotocore's component `response_parser_factory`.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory

from mcp_server.adapters.table_description import READABLE

ATTEMPTS = 4
"""How many times a request is made whose answer is lost or unreadable."""
FIRST_PAUSE_SECONDS = 0.05

_Answer = TypeVar("_Answer")
_Amount = Annotated[int, msgspec.Meta(ge=0)]
_Key = dict[str, dict[str, Any]]


class UnreadableResponse(Exception):
    """The endpoint's answer is not what DynamoDB answers. The text names no data."""


class RawItems(msgspec.Struct):
    """A response of Scan or Query with its items left as they came; without items where only their number was asked."""

    Count: _Amount
    ScannedCount: _Amount
    Items: msgspec.Raw = msgspec.Raw(b"null")
    LastEvaluatedKey: _Key | None = None
    ConsumedCapacity: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.Count > self.ScannedCount:
            message = "more items than were looked at"
            raise ValueError(message)


class KeysLeft(msgspec.Struct):
    """Keys of one table that BatchGetItem had no capacity for."""

    Keys: list[_Key]


class RawResponses(msgspec.Struct):
    """A response of BatchGetItem with its items left as they came, by table."""

    Responses: dict[str, msgspec.Raw]
    UnprocessedKeys: dict[str, KeysLeft]
    ConsumedCapacity: list[dict[str, Any]] = []


class _TableNames(msgspec.Struct):
    TableNames: list[str]


class _KeyPart(msgspec.Struct):
    AttributeName: str
    KeyType: str


class _AttributeDefinition(msgspec.Struct):
    AttributeName: str
    AttributeType: str


class _TableFacts(msgspec.Struct):
    """What a table that can be read always tells of itself."""

    TableName: str
    TableStatus: str
    KeySchema: list[_KeyPart] = []
    AttributeDefinitions: list[_AttributeDefinition] = []
    ItemCount: _Amount | None = None
    TableSizeBytes: _Amount | None = None

    def __post_init__(self) -> None:
        complete = self.KeySchema and self.AttributeDefinitions and None not in (self.ItemCount, self.TableSizeBytes)
        if self.TableStatus in READABLE and not complete:
            message = "a table without a key or a size"
            raise ValueError(message)


class _Description(msgspec.Struct):
    Table: _TableFacts


_RAW: dict[str, msgspec.json.Decoder[Any]] = {
    "ScanOutput": msgspec.json.Decoder(RawItems),
    "QueryOutput": msgspec.json.Decoder(RawItems),
    "BatchGetItemOutput": msgspec.json.Decoder(RawResponses),
}
_CHECKED: dict[str, msgspec.json.Decoder[Any]] = {
    "ListTablesOutput": msgspec.json.Decoder(_TableNames),
    "DescribeTableOutput": msgspec.json.Decoder(_Description),
}
RAW = "Raw"
"""The key of such a response under which its RawItems or RawResponses stands; BYTES is that of the body's length."""
BYTES = "Bytes"


def raw_response(shape: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A successful response of that output shape under RAW, with BYTES. Raises UnreadableResponse.

    Header names are in lower case.
    """
    return {RAW: _decoded(_RAW[shape], body, headers), BYTES: len(body)}


def _decoded(decoder: "msgspec.json.Decoder[Any]", body: bytes, headers: Mapping[str, str]) -> Any:
    _check_sum(body, headers.get("x-amz-crc32"))
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableResponse from error


class _Parser(AioJSONParser):  # type: ignore[misc] # aiobotocore has no types
    """botocore's parser of the JSON protocol, but for successful responses that the service reads."""

    def _do_parse(self, response: Any, shape: Any) -> Any:
        name = shape.name if shape is not None else ""
        decoder = _RAW.get(name) or _CHECKED.get(name)
        if decoder is None:
            return super()._do_parse(response, shape)
        if name in _RAW:
            return raw_response(name, response["body"], response["headers"])
        _decoded(decoder, response["body"], response["headers"])
        return super()._do_parse(response, shape)


class ParserFactory(AioResponseParserFactory):  # type: ignore[misc] # aiobotocore has no types
    """Makes the parsers of a session's clients."""

    def create_parser(self, protocol_name: str) -> Any:
        """See botocore's ResponseParserFactory."""
        if protocol_name == "json":
            return _Parser(**self._defaults)
        return super().create_parser(protocol_name)


async def asked_until_readable(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """What `ask` answers, asked again after UnreadableResponse as botocore does after a reset."""
    for attempt in range(1, ATTEMPTS):
        try:
            return await ask()
        except UnreadableResponse:
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
    return await ask()


def requests_of(response: Any) -> int:
    """How many requests were made for a response, those that were lost included (`lost` where items are read)."""
    return 1 + int(response["ResponseMetadata"].get("RetryAttempts", 0))


def _check_sum(body: bytes, expected: str | None) -> None:
    """DynamoDB sends the CRC-32 of the body; botocore accepts a wrong one once its retries are used up."""
    if expected is not None and expected != str(zlib.crc32(body)):
        message = "wrong checksum"
        raise UnreadableResponse(message)
