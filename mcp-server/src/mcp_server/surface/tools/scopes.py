"""What a client is told of tools that it does not see."""

HOW_TO_GET_A_SCOPE = (
    "A tool that is not listed needs a scope that was not granted. Calling it all the same makes clients that can ask "
    "for more scopes do so; with others the person must sign in again and grant it."
)
