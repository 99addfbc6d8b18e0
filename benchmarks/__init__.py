"""Benchmarks of ftrans beside its peers: `python -m benchmarks`, and `python -m benchmarks.adbench`."""
