"""What a Redis must be to hold the store, and what the operator reads where it is not."""

from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from auth_server.adapters.redis_store.address import Address, parse
from auth_server.adapters.redis_store.opening import SCHEMA, check_version
from auth_server.adapters.redis_store.store import open_redis
from auth_server.domain.workspace import Membership, Role, Workspace
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.store import UnusableStore
from auth_server.ports.workspaces import Removal
from tests.auth_server.stores.test_contract import CLIENT, CODE, FIRST, GRANT, NOW, PUBLIC, TRANSACTION, USER
from tests.support.processes import free_port
from tests.support.redis_server import redis_serving

pytestmark = pytest.mark.anyio


async def _refusal(url: str) -> str:
    with pytest.raises(UnusableStore) as caught:
        async with open_redis(url):
            pass
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"], "CONFIG SET maxmemory-policy noeviction"),
        (["--maxmemory", "64mb", "--maxmemory-policy", "volatile-ttl"], "CONFIG SET maxmemory-policy noeviction"),
        (["--appendonly", "no"], "CONFIG SET appendonly yes"),
    ],
)
async def test_a_redis_that_forgets_is_refused(tmp_path: Path, options: list[str], remedy: str) -> None:
    with redis_serving(tmp_path, *options) as server:
        assert (await _refusal(server.url)).endswith(remedy)
        assert server.command("DBSIZE") == ":0\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--maxmemory-policy", "allkeys-lru"],  # without a limit nothing is evicted
        ["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"],
        ["--appendonly", "no", "--save", "60 1000"],
    ],
)
async def test_a_redis_that_remembers_will_do(tmp_path: Path, options: list[str]) -> None:
    with redis_serving(tmp_path, *options) as server:
        async with open_redis(server.url) as store:
            await store.check()


@pytest.mark.slow
async def test_a_redis_that_tells_no_settings_will_do_with_a_warning(tmp_path: Path) -> None:
    """Managed services forbid CONFIG."""
    with redis_serving(tmp_path, "--rename-command", "CONFIG", "") as server, capture_logs() as logs:
        async with open_redis(server.url) as store:
            await store.check()
    assert [(line["event"], line["place"]) for line in logs] == [
        ("store_settings_unknown", f"127.0.0.1:{server.port}/0")
    ]


@pytest.mark.slow
async def test_a_replica_is_refused(tmp_path: Path) -> None:
    with redis_serving(tmp_path / "primary") as primary:
        link = ("--replicaof", f"127.0.0.1 {primary.port}")
        with redis_serving(tmp_path / "replica", *link) as replica:
            replica.wait_until("master_link_status:up", "INFO", "replication")
            assert "is a replica" in await _refusal(replica.url)


@pytest.mark.slow
async def test_the_store_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    with redis_serving(tmp_path) as server:
        async with open_redis(server.url) as store:
            await store.add_client(CLIENT)
        server.command("HSET", "{auth}:store", "schema", str(SCHEMA + 1))
        assert "newer release" in await _refusal(server.url)


@pytest.mark.slow
async def test_the_store_of_a_release_without_workspaces_is_migrated_once(tmp_path: Path) -> None:
    """Everybody had a tenant. Whoever shared one shares a workspace, and nobody is more than a member of it."""
    eve = replace(USER, user_id="usr_e", email="eve@example.com", created_at=NOW + 1)
    with redis_serving(tmp_path) as server:
        async with open_redis(server.url) as store:
            await store.add_client(replace(CLIENT, client_id="of acme"))
            for client in (CLIENT, PUBLIC):
                await store.add_client(client)
            for user in (USER, eve):
                await store.add_user(user)
            await store.start_transaction(TRANSACTION)
            assert await store.approve("txn", GRANT, CODE, NOW)
        server.command("HSET", "{auth}:store", "schema", "1")
        server.command("HDEL", "{auth}:grant:g", "role")
        server.command("HSET", "{auth}:client:dcr_b", "tenant", "default")
        server.command("HSET", "{auth}:client:of acme", "tenant", "acme")
        for user_id, tenant in {"usr_a": "default", "usr_e": "acme"}.items():
            server.command("HDEL", f"{{auth}}:user:{user_id}", "role:default")
            server.command("HSET", f"{{auth}}:user:{user_id}", "tenant", tenant)
        for _ in range(2):
            async with open_redis(server.url) as store:
                in_acme = replace(eve, memberships=(Membership("acme", Role.MEMBER),))
                assert list(await store.users()) == [USER, in_acme]
                assert list(await store.workspaces()) == [Workspace("acme", "acme", NOW + 1)]
                assert await store.client("dcr_b") == PUBLIC
                assert await store.remove_workspace("acme") is Removal.IN_USE
        async with open_redis(server.url) as store:
            assert await store.redeem("code", FIRST, NOW) == Redeemed()
            await store.delete_client("dcr_b", NOW)
            await store.delete_client("of acme", NOW)
            await store.end_membership("usr_e", "acme", NOW)
            assert await store.remove_workspace("acme") is Removal.REMOVED


