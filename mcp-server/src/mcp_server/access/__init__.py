"""Who asks, what the query touches, and whether that is allowed. Pure."""
