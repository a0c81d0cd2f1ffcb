"""`auth-server initial-token`, run in this process on a store of its own."""

import pytest

from tests.auth_server.cli.command_line import CommandLine, assert_failed

pytestmark = pytest.mark.slow


def test_a_token_is_made_listed_and_revoked(run: CommandLine) -> None:
    made = run("initial-token", "create", "--uses", "3", "--days", "2", "--label", "for Ada", "--json").document
    assert made["initial_access_token"].startswith(f"iat_{made['token_id']}.")
    listed = run("initial-token", "list", "--json")
    assert made["initial_access_token"].rpartition(".")[2] not in listed.out
    (token,) = listed.document["initial_tokens"]
    assert token == {name: value for name, value in made.items() if name != "initial_access_token"}
    assert (token["label"], token["good"], token["uses"], token["max_uses"]) == ("for Ada", True, 0, 3)
    assert run("initial-token", "list").out.split()[:4] == [made["token_id"], "yes", "0", "3"]
    assert run("initial-token", "revoke", made["token_id"]).out == f"Revoked {made['token_id']}.\n"
    assert_failed(run("initial-token", "revoke", made["token_id"]), "no such initial access token")
    assert run("initial-token", "list").out == ""


def test_a_token_is_good_for_one_registration_if_nothing_else_is_said(run: CommandLine) -> None:
    made = run("initial-token", "create")
    assert "initial_access_token  iat_" in made.out
    assert "shown only once" in made.out
    (token,) = run("initial-token", "list", "--json").document["initial_tokens"]
    assert token["max_uses"] == 1


def test_what_cannot_be_is_refused(run: CommandLine) -> None:
    for uses in ("0", "-1", "10001"):
        assert_failed(run("initial-token", "create", "--uses", uses), "1 to 10000")
    for days in ("0", "-1", "367", "nan"):
        assert_failed(run("initial-token", "create", "--days", days), "366 days")
