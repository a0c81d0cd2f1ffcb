"""`mcp-server` and `python -m mcp_server`."""

import gc

# What is loaded stays. To search it for garbage, meanwhile and at the end, is a third of what a short command takes.
gc.disable()
from mcp_server.cli import main  # noqa: E402 (it is what is loaded)

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
