"""The Lua scripts, as texts."""

import re

import pytest

from auth_server.adapters.redis_store.scripts import scripts


@pytest.mark.parametrize("verb", scripts())
def test_scripts_ask_no_clock(verb: str) -> None:
    """Times come as arguments, so that the processes' clock decides everywhere."""
    assert not re.search(r"'TIME'|os\.", scripts()[verb].text, re.IGNORECASE)


@pytest.mark.parametrize("verb", [verb for verb in scripts() if verb != "open"])
def test_scripts_run_on_the_store_that_was_opened_only(verb: str) -> None:
    assert "redis.call('HGET', KEYS[1], 'id') ~= ARGV[1]" in scripts()[verb].text
