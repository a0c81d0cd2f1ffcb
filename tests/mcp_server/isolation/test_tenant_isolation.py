"""No output for one tenant holds, or depends on, a name or value of another; nor what rules keep back from a role.

Requests are made up at random: of what their caller may see, and of exact and nearly right guesses at what it may not.
Everybody's come by turns, so that whatever is remembered was remembered for somebody else. Each answer is searched for
canaries. And each request is sent in two worlds, which differ only in what some of the callers may not know: to these
the same has to be said in both, so that it tells nothing, be it by an error's words, an estimate or an order of rows.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.mcp_server.isolation.callers import WHO, Callers
from tests.mcp_server.isolation.requests import Request, Requests, call_of, guess_at, look_through, words_of_ours
from tests.mcp_server.isolation.served import callers_in_memory
from tests.mcp_server.isolation.world import CUSTOMERS, ORDERS, PARTS, PEOPLE, SHARED, SHOP, World

pytestmark = pytest.mark.anyio

REQUESTS = 150
SWEPT = (PEOPLE, SHARED, PARTS, CUSTOMERS)
INFORMED = {"both": {"bob", "queen", "boss"}, "theirs": {"bob", "queen"}, "kept": {"boss"}}
"""To whom two worlds may be different, by what it is that differs."""
each_difference = pytest.mark.parametrize(
    "differing", [one if one == "both" else pytest.param(one, marks=pytest.mark.slow) for one in INFORMED]
)


def two_worlds(seed: int, differing: str, directory: Path) -> list[Callers]:
    """A world, and one that differs in what is theirs, in what is kept from our members, or in both."""
    other = World(seed, other_theirs=differing != "kept", other_kept=differing != "theirs")
    return [callers_in_memory(world, directory) for world in (World(seed), other)]


@each_difference
async def test_nothing_that_is_said_at_random_tells_of_another(tmp_path: Path, differing: str) -> None:
    both, dice, codes = two_worlds(0, differing, tmp_path), random.Random(differing), Counter[str]()
    for _ in range(REQUESTS):
        who, number = dice.choice(WHO), dice.random()
        answers: list[tuple[Request, str]] = []
        for served in both:
            made = Requests(random.Random(number), served.words(who, both[0].world), sorted({*WHO}))
            request = made.request()
            said = await served.answered(who, request)
            answers.append((request, said.comparable))
            codes[said.code] += 1
        if who not in INFORMED[differing]:
            assert answers[0] == answers[1], (who, request)
    assert codes["ok"] > REQUESTS / 2, "too few requests get far enough to tell anything"
    assert len(codes) > 5


@pytest.mark.slow
@each_difference
async def test_no_guess_at_what_another_has_is_told_from_one_at_nothing(tmp_path: Path, differing: str) -> None:
    both = two_worlds(1, differing, tmp_path)
    ours = words_of_ours(both[0].world)
    asked = [
        *(
            (who, request) for request in look_through(ours, SWEPT) for who in ("boss", "ann")
        ),  # who may know comes first
        *(("ann", request) for request in guess_at(ours, SWEPT)),
    ]
    for who, request in asked:
        one, other = [(await served.answered(who, request)).comparable for served in both]
        if who not in INFORMED[differing]:
            assert one == other, (who, request)


@pytest.mark.parametrize("order", ["", " order by pk"], ids=["read on", "kept"])
@pytest.mark.parametrize("columns", ["*", "pk, email, salary", "pk"])
async def test_no_cursor_of_an_admin_shows_what_is_kept_from_a_member(tmp_path: Path, columns: str, order: str) -> None:
    """Also where it is the same person, who is no admin any more."""
    served = callers_in_memory(World(2), tmp_path)
    arguments = {"sql": f"select {columns} from {PEOPLE}{order}", "max_rows": 2}
    assert (await served.answered("boss", call_of("run_sql", **arguments))).code == "ok"
    later = call_of("run_sql", **arguments, cursor="@boss")
    assert (await served.answered("demoted", later)).code == "cursor_expired"
    assert (await served.answered("ann", later)).code == "cursor_invalid"
    assert (await served.answered("boss", later)).code == "ok"


@pytest.mark.parametrize("who", ["boss", "olga"])
async def test_usage_of_a_workspace_names_no_table_that_is_closed_to_its_reader(tmp_path: Path, who: str) -> None:
    world = World(3)
    served = callers_in_memory(world, tmp_path)
    for sql in (f"select count(*) from {ORDERS}", f"select * from {world.vault}", f"select * from {PEOPLE}"):
        await served.answered("boss", call_of("run_sql", sql=sql))
    told = await served.answered(who, call_of("usage", whose="workspace"))
    assert told.code == "ok"
    assert f"{SHOP}.{ORDERS}" in told.text
    assert (world.vault in told.text, f"{SHOP}.{PEOPLE}" in told.text) == (who == "boss", who == "boss")
    assert (f"{SHOP}.*" in told.text) == (who != "boss")
