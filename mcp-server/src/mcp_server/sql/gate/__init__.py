"""Text in, one harmless read-only statement out."""
