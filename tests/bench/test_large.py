"""What is said of the long scan, and that the replayed table ends when it should."""

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.large import recorded, report
from tests.bench.report import Circumstances
from tests.bench.servers.replay_dynamodb import PAGE_BYTES, Replay, item

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("second", "verdict"), [(500, "flat"), (525, "flat"), (530, "not flat")])
def test_the_halves_are_compared(second: int, verdict: str) -> None:
    text = report(10_000_000, 20.0, [300_000_000, 500_000_000, second * 1_000_000, 100_000_000])
    assert text.startswith("10,000,000 items in 20.0 s, 500,000 a second; ")
    assert text.endswith(f"500 MB in the first half of the scan and {second} MB in the second: {verdict}")


def test_a_run_is_recorded_where_the_document_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice: the second takes the place of the first."""
    document = tmp_path / "performance.md"
    document.write_text(bench.RECORD.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(bench, "RECORD", document)
    for line in ("10 items in 1 s", "20 items in 2 s"):
        bench.record({"large": recorded(line, Circumstances("2026-11-28", "a machine", "abc"))})
        held = document.read_text("utf-8").partition("<!-- large -->\n")[2].partition("<!-- end -->")[0]
        assert held == f"Recorded 2026-11-28 at commit abc: a machine.\n\n{line}.\n"


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_table_is_gone_through_as_often_as_it_says(repeats: int) -> None:
    replay = Replay([item(number) for number in range(8_000)], repeats)
    for _ in range(2):
        seen: list[str] = []
        start: dict[str, object] = {}
        while True:
            body = json.dumps({"TableName": "items", **start}).encode()
            answer = json.loads(replay.answer(b"Scan", body).partition(b"\r\n\r\n")[2])
            seen += [each["sk"]["S"] for each in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        assert len(json.dumps(item(0))) * 8_000 > PAGE_BYTES
        assert seen == [f"O#{number:09d}" for number in range(8_000)] * repeats
