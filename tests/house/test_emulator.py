"""The emulator as `make run` starts it saves its tables as MiniStack itself does, only faster."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.local import single_table
from deploy.local.demo_data import dynamodb_client
from tests.support.emulator import MINISTACK, QUICK, emulating, state_directory

pytestmark = pytest.mark.slow

TABLE = single_table.TABLE.name


def saved(directory: Path) -> Any:
    """The saved state of DynamoDB."""
    return json.loads((state_directory(directory) / "dynamodb.json").read_text("utf-8"))


def test_what_is_saved_quickly_is_what_ministack_saves(tmp_path: Path) -> None:
    """MiniStack loads binary values, sets, nested documents, indexes and tags from it, and saves the same again."""
    with emulating(tmp_path, persistent=True, command=QUICK) as emulator:
        client = dynamodb_client(emulator.endpoint_url)
        created = client.create_table(**single_table.TABLE.creation())["TableDescription"]
        client.tag_resource(ResourceArn=created["TableArn"], Tags=[{"Key": "shape", "Value": "irregular"}])
        for item in single_table.items():
            client.put_item(TableName=TABLE, Item=item)
        before = items(client)
        assert emulator.server.stop() == 0
    quick = saved(tmp_path)
    with emulating(tmp_path, persistent=True, command=MINISTACK) as emulator:
        client = dynamodb_client(emulator.endpoint_url)
        assert items(client) == before
        client.describe_table(TableName=TABLE)
        assert emulator.server.stop() == 0
    assert saved(tmp_path) == quick


def items(client: Any) -> list[dict[str, Any]]:
    """All items of the table."""
    pages = client.get_paginator("scan").paginate(TableName=TABLE)
    return [item for page in pages for item in page["Items"]]
