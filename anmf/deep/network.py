"""Networks as lists of named layers, with dictionaries of arrays as weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from anmf._core.arrays import random_generator
from anmf._core.types import Array, RandomState
from anmf.deep.kinds import LAYERS, STARTS, Kind


class Layer(NamedTuple):
    """A layer of a `Network`; make it with `layer`.

    Attributes
    ----------
    name : str
    kind : str
        A name in `LAYERS`.
    options : dict
    """

    name: str
    kind: str
    options: dict

    @property
    def weights(self) -> dict[str, tuple]:
        """Shape and start of each weight, by short name."""
        return LAYERS[self.kind].weights(**self.options)


def layer(name: str, kind: str, **options: Any) -> Layer:
    """A named layer.

    Parameters
    ----------
    name : str
        First part of the names of its weights; no dots.
    kind : str
        A name in `LAYERS`, which lists kinds and options.
    **options
        Of that kind, such as *n_in* and *n_out*.

    Returns
    -------
    Layer
        To put into a `Network`.

    Raises
    ------
    ValueError
        For an unknown kind, or a name with a dot.
    TypeError
        For options that the kind doesn't have.

    Examples
    --------
    >>> from anmf.deep import layer
    >>> layer("in", "dense", n_in=3, n_out=2).weights
    {'W': ((3, 2), 'fan-in'), 'b': ((2,), 'zeros')}
    """
    if kind not in LAYERS:
        raise ValueError(f"kind={kind!r} of layer {name!r} must be one of {sorted(LAYERS)}")
    if not name or "." in name:
        raise ValueError(f"name={name!r} of a layer must be a word without dots")
    made = Layer(name, kind, options)
    for short, (_, start) in made.weights.items():
        if start not in STARTS:
            raise ValueError(f"start={start!r} of {name}.{short} must be one of {sorted(STARTS)}")
    return made


@dataclass(frozen=True)
class Network:
    """Layers one after another, as pure functions of their weights.

    Parameters
    ----------
    layers : sequence of Layer
        With different names.

    Notes
    -----
    Weights are a dictionary of arrays with keys *layer.weight*, and *layer.inner.weight* inside
    layers that hold networks. A network takes the keys that it knows and leaves others alone, so
    that several networks can share a dictionary. Arrays keep their type, library and device.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.deep import Network, layer
    >>> network = Network([
    ...     layer("in", "dense", n_in=3, n_out=8),
    ...     layer("gate", "glu"),
    ...     layer("out", "dense", n_in=4, n_out=2, start="zeros"),
    ... ])
    >>> weights = network.start(random_state=0)
    >>> sorted(weights)
    ['in.W', 'in.b', 'out.W', 'out.b']
    >>> y, tape = network.forward(weights, np.ones((5, 3), dtype=np.float32), xp=np)
    >>> gradients, gx = network.backward(weights, tape, np.ones_like(y), xp=np)
    >>> gradients["out.b"], gx.shape
    (array([5., 5.], dtype=float32), (5, 3))
    """

    layers: Sequence[Layer]

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))
        names = [part.name for part in self.layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"layers must have different names; more than one is called {twice}")

    @property
    def specification(self) -> dict[str, tuple]:
        """Shape and start of every weight: ``{name: (shape, start)}``."""
        return {
            f"{part.name}.{short}": what
            for part in self.layers
            for short, what in part.weights.items()
        }

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight."""
        return {name: shape for name, (shape, _) in self.specification.items()}

    def start(
        self, random_state: RandomState = None, dtype: DTypeLike = np.float32
    ) -> dict[str, np.ndarray]:
        """Weights to start training from, NumPy arrays.

        Parameters
        ----------
        random_state : int, Generator, RandomState or None, default None
            Seed of the weights that start at random.
        dtype : dtype, default float32
            Of all weights.

        Returns
        -------
        dict of ndarray
            By the names in `specification`.
        """
        rng = random_generator(random_state)
        return {
            name: np.asarray(STARTS[start](shape, rng), dtype=dtype)
            for name, (shape, start) in self.specification.items()
        }

    def forward(self, weights: dict[str, Array], x: Array, *, xp: ModuleType) -> tuple[Any, list]:
        """Output of the network, and what its reverse pass needs.

        Parameters
        ----------
        weights : dict of array
            With the keys of `specification`; others are left alone.
        x : array of shape (..., n_in)
            Most layers work on the last axis.
        xp : module
            Array-API namespace of the arrays.

        Returns
        -------
        y : array of shape (..., n_out), or dict of them
            The latter when the last layer is *heads*.
        tape : list
            To hand to `backward`.
        """
        tape = []
        for part in self.layers:
            inner = _take(weights, part)
            x, kept = LAYERS[part.kind].forward(inner, x, part.options, xp)
            tape.append(kept)
        return x, tape

    def backward(
        self, weights: dict[str, Array], tape: list, gy: Array | dict[str, Array], *, xp: ModuleType
    ) -> tuple[dict[str, Array], Array]:
        """Gradients of a loss with respect to weights and input.

        Parameters
        ----------
        weights : dict of array
            Those that `forward` had.
        tape : list
            Of `forward` with the same weights; it is left as it is.
        gy : array of shape (..., n_out) or dict of array
            Gradient with respect to the output. Heads that are absent count as zero.
        xp : module
            Array-API namespace of the arrays.

        Returns
        -------
        gradients : dict of array
            With the keys of this network's weights.
        gx : array of shape (..., n_in)
            Gradient with respect to the input.
        """
        gradients: dict[str, Array] = {}
        for part, kept in zip(reversed(self.layers), reversed(tape), strict=True):
            inner = _take(weights, part)
            found, gy = LAYERS[part.kind].backward(inner, kept, gy, part.options, xp)
            gradients.update((f"{part.name}.{short}", g) for short, g in found.items())
        return {name: gradients[name] for name in self.specification}, gy

    def check(self, weights: dict[str, Array]) -> None:
        """Refuse weights that aren't this network's.

        Parameters
        ----------
        weights : dict of array
            By name; those of other networks may be among them.

        Raises
        ------
        ValueError
            For missing weights and wrong shapes.
        """
        check_shapes(weights, self.shapes)


