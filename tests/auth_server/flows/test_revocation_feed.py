"""The feed: what resource servers are told, and how little it costs to be asked."""

import pytest

from auth_server.flows.revocation_feed import ANSWER_SECONDS, OVERLAP_SECONDS
from shared_kernel import revocations
from shared_kernel.revocations import MEMORY, Feed
from tests.auth_server.flows.world import ISSUER, World, basic, ok

pytestmark = pytest.mark.anyio


async def _feed(world: World, after: str | None = None) -> Feed:
    text = await world.flows.revocation_feed.feed(after)
    key = (await world.keys.published_keys())[revocations.unverified_key_id(text)]
    return revocations.read(text, key, issuer=ISSUER, now=world.clock.now())


async def test_an_access_token_ends_with_whatever_it_hangs_on(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id)
    token = await world.claims(body["access_token"])
    assert not (await _feed(world)).ends(token)
    await world.revoke(client_id=client.client_id, token=body["refresh_token"])
    world.clock.time += ANSWER_SECONDS
    assert (await _feed(world)).ends(token)


async def test_a_program_can_end_its_own_access_token(world: World) -> None:
    made = await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    tokens = [
        await world.claims(ok(await world.exchange(header, grant_type="client_credentials"))["access_token"])
        for _ in range(2)
    ]
    answer = ok(await world.exchange(header, grant_type="client_credentials"))
    ended = await world.claims(answer["access_token"])
    assert (await world.revoke(header, token=answer["access_token"])).status == 200
    feed = await _feed(world)
    assert feed.ends(ended)
    assert not any(feed.ends(token) for token in tokens)


async def test_nobody_ends_another_programs_token(world: World) -> None:
    made, other = await world.machine(), await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    token = ok(await world.exchange(header, grant_type="client_credentials"))["access_token"]
    await world.revoke(basic(other.client.client_id, str(other.client_secret)), token=token)
    assert not (await _feed(world)).ends(await world.claims(token))


async def test_a_deleted_program_and_a_disabled_person_are_told(world: World) -> None:
    made, client = await world.machine(), await world.register()
    header = basic(made.client.client_id, str(made.client_secret))
    of_program = await world.claims(ok(await world.exchange(header, grant_type="client_credentials"))["access_token"])
    of_person = await world.claims((await world.tokens(client.client_id))["access_token"])
    await world.administration.clients.delete(made.client.client_id)
    await world.administration.people.disable(of_person.subject)
    feed = await _feed(world)
    assert feed.ends(of_program)
    assert feed.ends(of_person)


async def test_only_published_keys_are_to_be_believed(world: World) -> None:
    before = await _feed(world)
    assert before.key_ids == frozenset(await world.keys.published_keys())
    active = (await world.keys.signing_key()).key_id
    assert await world.keys.withdraw(active)
    world.clock.time += ANSWER_SECONDS
    after = await _feed(world)
    assert active in before.key_ids
    assert active not in after.key_ids


async def test_a_cursor_leaves_out_what_was_told_well_before_it(world: World) -> None:
    clients = [await world.register(client_name=f"App {number}") for number in range(2)]
    await world.administration.clients.delete(clients[0].client_id)
    first = await _feed(world)
    assert clients[0].client_id in first.clients
    world.clock.time += OVERLAP_SECONDS + 2
    second = await _feed(world, first.cursor)  # still told: clocks differ
    assert clients[0].client_id in second.clients
    await world.administration.clients.delete(clients[1].client_id)
    world.clock.time += ANSWER_SECONDS
    third = await _feed(world, second.cursor)
    assert third.clients.keys() == {clients[1].client_id}
    assert (await _feed(world)).clients.keys() == {each.client_id for each in clients}


@pytest.mark.parametrize("cursor", ["", "0", "-1", "x", "١", "9" * 30, "9999999999", "1e9", "\x00"])
async def test_a_cursor_that_is_none_counts_as_left_out_or_as_now(world: World, cursor: str) -> None:
    client = await world.register()
    await world.administration.clients.delete(client.client_id)
    assert client.client_id in (await _feed(world, cursor)).clients


async def test_what_can_have_no_token_left_is_told_no_more(world: World) -> None:
    client = await world.register()
    await world.administration.clients.delete(client.client_id)
    world.clock.time += MEMORY + 1
    assert (await _feed(world)).clients == {}


async def test_whoever_asks_often_gets_the_same_answer(world: World) -> None:
    answers = {await world.flows.revocation_feed.feed(None) for _ in range(5)}
    assert len(answers) == 1
    world.clock.time += ANSWER_SECONDS
    assert await world.flows.revocation_feed.feed(None) not in answers
