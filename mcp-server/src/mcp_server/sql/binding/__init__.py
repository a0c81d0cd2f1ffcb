"""From a parsed statement to relations: every name resolved against the catalogue."""
