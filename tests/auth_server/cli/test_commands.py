"""The command line, run in this process on a store of its own."""

import asyncio
import json
from importlib import metadata
from typing import Any

import pytest

from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import write_key_file
from tests.auth_server.cli.command_line import CommandLine, assert_failed
from tests.auth_server.flows.world import EMAIL, open_world
from tests.support.client_keys import ClientKey
from tests.support.clock import SettableClock

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery staple"
RESOURCE = "http://localhost:8000/mcp"


def test_a_password_comes_from_a_file_or_standard_input(run: CommandLine) -> None:
    file = run.directory / "password"
    file.write_text(f"{PASSWORD}\n")
    made = run("user", "create", "--email", "ada@example.com", "--password-file", str(file), "--json")
    assert made.status == 0
    assert made.document["email"] == "ada@example.com"
    assert made.document["user_id"].startswith("usr_")
    from_stdin = run("user", "create", "--email", "bob@example.com", "--password-file", "-", stdin=PASSWORD)
    assert from_stdin.status == 0
    assert PASSWORD not in made.out + made.err + from_stdin.out + from_stdin.err


def test_a_password_never_comes_from_the_arguments(run: CommandLine) -> None:
    outcome = run("user", "create", "--email", "ada@example.com", "--password", PASSWORD)
    assert outcome.status == 2
    assert "No such option" in outcome.err


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        ("nonsense", PASSWORD, "e-mail"),
        ("ada@example.com", "short", "8 to 1024"),
        ("ada@example.com", "", "8 to 1024"),
    ],
)
def test_a_user_that_cannot_be_made_is_refused(run: CommandLine, email: str, password: str, words: str) -> None:
    assert_failed(run("user", "create", "--email", email, "--password-file", "-", stdin=password), words)


def test_a_user_is_made_once(run: CommandLine) -> None:
    create = ("user", "create", "--email", "ada@example.com", "--password-file", "-")
    assert run(*create, stdin=PASSWORD).status == 0
    assert_failed(run(*create, stdin=PASSWORD), "exists")


def test_an_unreadable_password_file_is_named(run: CommandLine) -> None:
    missing = run.directory / "missing"
    assert_failed(run("user", "create", "--email", "a@b.c", "--password-file", str(missing)), str(missing))


def test_a_secret_is_shown_once(run: CommandLine) -> None:
    made = run("client", "create", "--confidential", "--name", "Bot", "--scope", "query", "--json").document
    assert set(made) == {"client_id", "client_secret"}
    assert made["client_secret"].startswith("cs_")
    listed = run("client", "list", "--json")
    assert made["client_secret"] not in listed.out
    (client,) = listed.document["clients"]
    assert client == {
        "client_id": made["client_id"],
        "name": "Bot",
        "confidential": True,
        "registration": "operator",
        "workspace": "default",
        "redirect_uris": [],
        "grant_types": ["client_credentials"],
        "scopes": ["query"],
        "resource_server": None,
        "dpop_bound": False,
        "par_required": False,
        "created_at": client["created_at"],
        "authentication_methods": ["client_secret_basic", "client_secret_post"],
        "jwks_uri": None,
        "secrets_expire_at": ["never"],
    }
    assert run("client", "get", made["client_id"], "--json").document == client
    rotated = run("client", "rotate-secret", made["client_id"], "--json").document
    assert rotated["client_secret"] != made["client_secret"]
    assert made["client_secret"].encode() not in (run.directory / "auth.db").read_bytes()


def test_texts_for_people_hold_what_they_need(run: CommandLine) -> None:
    made = run("client", "create", "--confidential", "--name", "Bot")
    assert "client_secret  cs_" in made.out
    assert "shown only once" in made.out
    client_id = made.out.split("client_id")[1].split()[0]
    assert client_id in run("client", "list").out
    assert "cs_" in run("client", "rotate-secret", client_id).out
    assert run("client", "delete", client_id).out == f"Deleted {client_id}.\n"
    assert run("client", "list").out == ""


def test_a_public_client_has_no_secret(run: CommandLine) -> None:
    create = ("client", "create", "--public", "--name", "App")
    made = run(*create, "--redirect-uri", "http://127.0.0.1/callback", "--redirect-uri", "cursor://a/b", "--json")
    assert set(made.document) == {"client_id"}
    assert_failed(run("client", "rotate-secret", made.document["client_id"]), "no secret")
    assert_failed(run(*create), "redirect URI")
    assert_failed(run(*create, "--redirect-uri", "javascript:alert(1)"), "redirect URI")


