"""HTTP: parse, run one flow, render."""
