"""Benchmarks of ftrans beside JAX, MLX and NumPy: `python -m benchmarks`, and `python -m benchmarks.adbench`."""
