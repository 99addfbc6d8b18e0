"""Behaviours of single primitives that generated checks would not find."""
