"""Measurements of speed and quality: ``python -m benchmarks`` lists them, with a name runs them."""

BENCHMARKS = {
    "nmf": "benchmarks.nmf",
    "mnist_pairs": "benchmarks.mnist_pairs",
    "sparsity": "benchmarks.sparsity",
    "adversarial": "benchmarks.adversarial",
    "mnist": "benchmarks.mnist",
    "metrics": "benchmarks.metrics",
    "speech": "benchmarks.speech",
    "iva": "benchmarks.iva",
    "embedding": "benchmarks.embedding",
    "learned": "benchmarks.learned",
}
"""Module of each benchmark. It has a docstring that opens with the question it answers, and
``run(output, quick)``, which writes a table and a figure into the folder `output`."""
