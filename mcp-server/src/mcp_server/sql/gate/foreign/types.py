"""Types that only other databases know by that name, as DuckDB calls them."""

from collections.abc import Mapping

FOREIGN_TYPES: Mapping[str, str] = {
    "binary_double": "DOUBLE", "bytes": "BLOB", "datetime2": "TIMESTAMP", "datetimeoffset": "TIMESTAMPTZ",
    "float64": "DOUBLE", "money": "DECIMAL(19, 4)", "smalldatetime": "TIMESTAMP", "timestamp_tz": "TIMESTAMPTZ",
    "unsigned": "UBIGINT",
}  # fmt: skip
