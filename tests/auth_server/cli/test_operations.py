"""Whatever an operator changes by a command is in the audit trail: who, what, and how it ended; no secret is."""

import json
from typing import Any

import pytest
from argon2 import PasswordHasher as Argon2

from auth_server.cli.running import account
from tests.auth_server.cli.command_line import CommandLine

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery staple 42"


def operations(run: CommandLine) -> list[dict[str, Any]]:
    """What the trail says of operators, in order."""
    events = run("audit", "list", "--json").document["events"]
    return [event["facts"] for event in events if event["event"] == "administered"]


def test_every_change_is_in_the_trail(run: CommandLine) -> None:
    done: list[tuple[str, str, str]] = []
    secrets = [PASSWORD]

    def change(verb: str, target: str, *command: str, stdin: str = "") -> Any:
        outcome = run(*command, "--json", stdin=stdin)
        assert outcome.status == 0, outcome.err
        done.append((verb, target, "done"))
        return outcome.document

    change("create user", "ada@example.com", "user", "create", "--email", "ada@example.com", "--password-file", "-",
           stdin=PASSWORD)  # fmt: skip
    change("disable user", "ada@example.com", "user", "disable", "ada@example.com")
    change("enable user", "ada@example.com", "user", "enable", "ada@example.com")
    change("set password of user", "ada@example.com", "user", "set-password", "ada@example.com", "--password-file", "-",
           stdin=f"{PASSWORD}!")  # fmt: skip
    change("create workspace", "acme", "workspace", "create", "acme", "--title", "Acme")
    change("update workspace", "acme", "workspace", "update", "acme", "--title", "Acme, Inc.")
    change("add member to workspace", "acme ada@example.com", "workspace", "member", "add", "acme", "ada@example.com")
    change("remove member from workspace", "acme ada@example.com", "workspace", "member", "remove", "acme",
           "ada@example.com")  # fmt: skip
    change("remove workspace", "acme", "workspace", "remove", "acme")
    bot = change("create client", "Bot", "client", "create", "--confidential", "--name", "Bot", "--scope", "query")
    client_id = bot["client_id"]
    secrets.append(bot["client_secret"])
    change("update client", client_id, "client", "update", client_id, "--name", "Robot")
    secrets.append(change("rotate secret of client", client_id, "client", "rotate-secret", client_id)["client_secret"])
    change("revoke grant", client_id, "grant", "revoke", "--client", client_id)
    change("delete client", client_id, "client", "delete", client_id)
    change("end session", "ada@example.com", "session", "revoke", "--user", "ada@example.com")
    token = change("create initial token", "for Bob", "initial-token", "create", "--label", "for Bob")
    secrets.append(token["initial_access_token"])
    change("revoke initial token", token["token_id"], "initial-token", "revoke", token["token_id"])
    rotated = change("rotate key", "the active one", "key", "rotate")
    change("revoke key", rotated["active_key_id"], "key", "revoke", rotated["active_key_id"])
    change("delete user", "ada@example.com", "user", "delete", "ada@example.com")

    found = operations(run)
    assert [(each["verb"], each["target"], each["outcome"]) for each in found] == done
    assert {each["administrator"] for each in found} == {account()}
    told = json.dumps(run("audit", "list", "--json").document)
    for secret in secrets:
        assert secret not in told
    assert run("audit", "verify").status == 0


def test_a_change_that_fails_is_in_the_trail_too(run: CommandLine) -> None:
    assert run("user", "disable", "nobody@example.com").status == 1
    assert run("grant", "revoke", "unknown").status == 1
    assert [(each["verb"], each["target"], each["outcome"]) for each in operations(run)] == [
        ("disable user", "nobody@example.com", "no_such_user"),
        ("revoke grant", "unknown", "no_such_grant"),
    ]


def test_who_only_looks_leaves_nothing(run: CommandLine) -> None:
    for command in (["user", "list"], ["client", "list"], ["grant", "list"], ["session", "list"], ["key", "list"]):
        assert run(*command).status == 0
    assert operations(run) == []


def test_without_a_trail_nothing_is_kept(run: CommandLine, monkeypatch: Any) -> None:
    monkeypatch.setenv("AUTH_AUDIT_DAYS", "0")
    assert run("workspace", "create", "acme", "--title", "Acme").status == 0
    assert operations(run) == []


def test_only_commands_about_passwords_hash_any(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes 64 MiB and more CPU than all else that a command does."""
    hashed: list[str] = []
    unwatched = Argon2.hash

    def watched(argon2: Argon2, password: str) -> str:
        hashed.append(password)
        return unwatched(argon2, password)

    monkeypatch.setattr(Argon2, "hash", watched)
    assert run("workspace", "create", "acme").status == 0
    assert run("client", "create", "--confidential", "--name", "Bot", "--scope", "query").status == 0
    assert hashed == []
    assert run("user", "create", "--email", "ada@example.com", "--password-file", "-", stdin=PASSWORD).status == 0
    assert hashed == [PASSWORD]
