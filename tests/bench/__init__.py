"""Benchmarks: figures, each beside a floor that was measured in the same run. They never pass or fail."""
