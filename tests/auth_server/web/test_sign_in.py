"""Signing in while many others do."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from auth_server.adapters.passwords import MAX_CONCURRENT, MAX_WAITING_PER_NETWORK, Argon2Passwords, open_passwords
from shared_kernel.asgi import Message
from tests.auth_server.web.site import EMAIL, PASSWORD, Seed, Site, opened
from tests.support.held_hashing import HeldHasher, until_waiting
from tests.support.people import main_form

pytestmark = pytest.mark.anyio


@pytest.fixture
def held() -> Iterator[HeldHasher]:
    """A hasher that waits, at most until the test is over."""
    held = HeldHasher()
    yield held
    held.go.set()


async def test_too_many_at_once_are_asked_to_try_again(seed: Seed, tmp_path: Path, held: HeldHasher) -> None:
    passwords = await open_passwords(held)
    async with opened(seed, tmp_path, passwords=passwords) as site:
        page = await site.sign_in_page()
        async with anyio.create_task_group() as others:
            for _ in range(MAX_WAITING_PER_NETWORK):
                others.start_soon(passwords.verify, None, "guess", "203.0.113.7")
            await until_waiting(passwords, MAX_WAITING_PER_NETWORK)
            answer = await site.submit(page, email=EMAIL, password=PASSWORD)
            held.go.set()
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert "Many people are signing in" in answer.text
        assert f'value="{EMAIL}"' in answer.text
        assert (await site.submit(page, email=EMAIL, password=PASSWORD)).status_code == 303


async def test_a_browser_that_goes_away_is_not_waited_for(seed: Seed, tmp_path: Path, held: HeldHasher) -> None:
    passwords = await open_passwords(held)
    async with opened(seed, tmp_path, passwords=passwords) as site:
        page = await site.sign_in_page()
        async with anyio.create_task_group() as others:
            for _ in range(MAX_CONCURRENT):
                others.start_soon(passwords.verify, None, "guess", "198.51.100.1")
            await until_waiting(passwords, MAX_CONCURRENT)
            await _submit_and_leave(site, main_form(page).fields, passwords)
            assert passwords.in_flight == MAX_CONCURRENT
            held.go.set()
        assert held.verified == MAX_CONCURRENT
        assert site.rows("sessions") == 0


async def _submit_and_leave(site: Site, fields: dict[str, str], passwords: Argon2Passwords) -> None:
    """Sends the form, and closes the connection while the password waits to be verified."""
    form = fields | {"email": EMAIL, "password": PASSWORD}
    request = site.browser.build_request("POST", f"{site.base}/login", data=form, headers=dict(site.same_origin))
    messages = iter([{"type": "http.request", "body": request.content}])

    async def receive() -> Message:
        for message in messages:
            return message
        await until_waiting(passwords, MAX_CONCURRENT + 1)
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        raise AssertionError("nobody is there to be answered")

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("203.0.113.7", 4711),
    }
    with anyio.fail_after(30):
        await site.transport.app(scope, receive, send)
