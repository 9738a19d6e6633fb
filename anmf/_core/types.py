"""Names for type hints."""

import os
from typing import Any

import numpy as np
from scipy import sparse

Array = Any
"""An array of any library of the array-API standard."""

SparseMatrix = sparse.spmatrix | sparse.sparray
"""A sparse matrix of SciPy."""

PathLike = str | os.PathLike[str]
"""The path of a file or folder."""

RandomState = int | np.random.Generator | np.random.RandomState | None
"""A seed, a generator whose draws go on, or None for fresh entropy."""
