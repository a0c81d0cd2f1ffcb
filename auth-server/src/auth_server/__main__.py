"""`auth-server` and `python -m auth_server`."""

from auth_server.cli.main import main

if __name__ == "__main__":
    main()
