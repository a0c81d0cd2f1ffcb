"""What is said of estimates beside consumption."""

from tests.bench.estimates import Case, report, statements


def test_the_report_has_the_worst_first_and_says_whether_the_goal_is_met() -> None:
    good = [Case(f"SELECT {number}", 10.0, 10.0) for number in range(9)]
    *lines, verdict = report("a pass", [*good, Case("SELECT bad", 10.0, 50.0)])
    assert lines[0] == "a pass"
    assert "SELECT bad" in lines[2]
    assert verdict == (
        "10 statements: median of estimated ÷ consumed 1.00, 90th percentile off by 1.00: the goal is met"
    )
    assert report("a pass", [Case("SELECT low", 1.0, 2.0)])[-1].endswith("the goal is missed")
    assert report("a pass", [Case(f"SELECT {number}", 10.0, 10.0 if number < 5 else 50.0) for number in range(9)])[
        -1
    ].endswith("off by 5.00: the goal is missed")


def test_the_statements_are_the_same_every_time() -> None:
    assert list(statements()) == list(statements())
    assert len(set(statements())) > 130