def test_a_client_with_keys_has_no_secret(run: CommandLine) -> None:
    file = run.directory / "jwks.json"
    file.write_bytes(ClientKey().jwks())
    made = run("client", "create", "--name", "Agent", "--jwks", str(file), "--json").document
    assert set(made) == {"client_id"}
    shown = run("client", "get", made["client_id"], "--json").document
    assert (shown["authentication_methods"], shown["confidential"]) == (["private_key_jwt"], True)
    assert_failed(run("client", "rotate-secret", made["client_id"]), "by a key")
    elsewhere = run("client", "update", made["client_id"], "--jwks-uri", "https://agent.example/jwks.json", "--json")
    assert elsewhere.document["jwks_uri"] == "https://agent.example/jwks.json"
    back = run("client", "update", made["client_id"], "--jwks", "-", "--json", stdin=ClientKey().jwks().decode())
    assert back.document["jwks_uri"] is None
    assert back.document["authentication_methods"] == ["private_key_jwt"]
    named = run("client", "update", made["client_id"], "--name", "Other", "--json").document
    assert named["authentication_methods"] == ["private_key_jwt"]


def test_keys_that_are_of_no_use_are_refused(run: CommandLine) -> None:
    file = run.directory / "jwks.json"
    create = ("client", "create", "--name", "Agent")
    assert_failed(run(*create, "--jwks", str(file)), str(file))
    file.write_text("{}")
    assert_failed(run(*create, "--jwks", str(file)), "JWK set")
    file.write_bytes(ClientKey().jwks())
    assert_failed(run(*create, "--jwks", str(file), "--public"), "public")
    assert_failed(run(*create, "--jwks-uri", "http://agent.example/jwks.json"), "https")
    assert_failed(run(*create, "--jwks", str(file), "--jwks-uri", "https://agent.example/jwks.json"), "not both")


def test_what_kind_of_client_must_be_said(run: CommandLine) -> None:
    outcome = run("client", "create", "--name", "App")
    assert outcome.status == 2
    assert "--confidential" in outcome.err


def test_a_client_gets_the_grants_that_the_operator_names(run: CommandLine) -> None:
    create = ("client", "create", "--name", "App", "--json")
    prefix = "urn:ietf:params:oauth:grant-type:"
    device = run(*create, "--public", "--grant", "device-code").document
    assert run("client", "get", device["client_id"], "--json").document["grant_types"] == [
        "refresh_token",
        f"{prefix}device_code",
    ]
    gateway = run(*create, "--confidential", "--grant", "token-exchange", "--grant", "device-code").document
    kept = ["--redirect-uri", "https://a.example/cb", "--json"]
    assert run("client", "update", gateway["client_id"], *kept).document["grant_types"] == [
        "authorization_code",
        "client_credentials",
        "refresh_token",
        f"{prefix}device_code",
        f"{prefix}token-exchange",
    ]
    public = ("client", "create", "--public", "--name", "App", "--redirect-uri", "http://127.0.0.1/callback")
    assert_failed(run(*public, "--grant", "token-exchange"), "confidential")
    assert run(*public, "--grant", "password").status == 2


def test_a_client_is_held_to_proofs_and_pushed_requests(run: CommandLine) -> None:
    create = ("client", "create", "--name", "App", "--public", "--redirect-uri", "http://127.0.0.1/callback", "--json")
    client_id = run(*create, "--dpop-bound", "--par-required").document["client_id"]
    shown = run("client", "get", client_id, "--json").document
    assert (shown["dpop_bound"], shown["par_required"]) == (True, True)
    shown = run("client", "update", client_id, "--no-dpop-bound", "--json").document
    assert (shown["dpop_bound"], shown["par_required"]) == (False, True)
    server = ("client", "create", "--confidential", "--name", "API", "--resource-server", RESOURCE)
    assert run(*server, "--dpop-bound").status == 2


def test_a_resource_server_gets_credentials_and_no_grants(run: CommandLine) -> None:
    create = ("client", "create", "--confidential", "--name", "API", "--resource-server")
    made = run(*create, f"{RESOURCE}/", "--json").document
    assert set(made) == {"client_id", "client_secret"}
    shown = run("client", "get", made["client_id"], "--json").document
    assert (shown["resource_server"], shown["grant_types"], shown["scopes"]) == (RESOURCE, [], [])
    renamed = run("client", "update", made["client_id"], "--name", "Other API", "--json").document
    assert (renamed["name"], renamed["resource_server"], renamed["grant_types"]) == ("Other API", RESOURCE, [])
    assert_failed(run("client", "update", made["client_id"], "--scope", "query"), "resource server")
    for unknown in ("https://mcp.example.com/unknown", "nonsense"):
        assert_failed(run(*create, unknown), "AUTH_RESOURCES")
    for more in (["--scope", "query"], ["--redirect-uri", "https://a.example/cb"], ["--grant", "device-code"]):
        outcome = run(*create, RESOURCE, *more)
        assert outcome.status == 2
        assert "--resource-server" in outcome.err


