"""`auth-server workspace`, run in this process on a store of its own."""

import pytest

from tests.auth_server.cli.command_line import CommandLine, assert_failed

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery staple"


@pytest.fixture
def acme(run: CommandLine) -> CommandLine:
    """A command line on a store with a workspace and a person."""
    assert run("workspace", "create", "acme", "--title", "Acme, Inc.", "--json").document["title"] == "Acme, Inc."
    create = ("user", "create", "--email", "ada@example.com", "--password-file", "-")
    assert run(*create, stdin=PASSWORD).status == 0
    return run


def test_the_default_workspace_is_there_from_the_start(run: CommandLine) -> None:
    assert run("workspace", "list", "--json").document == {
        "workspaces": [{"workspace": "default", "title": "Default", "created_at": None}]
    }
    assert_failed(run("workspace", "remove", "default"), "cannot be removed")
    assert_failed(run("workspace", "create", "default"), "exists")


def test_a_workspace_gets_another_title(acme: CommandLine) -> None:
    before = acme("workspace", "list", "--json").document["workspaces"][1]
    changed = acme("workspace", "update", "acme", "--title", "Acme Ltd.", "--json").document
    assert changed == before | {"title": "Acme Ltd."}
    assert acme("workspace", "update", "acme", "--title", "ACME").out == "acme is called ACME now.\n"
    assert acme("workspace", "list", "--json").document["workspaces"][1]["title"] == "ACME"
    assert_failed(acme("workspace", "update", "missing", "--title", "X"), "no such workspace")
    assert_failed(acme("workspace", "update", "default", "--title", "X"), "keeps its title")
    assert_failed(acme("workspace", "update", "acme", "--title", " "), "empty")
    assert acme("workspace", "update", "acme").status == 2


def test_people_join_and_leave(acme: CommandLine) -> None:
    added = acme("workspace", "member", "add", "acme", "ada@example.com", "--role", "admin", "--json").document
    assert (added["workspace"], added["email"], added["role"]) == ("acme", "ada@example.com", "admin")
    members = acme("workspace", "member", "list", "acme", "--json").document["members"]
    assert members == [{"user_id": added["user_id"], "email": "ada@example.com", "role": "admin"}]
    shown = acme("user", "show", "ada@example.com", "--json").document
    assert shown["workspaces"] == ["acme:admin", "default:member"]
    assert_failed(acme("workspace", "remove", "acme"), "has members or clients")
    assert "no longer belongs" in acme("workspace", "member", "remove", "acme", "ada@example.com").out
    assert_failed(acme("workspace", "member", "remove", "acme", "ada@example.com"), "does not belong")
    assert acme("workspace", "remove", "acme").out == "Removed acme.\n"
    assert_failed(acme("workspace", "remove", "acme"), "no such workspace")


def test_people_and_clients_are_made_in_a_workspace(acme: CommandLine) -> None:
    create = ("user", "create", "--email", "bob@example.com", "--password-file", "-", "--role", "owner")
    assert_failed(acme(*create, "--workspace", "missing", stdin=PASSWORD), "no such workspace")
    assert acme(*create, "--workspace", "acme", stdin=PASSWORD).status == 0
    assert acme("user", "show", "bob@example.com", "--json").document["workspaces"] == ["acme:owner"]
    client = ("client", "create", "--confidential", "--name", "Bot", "--scope", "query", "--json", "--workspace")
    failed = acme(*client, "missing")
    assert (failed.status, '"no_such_workspace"' in failed.err) == (1, True)
    made = acme(*client, "acme").document
    assert acme("client", "get", made["client_id"], "--json").document["workspace"] == "acme"


def test_what_cannot_be_is_refused(acme: CommandLine) -> None:
    assert_failed(acme("workspace", "create", "Acme!"), "a-z")
    assert_failed(acme("workspace", "member", "list", "missing"), "no such workspace")
    assert_failed(acme("workspace", "member", "add", "acme", "nobody@example.com"), "no such user")
    assert acme("workspace", "member", "add", "acme", "ada@example.com", "--role", "king").status == 2
