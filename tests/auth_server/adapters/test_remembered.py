"""A bounded memory."""

from auth_server.adapters.remembered import Remembered


def test_of_too_many_values_the_one_unused_for_longest_goes() -> None:
    values = Remembered[str, int](2)
    values.put("a", 1)
    values.put("b", 2)
    assert values.get("a") == 1
    values.put("c", 3)
    assert [values.get(name) for name in "abc"] == [1, None, 3]