def test_unknown_clients_and_scopes_are_refused(run: CommandLine) -> None:
    assert_failed(run("client", "rotate-secret", "nobody"), "no such client")
    assert_failed(run("client", "delete", "nobody"), "no such client")
    assert_failed(run("client", "create", "--confidential", "--name", "Bot", "--scope", "admin"), "scope")


def test_a_key_is_rotated_and_the_next_one_needs_time(run: CommandLine) -> None:
    rotated = run("key", "rotate", "--json")
    assert rotated.status == 0
    assert len(rotated.document["active_key_id"]) == 43
    assert_failed(run("key", "rotate"), "too new", "try again in")


def test_bad_settings_and_files_are_one_line(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = run.directory / "master.key"
    key.chmod(0o644)
    assert_failed(run("key", "rotate"), "chmod 600", str(key))
    key.chmod(0o600)
    run("key", "rotate")
    key.unlink()
    assert_failed(run("serve"), str(key))
    write_key_file(key, SystemEntropy().bytes(32))
    assert_failed(run("serve"), "AUTH_MASTER_KEY_FILE", "does not open")
    monkeypatch.setenv("AUTH_STORE_URL", "sqlite:///nowhere/at/all/auth.db")
    assert_failed(run("client", "list"), "/nowhere/at/all/auth.db", "AUTH_STORE_URL")
    (run.directory / "other.db").write_text("this is no database, but it is long enough to be looked at" * 100)
    monkeypatch.setenv("AUTH_STORE_URL", f"sqlite://{run.directory / 'other.db'}")
    assert_failed(run("client", "list"), "other.db", "AUTH_STORE_URL")
    monkeypatch.setenv("AUTH_STORE_URL", "mysql://user:hunter2@db.internal/auth")
    failed = run("client", "list")
    assert_failed(
        failed, "AUTH_STORE_URL names a store of kind 'mysql'; there are sqlite://, redis://, rediss://, dynamodb://"
    )
    assert "hunter2" not in failed.err
    monkeypatch.delenv("AUTH_ISSUER")
    assert_failed(run("client", "list"), "AUTH_ISSUER is not set")


def test_people_are_disabled_enabled_and_deleted(run: CommandLine) -> None:
    user_id = _ada(run)
    disabled = run("user", "disable", "ada@example.com", "--json").document
    assert (disabled["user_id"], disabled["state"]) == (user_id, "disabled")
    assert "disabled" in run("user", "show", user_id).out
    assert run("user", "enable", user_id, "--json").document["state"] == "enabled"
    (listed,) = run("user", "list", "--json").document["users"]
    assert listed == run("user", "show", "ada@example.com", "--json").document
    assert set(listed) == {"user_id", "email", "workspaces", "state", "created_at", "disabled_at"}
    assert "600 seconds" in run("user", "delete", "ada@example.com").out
    assert run("user", "list").out == ""
    assert_failed(run("user", "show", "ada@example.com"), "no such user")
    assert_failed(run("user", "disable", user_id), "no such user")


def test_a_password_is_replaced(run: CommandLine) -> None:
    _ada(run)
    changed = run("user", "set-password", "ada@example.com", "--password-file", "-", stdin="another good password")
    assert changed.status == 0
    assert "another good password" not in changed.out + changed.err
    short = run("user", "set-password", "ada@example.com", "--password-file", "-", stdin="short")
    assert_failed(short, "8 to 1024")


async def _sign_in(run: CommandLine) -> str:
    """A person's session and grant, as the service leaves them; gives the grant's gid."""
    path = run.directory / "auth.db"
    async with open_world(path, SettableClock(SystemClock().now())) as world:
        client = await world.register()
        await world.tokens(client.client_id)
        return (await world.store.grants(world.clock.now()))[-1].handle


def test_grants_are_listed_and_revoked(run: CommandLine) -> None:
    gid = asyncio.run(_sign_in(run))
    (grant,) = run("grant", "list", "--json").document["grants"]
    assert grant["gid"] == gid
    assert run("grant", "list", "--user", EMAIL, "--client", grant["client_id"], "--json").document["grants"] == [grant]
    assert run("grant", "list", "--client", "other", "--json").document == {"grants": []}
    assert gid in run("grant", "list").out
    assert run("grant", "revoke", gid, "--json").document == {"revoked": [gid]}
    assert run("grant", "list").out == ""
    assert_failed(run("grant", "revoke", gid), "no such grant")
    asyncio.run(_sign_in(run))
    assert run("grant", "revoke", "--user", EMAIL).out.startswith("Revoked 1.")
    assert run("grant", "revoke").status == 2


def test_sessions_are_listed_and_revoked(run: CommandLine) -> None:
    asyncio.run(_sign_in(run))
    (session,) = run("session", "list", "--json").document["sessions"]
    assert session["session_id"] in run("session", "list", "--user", EMAIL).out
    assert run("session", "revoke", session["session_id"], "--json").document == {"revoked": [session["session_id"]]}
    assert_failed(run("session", "revoke", session["session_id"]), "no such session")
    asyncio.run(_sign_in(run))
    assert run("session", "revoke", "--user", EMAIL).out == "Signed out 1.\n"
    assert run("session", "list").out == ""


def test_a_client_is_changed(run: CommandLine) -> None:
    client_id = run("client", "create", "--confidential", "--name", "Bot", "--scope", "query", "--json").document[
        "client_id"
    ]
    uri = "https://app.example.com/callback"
    changed = run("client", "update", client_id, "--name", "Robot", "--redirect-uri", uri, "--json").document
    assert (changed["name"], changed["redirect_uris"], changed["scopes"]) == ("Robot", [uri], ["query"])
    assert "authorization_code" in changed["grant_types"]
    assert run("client", "update", client_id, "--scope", "schemas:read", "--json").document["scopes"] == [
        "schemas:read"
    ]
    assert "Robot" in run("client", "get", client_id).out
    assert_failed(run("client", "update", client_id, "--redirect-uri", "javascript:1"), "redirect URI")
    assert_failed(run("client", "update", "nobody", "--name", "x"), "no such client")


def test_a_signing_key_is_withdrawn(run: CommandLine) -> None:
    active, following = (key["key_id"] for key in _keys(run))
    withdrawn = run("key", "revoke", active, "--json").document
    assert withdrawn == {"revoked_key_id": active, "active_key_id": following}
    assert active not in [key["key_id"] for key in _keys(run)]
    assert [key["stage"] for key in _keys(run)] == ["active", "next"]
    assert "up to 300 s" in run("key", "revoke", following).out
    assert_failed(run("key", "revoke", active), "no such signing key")


def test_random_names_may_begin_with_a_hyphen(run: CommandLine) -> None:
    assert_failed(run("key", "revoke", "-bBgPlK8zzHwFMEEjV6B6qE67JJtQj2011h2_CqRDUA"), "no such signing key")
    assert_failed(run("grant", "revoke", "--0rqLvJV7WMKY09HU3Wk"), "no such grant")


def _keys(run: CommandLine) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = run("key", "list", "--json").document["keys"]
    return sorted(keys, key=lambda key: str(key["stage"]))


def _ada(run: CommandLine) -> str:
    create = ("user", "create", "--email", "ada@example.com", "--password-file", "-", "--json")
    return str(run(*create, stdin=PASSWORD).document["user_id"])


def test_errors_are_json_for_programs(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = run("client", "delete", "nobody", "--json")
    assert (unknown.status, unknown.out) == (1, "")
    assert json.loads(unknown.err) == {"error": "no_such_client", "message": "there is no such client"}
    run("key", "rotate")
    assert json.loads(run("key", "rotate", "--json").err)["retry_after"] in range(500, 601)
    monkeypatch.delenv("AUTH_ISSUER")
    assert json.loads(run("client", "list", "--json").err)["error"] == "bad_settings"


def test_the_version_needs_no_settings(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTH_ISSUER")
    assert run("--version").out == f"auth-server {metadata.version('dynamosql-auth-server')}\n"


@pytest.mark.parametrize("name", ["user", "client", "grant", "session", "key"])
def test_help_is_whole_on_a_narrow_terminal(run: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = " ".join(run(name, "--help").out.split())
    assert "..." not in text.replace("[ARGS]...", "")
    assert text.endswith(".")


def test_help_lists_every_command(run: CommandLine) -> None:
    assert all(name in run("--help").out for name in ("serve", "user", "client", "grant", "session", "key"))
    assert all(name in run("client", "--help").out for name in ("create", "list", "rotate-secret", "delete"))
    assert "never" in run("user", "create", "--help").out
