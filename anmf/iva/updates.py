"""The updates by name."""

from anmf.iva.ip import ip
from anmf.iva.ip2 import ip2
from anmf.iva.iss import iss
from anmf.iva.iss2 import iss2

UPDATES = {"ip": ip, "ip2": ip2, "iss": iss, "iss2": iss2}
"""Functions of weighted covariances (n_frequencies, n_weights, n, n) and ``xp``, which return the
matrices B (n_frequencies, n, n) that estimates are multiplied by, and log|det B|. One that is added
here runs on all arrays; these four have compiled twins for NumPy."""
