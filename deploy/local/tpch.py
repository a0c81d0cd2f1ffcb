"""The TPC-H tables: generated as Parquet files, turned into DynamoDB items.

Numbers become N, dates ISO text S, as an application would store them. Keys follow the specification's primary keys
(TPC-H standard specification, §1.4); the indexes are those that the foreign keys ask for.
"""

import datetime
import decimal
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet

from deploy.local.tables import DemoTable, Index, Key

SCALE = "0.01"

TABLES = (
    DemoTable("region", Key("r_regionkey"), {"r_regionkey": "N"}),
    DemoTable("nation", Key("n_nationkey"), {"n_nationkey": "N"}),
    DemoTable(
        "supplier",
        Key("s_suppkey"),
        {"s_suppkey": "N", "s_nationkey": "N"},
        (Index("supplier_by_nation", Key("s_nationkey")),),
    ),
    DemoTable(
        "part",
        Key("p_partkey"),
        {"p_partkey": "N", "p_brand": "S", "p_size": "N"},
        (Index("part_by_brand", Key("p_brand", "p_size")),),
    ),
    DemoTable(
        "customer",
        Key("c_custkey"),
        {"c_custkey": "N", "c_nationkey": "N"},
        (Index("customer_by_nation", Key("c_nationkey"), included=("c_name", "c_mktsegment")),),
    ),
    DemoTable(
        "partsupp",
        Key("ps_partkey", "ps_suppkey"),
        {"ps_partkey": "N", "ps_suppkey": "N"},
        (Index("partsupp_by_supplier", Key("ps_suppkey", "ps_partkey"), included=()),),
    ),
    DemoTable(
        "orders",
        Key("o_orderkey"),
        {"o_orderkey": "N", "o_custkey": "N", "o_orderdate": "S"},
        (Index("orders_by_customer", Key("o_custkey", "o_orderdate")),),
    ),
    DemoTable(
        "lineitem",
        Key("l_orderkey", "l_linenumber"),
        {"l_orderkey": "N", "l_linenumber": "N", "l_partkey": "N", "l_suppkey": "N"},
        (Index("lineitem_by_part", Key("l_partkey", "l_suppkey")),),
    ),
)


def parquet_file(directory: Path, table: str) -> Path:
    """Where the generated rows of a table stand; tests compare query results with these files."""
    return directory / f"{table}.parquet"


def generate(directory: Path) -> None:
    """Writes one Parquet file per table into `directory`, unless it exists. Needs no network.

    The files appear all at once: a run that was killed half-way leaves no directory of that name.
    """
    if directory.is_dir():
        return
    unfinished = directory.with_name(directory.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    generator = Path(sys.executable).with_name("tpchgen-cli")
    command: list[str | Path] = [generator, "parquet", "--scale-factor", SCALE, "--output-dir", unfinished]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    unfinished.rename(directory)


def items(directory: Path, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a generated table as DynamoDB items (attribute name → attribute value)."""
    with pyarrow.parquet.ParquetFile(parquet_file(directory, table)) as file:
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                yield {name: _attribute_value(value) for name, value in row.items()}


def row_count(directory: Path, table: str) -> int:
    """How many rows the generated file of a table holds."""
    with pyarrow.parquet.ParquetFile(parquet_file(directory, table)) as file:
        count: int = file.metadata.num_rows
    return count


def _attribute_value(value: int | decimal.Decimal | datetime.date | str) -> dict[str, str]:
    match value:
        case int() | decimal.Decimal():
            return {"N": str(value)}
        case datetime.date():
            return {"S": value.isoformat()}
        case str():
            return {"S": value}
