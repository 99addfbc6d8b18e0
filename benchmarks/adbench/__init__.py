"""ADBench: derivatives of four problems of computer vision and machine learning, in float64.

After F. Šrajer, Z. Kukelova, A. Fitzgibbon, "A Benchmark of Selected Algorithmic Differentiation Tools
on Some Problems in Computer Vision and Machine Learning", 2018. The inputs in `data/` are ADBench's (MIT).

Each problem's module has `build(peer, inputs) -> (objective, derivative)`: two functions without arguments.
Every library runs the same text; only the array namespace and the transformations come from the `Peer`.
"""