def check_shapes(weights, shapes):
    """Raise a ValueError unless `weights` has arrays of all `shapes`, a dictionary."""
    missing = sorted(set(shapes) - set(weights))
    if missing:
        raise ValueError(
            f"weights lack {_some(missing)}; expected {len(shapes)} arrays, those of this network"
        )
    wrong = [
        f"{name} {tuple(weights[name].shape)} in place of {tuple(shape)}"
        for name, shape in shapes.items()
        if tuple(weights[name].shape) != tuple(shape)
    ]
    if wrong:
        raise ValueError(f"weights have wrong shapes: {_some(wrong)}; use those of this network")


def _some(names, most=5):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _take(weights, part):
    """The weights of one layer, by their short names."""
    return {short: weights[f"{part.name}.{short}"] for short in part.weights}


def _residual(w, x, options, xp):
    y, tape = options["network"].forward(w, x, xp=xp)
    return x + y, tape


def _residual_back(w, tape, gy, options, xp):
    gradients, gx = options["network"].backward(w, tape, gy, xp=xp)
    return gradients, gx + gy


def _heads_weights(networks):
    return {
        f"{name}.{inner}": what
        for name, network in networks.items()
        for inner, what in network.specification.items()
    }


def _heads(w, x, options, xp):
    y, tape = {}, {}
    for name, network in options["networks"].items():
        y[name], tape[name] = network.forward(_head(w, name), x, xp=xp)
    return y, (x, tape)


def _heads_back(w, kept, gy, options, xp):
    x, tape = kept
    gradients, gx = {}, None
    for name, network in options["networks"].items():
        inner = _head(w, name)
        if name in gy:
            found, back = network.backward(inner, tape[name], gy[name], xp=xp)
            gx = back if gx is None else gx + back
        else:
            found = {short: xp.zeros_like(value) for short, value in inner.items()}
        gradients.update((f"{name}.{short}", g) for short, g in found.items())
    return gradients, xp.zeros_like(x) if gx is None else gx


def _head(w, name):
    return {
        short.removeprefix(f"{name}."): value
        for short, value in w.items()
        if short.startswith(f"{name}.")
    }


LAYERS["residual"] = Kind(lambda network: network.specification, _residual, _residual_back)
LAYERS["heads"] = Kind(_heads_weights, _heads, _heads_back)
