"""The span of one request to DynamoDB, with botocore's own retries of it."""

from contextlib import AbstractContextManager

from mcp_server.domain.schema import Schema
from shared_kernel.spans import SetAttributes, Value, span


def request_span(operation: str, schema: Schema, table: str | None) -> AbstractContextManager[SetAttributes]:
    """A span by the names of OpenTelemetry's conventions for DynamoDB; `table` is DynamoDB's own name of it."""
    attributes: dict[str, Value] = {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": operation,
        "db.namespace": schema.name,
        "cloud.region": schema.region,
    }
    if table is not None:
        attributes["aws.dynamodb.table_names"] = (table,)
    return span(f"DynamoDB.{operation}", attributes)
