"""Each fact in examples, with its message and next action."""

from tests.mcp_server.surface.wording.words_of_names import NAMES
from tests.mcp_server.surface.wording.words_of_runs import RUNS
from tests.mcp_server.surface.wording.words_of_statements import FUNCTIONS, GIVEN, SYNTAX, TEXTS
from tests.mcp_server.surface.wording.words_of_values import VALUES

WORDS = [*TEXTS, *SYNTAX, *FUNCTIONS, *GIVEN, *NAMES, *RUNS, *VALUES]
