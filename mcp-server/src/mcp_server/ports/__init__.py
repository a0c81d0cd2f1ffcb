"""What the engine needs from outside, in small Protocols; `app` decides what stands behind each."""
