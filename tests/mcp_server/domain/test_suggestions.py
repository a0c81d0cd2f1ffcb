"""Virtual tables that are proposed hold the items that they were proposed for."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local import single_table
from mcp_server.domain.suggestions import suggestions
from mcp_server.domain.virtual_table import Template


def test_the_kinds_of_a_single_table() -> None:
    keys = [{name: item[name]["S"] for name in ("pk", "sk")} for item in single_table.items()]
    found = {one.name: (dict(one.forms), one.items) for one in suggestions(keys)}
    assert {name: forms for name, (forms, _) in found.items()} == {
        "events": {"pk": "EVENTS#{month}", "sk": "{at}#{part}"},
        "orders": {"pk": "CUSTOMER#{customer_id}", "sk": "ORDER#{at}#{order_id}"},
        "customers": {"pk": "CUSTOMER#{customer_id}", "sk": "PROFILE"},
    }
    assert sum(items for _, items in found.values()) == len(keys)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], []),
        ([{"pk": "a1"}, {"pk": "b2"}], []),
        ([{"pk": "USER#1", "sk": "USER#1"}], [("users", {"pk": "USER#{user_id}", "sk": "USER#{sk_user_id}"})]),
        ([{"pk": "ORG|7|USER|8"}], [("users", {"pk": "ORG|{org_id}|USER|{user_id}"})]),
        ([{"pk": "A#1#2"}], [("as", {"pk": "A#{a_id}#{part}"})]),
        ([{"pk": "NEWS"}], [("news", {"pk": "NEWS"})]),
        ([{"pk": "A#{x}"}], [("as", {"pk": "A#{a_id}"})]),
        ([{"pk": "A#1", "sk": "x"}] * 2 + [{"pk": "B#1"}], [("as", {"pk": "A#{a_id}"}), ("bs", {"pk": "B#{b_id}"})]),
        ([{"pk": "user#1"}, {"pk": "order#2"}], []),
        ([{"pk": "#PROFILE#3"}], [("profiles", {"pk": "#PROFILE#{profile_id}"})]),
        ([{"pk": "ORDER##3#"}], [("orders", {"pk": "ORDER##{order_id}#"})]),
        ([{"pk": "CATEGORY#1"}], [("categories", {"pk": "CATEGORY#{category_id}"})]),
        ([{"pk": "DAY#1"}], [("days", {"pk": "DAY#{day_id}"})]),
        ([{"pk": "ADDRESS#1"}], [("addresses", {"pk": "ADDRESS#{address_id}"})]),
        ([{"pk": "BOX#1"}], [("boxes", {"pk": "BOX#{box_id}"})]),
    ],
)
def test_forms_and_names(keys: list[Mapping[str, str]], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.name, dict(one.forms)) for one in suggestions(keys)] == expected


_PART = st.one_of(
    st.sampled_from(["USER", "ORDER", "2026-01", "2026-01-02T03:04Z"]), st.text("ab1{}#|:/ é", max_size=4)
)
_KEY = st.fixed_dictionaries(
    {"pk": st.lists(_PART, max_size=4).map("#".join), "sk": st.lists(_PART, max_size=3).map("|".join)}
)


@given(st.lists(_KEY, max_size=20))
def test_every_form_is_a_template_that_some_item_has(keys: list[Mapping[str, str]]) -> None:
    for one in suggestions(keys):
        templates = {attribute: Template.parse(form) for attribute, form in one.forms}
        slots = [slot for template in templates.values() for slot in template.slots]
        assert len(set(slots)) == len(slots)
        fitting = [
            key for key in keys if all(templates[name].read(key.get(name, "")) is not None for name in templates)
        ]
        assert 0 < one.items == len(fitting) - one.others
        assert any(re.search("[A-Z]", "".join(template.pieces)) for template in templates.values())


def test_items_of_another_form_that_a_proposal_also_fits_are_told() -> None:
    keys = [{"pk": "ORG#1"}, {"pk": "ORG#1#USER#2"}, {"pk": "ORG#1#USER#3"}]
    assert [(one.name, one.items, one.others) for one in suggestions(keys)] == [("users", 2, 0), ("orgs", 1, 2)]
