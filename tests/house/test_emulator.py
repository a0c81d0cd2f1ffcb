"""The emulator as `make run` starts it answers and saves its tables as MiniStack itself does, only faster."""

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


def test_what_is_saved_and_read_quickly_is_what_ministack_saves_and_reads(tmp_path: Path) -> None:
    """MiniStack loads binary values, sets, nested documents, indexes and tags from it, and saves the same again."""
    with emulating(tmp_path, persistent=True, command=QUICK) as emulator:
        client = dynamodb_client(emulator.endpoint_url)
        created = client.create_table(**single_table.TABLE.creation())["TableDescription"]
        client.tag_resource(ResourceArn=created["TableArn"], Tags=[{"Key": "shape", "Value": "irregular"}])
        for item in single_table.items():
            client.put_item(TableName=TABLE, Item=item)
        before = pages(client)
        assert emulator.server.stop() == 0
    quick = saved(tmp_path)
    with emulating(tmp_path, persistent=True, command=MINISTACK) as emulator:
        client = dynamodb_client(emulator.endpoint_url)
        assert pages(client) == before
        client.describe_table(TableName=TABLE)
        assert emulator.server.stop() == 0
    assert saved(tmp_path) == quick


def pages(client: Any) -> list[list[dict[str, Any]]]:
    """The table page by page: whole, in segments, and filtered."""
    filtered = {"FilterExpression": "sk > :sk", "ExpressionAttributeValues": {":sk": {"S": "ITEM#"}}}
    segment = {"Segment": 1, "TotalSegments": 3}
    return [
        [
            {name: page.get(name) for name in ("Items", "Count", "ScannedCount", "LastEvaluatedKey")}
            for page in client.get_paginator("scan").paginate(TableName=TABLE, Limit=50, **request)
        ]
        for request in ({}, segment, filtered)
    ]
