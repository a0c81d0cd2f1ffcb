"""Loads the demo tables into a DynamoDB endpoint; a table that did not load completely is loaded again.

A loaded table carries a tag with the fingerprint of its data. A table without the tag (the load was cut short), or with
another fingerprint (the demo data changed), is dropped and loaded again.
"""

import functools
import hashlib
import ipaddress
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.config
import botocore.session

from deploy.local import single_table, tpch
from deploy.local.tables import DemoTable

REGION = "us-east-1"
MARKER = "dynamosql:demo-data"
TABLE_NAMES = (*(table.name for table in tpch.TABLES), single_table.TABLE.name)

Progress = Callable[[str, int, int], None]
"""Takes a table's name, the number of items written so far, and their total."""

_BATCH = 25  # BatchWriteItem takes no more.
_WRITERS = 4


class NotLoopback(ValueError):
    """Demo data goes into an emulator on this machine only: loading drops tables of the same names."""


@dataclass(frozen=True, slots=True)
class _Source:
    table: DemoTable
    count: int
    fingerprint: str
    items: Callable[[], Iterator[dict[str, Any]]]


def load_demo_data(endpoint_url: str, directory: Path, progress: Progress) -> tuple[str, ...]:
    """Brings every demo table at the endpoint up to date and names those that had to be loaded.

    `directory` holds the generated TPC-H files (generated if missing). Raises NotLoopback, or botocore's errors.
    """
    if not _is_loopback(endpoint_url):
        raise NotLoopback(endpoint_url)
    tpch.generate(directory)
    client = dynamodb_client(endpoint_url)
    loaded = []
    for source in _sources(directory):
        if _marker(client, source.table.name) != source.fingerprint:
            _load(client, source, progress)
            loaded.append(source.table.name)
    return tuple(loaded)


def schemas_file(endpoint_url: str) -> str:
    """The MCP_SCHEMAS_FILE for the demo tables at the endpoint, in TOML."""
    lines = [
        "# Written by `make run` at every start.",
        "[[schema]]",
        'name = "demo"',
        'tenant = "default"',
        f'region = "{REGION}"',
        f'endpoint_url = "{endpoint_url}"',
        f"tables = {json.dumps(TABLE_NAMES)}",
        'status = "active"',
        "default = true",
    ]
    for name, forms in single_table.VIRTUAL_TABLES.items():
        attributes = ", ".join(f'{attribute} = "{form}"' for attribute, form in forms.items())
        lines += [
            "[[schema.virtual_tables]]",
            f'name = "{name}"',
            f'source = "{single_table.TABLE.name}"',
            f"attributes = {{ {attributes} }}",
        ]
    # An index serves a query only where every item is known to be in it: TPC-H has no nulls (§1.4), app_data does.
    for table in tpch.TABLES:
        indexed = {name for index in table.indexes for name in index.key.attributes}
        for attribute in sorted(indexed.difference(table.key.attributes)):
            lines += [f"[schema.columns.{table.name}.{attribute}]", "not_null = true"]
    return "\n".join(lines) + "\n"


def dynamodb_client(endpoint_url: str) -> Any:
    """A DynamoDB client for an emulator; its credentials are placeholders."""
    config = botocore.config.Config(
        parameter_validation=False, max_pool_connections=_WRITERS, retries={"mode": "standard"}, read_timeout=30
    )
    return botocore.session.Session().create_client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  # an emulator checks no signature
        config=config,
    )


def _sources(directory: Path) -> Iterator[_Source]:
    for table in tpch.TABLES:
        content = tpch.parquet_file(directory, table.name).read_bytes()
        yield _Source(
            table,
            tpch.row_count(directory, table.name),
            _fingerprint(table, content),
            functools.partial(tpch.items, directory, table.name),
        )
    items = list(single_table.items())
    content = json.dumps(items, default=bytes.hex).encode()
    yield _Source(single_table.TABLE, len(items), _fingerprint(single_table.TABLE, content), single_table.items)


def _fingerprint(table: DemoTable, content: bytes) -> str:
    return hashlib.sha256(json.dumps(table.creation()).encode() + content).hexdigest()[:32]


def _marker(client: Any, table: str) -> str | None:
    try:
        arn = client.describe_table(TableName=table)["Table"]["TableArn"]
        tags = client.list_tags_of_resource(ResourceArn=arn)["Tags"]
    except client.exceptions.ResourceNotFoundException:
        return None
    return next((tag["Value"] for tag in tags if tag["Key"] == MARKER), None)


def _load(client: Any, source: _Source, progress: Progress) -> None:
    name = source.table.name
    progress(name, 0, source.count)
    try:
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    except client.exceptions.ResourceNotFoundException:
        pass
    client.create_table(**source.table.creation())
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    _write_all(client, source, progress)
    arn = client.describe_table(TableName=name)["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": MARKER, "Value": source.fingerprint}])
    progress(name, source.count, source.count)  # only now: a table without its marker is loaded again


def _write_all(client: Any, source: _Source, progress: Progress) -> None:
    items = source.items()
    turn = threading.Lock()
    given_up = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not given_up.is_set():
            with turn:
                batch = list(itertools.islice(items, _BATCH))
            if not batch:
                return
            _write(client, source.table.name, batch)
            with turn:
                written += len(batch)
                if written < source.count:
                    progress(source.table.name, written, source.count)

    with ThreadPoolExecutor(_WRITERS) as pool:
        writers = [pool.submit(write) for _ in range(_WRITERS)]
        try:
            for writer in writers:
                writer.result()
        finally:
            # One writer's failure, or Ctrl-C, stops the others too.
            given_up.set()


def _write(client: Any, table: str, batch: list[dict[str, Any]]) -> None:
    pending = {table: [{"PutRequest": {"Item": item}} for item in batch]}
    while pending:
        pending = client.batch_write_item(RequestItems=pending).get("UnprocessedItems") or {}


def _is_loopback(endpoint_url: str) -> bool:
    host = urlsplit(endpoint_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
