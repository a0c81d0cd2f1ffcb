"""The tools, resources and prompts of fixed names that the conformance suite calls, as an offer of our own surface."""