@pytest.mark.slow
async def test_passwords_open_the_store_and_are_never_told(tmp_path: Path) -> None:
    with redis_serving(tmp_path, "--requirepass", "s3cret/word") as server:
        assert "password" in await _refusal(server.url)
        wrong = await _refusal(f"redis://:wr0ng@127.0.0.1:{server.port}")
        assert "refuses the user or the password" in wrong
        assert "wr0ng" not in wrong
        async with open_redis(f"redis://default:s3cret%2Fword@127.0.0.1:{server.port}/3?prefix=other") as store:
            await store.check()


@pytest.mark.slow
async def test_tls_is_for_the_host_that_the_url_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, port = trustme.CA(), free_port()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    for option, name in (("ca-cert", "ca"), ("cert", "cert"), ("key", "key")):
        options += [f"--tls-{option}-file", str(tmp_path / f"{name}.pem")]
    with redis_serving(tmp_path / "redis", *options) as server:
        assert "certificate" in (await _refusal(f"rediss://localhost:{port}")).lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        async with open_redis(f"rediss://localhost:{port}") as store:
            await store.check()
        assert "127.0.0.1" in await _refusal(f"rediss://127.0.0.1:{port}")
        assert "cannot be used" in await _refusal(f"rediss://localhost:{server.port}")


async def test_where_nobody_listens_the_place_is_told() -> None:
    port = free_port()
    refusal = await _refusal(f"redis://user:s3cret@127.0.0.1:{port}/2")
    assert f"127.0.0.1:{port}/2" in refusal
    assert "s3cret" not in refusal


@pytest.mark.parametrize("info", [{"redis_version": "6.0.16"}, {"redis_version": "5.0.7"}, {}])
def test_old_versions_are_refused(info: dict[str, str]) -> None:
    with pytest.raises(UnusableStore, match=r"6\.2 or newer"):
        check_version(info)


@pytest.mark.parametrize(
    "info",
    [{"redis_version": "6.2.0"}, {"redis_version": "7.2.4", "valkey_version": "8.1.0"}, {"redis_version": "8.0"}],
)
def test_new_versions_will_do(info: dict[str, str]) -> None:
    check_version(info)


def test_a_url_says_where_the_store_is() -> None:
    full = parse("rediss://us%40er:p%3Ass@redis.example:6380/2?wait_replicas=1&prefix=prod")
    assert full == Address("redis.example", 6380, 2, "us@er", "p:ss", True, "prod", 1)
    assert full.place == "redis.example:6380/2"
    assert "p:ss" not in repr(full)
    assert parse("redis://[::1]") == Address("::1", 6379, 0, None, None, False, "auth", 0)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "host/x",
        "host/-1",
        "host:99999",
        "host?prefix=",
        "host?prefix=a{b}",
        "host?wait_replicas=-1",
        "host?wait_replicas=x",
        "host?ssl_cert_reqs=none",
        "host?prefix=a&prefix",
        "host#x",
        "s3cret@",
    ],
)
def test_other_urls_are_refused_without_being_repeated(rest: str) -> None:
    with pytest.raises(UnusableStore, match="the URL must be redis") as caught:
        parse(f"redis://{rest}")
    assert "s3cret" not in str(caught.value)
