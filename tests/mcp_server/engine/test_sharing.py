"""Which reads of one table become one scan."""

from dataclasses import replace

from mcp_server.domain.schema import DOCUMENT, Column, TypeKind
from mcp_server.engine.sharing import sources
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Conjunct, Read, Relation
from mcp_server.planning.predicate import Comparison
from tests.mcp_server.adapters.relations import N, S, column, of, table

PK, A, B = (
    column("pk", of(TypeKind.VARCHAR), S),
    column("a", of(TypeKind.BIGINT), N),
    column("b", of(TypeKind.BIGINT), N),
)
TABLE = table((PK, A, B))


def read(name: str, *columns: Column, key: str | None = None, of_table: object = TABLE) -> Read:
    assert isinstance(of_table, type(TABLE))
    said = (Conjunct("pk = ?", Comparison("pk", "=", key), True),) if key is not None else ()
    return plan_read(Relation(name, of_table, columns, said), consistent=False)


def test_one_reference_is_read_as_planned() -> None:
    (source,) = sources([read("r0", A)])
    assert source.read == read("r0", A)
    assert not source.shared


def test_scans_of_one_table_become_one() -> None:
    (source,) = sources([read("r0", B), read("r1", A, DOCUMENT), read("r2", A)])
    assert source.shared
    assert source.read.relation.columns == (A, B, DOCUMENT)
    assert source.read.relation.materialise
    assert [source.positions(relation) for relation in source.relations] == [(1,), (0, 2), (0,)]
    assert [relation.name for relation in source.relations] == ["r0", "r1", "r2"]


def test_a_shared_scan_says_whom_it_serves_and_what_is_filtered_after_it() -> None:
    narrowed = plan_read(Relation("r1", TABLE, (A,), (Conjunct("a = 1", None, False),)), consistent=False)
    (source,) = sources([read("r0", B), narrowed])
    assert "One scan serves 2 references" in source.read.reason
    assert (source.read.pushed_filters, source.read.residual_filters) == ((), ("a = 1",))


def test_reads_by_key_and_of_other_tables_stay_their_own() -> None:
    other = table((PK,), name="others", physical_name="others")
    namesake = replace(TABLE, schema="elsewhere")
    reads = [read("r0", A), read("r1", A, key="x"), read("r2", PK, of_table=other), read("r3", A, of_table=namesake)]
    assert [source.read for source in sources(reads)] == reads


def test_large_tables_are_not_held_in_memory() -> None:
    large = replace(TABLE, item_count=100_001)
    reads = [read("r0", A, of_table=large), read("r1", A, of_table=large)]
    assert [source.read for source in sources(reads)] == reads
