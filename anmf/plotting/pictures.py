"""Pictures of components, separations and objectives.

Matplotlib is imported when a picture is drawn.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import to_host
from anmf._core.checks import check_count
from anmf._core.optional import require
from anmf.metrics import psnr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "#e4e8ee"  # colour between tiles
INK = "gray_r"  # strong values are dark


def plot_components(
    components: ArrayLike,
    image_shape: tuple[int, int] | None = None,
    n_columns: int | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Components as tiles, or as a heat map when they aren't images.

    Parameters
    ----------
    components : array-like of shape (k, m)
        One component a row. Every tile is scaled to its own largest value.
    image_shape : tuple (height, width) or None, default None
        Shape of one component as an image, height × width = m. Without it, one picture shows the
        components side by side as columns, feature 0 at the bottom (as spectra are shown).
    n_columns : int or None, default None
        Tiles a row; None for near the square root of k.
    ax : matplotlib.axes.Axes or None, default None
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When `components` isn't (k, m) or m doesn't fit `image_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.plotting import plot_components
    >>> ax = plot_components(np.eye(4), image_shape=(2, 2))  # doctest: +SKIP
    """
    W = _check_array("components", components, "(n_components, n_features)", 2)
    check_count("n_columns", n_columns, optional=True)
    if image_shape is not None:
        image_shape = _check_image_shape(image_shape, W.shape[1])
    peak = np.abs(W).max(axis=1, keepdims=True)
    W = W / np.where(peak > 0, peak, 1)
    if ax is None:
        size = _mosaic_size(len(W), image_shape, n_columns) if image_shape else (6.4, 4.8)
        ax = require("matplotlib.pyplot", "plot").subplots(figsize=size, layout="constrained")[1]
    if image_shape is None:
        ax.imshow(W.T, aspect="auto", origin="lower", cmap=INK, interpolation="nearest")
        ax.set(xlabel="component", ylabel="feature")
    else:
        _draw_mosaic(ax, W.reshape(-1, *image_shape), n_columns)
    return ax


def plot_separation(
    mixtures: ArrayLike,
    true_parts: ArrayLike,
    estimated_parts: ArrayLike,
    image_shape: tuple[int, int],
    n_examples: int = 6,
    labels: Sequence[Any] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Mixtures next to their true and their estimated parts, with the PSNR of every estimate.

    Parameters
    ----------
    mixtures : array-like of shape (n, m)
        Images that were separated, one a row.
    true_parts, estimated_parts : array-like of shape (n, n_sources, m)
        What the mixtures were made of, and what was found in them.
    image_shape : tuple (height, width)
        Shape of one row as an image, height × width = m.
    n_examples : int, default 6
        Mixtures to show, the first ones.
    labels : sequence of str or None, default None
        Name of each source; None for "part 1", "part 2", ...
    fig : matplotlib.figure.Figure or None, default None
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        What was drawn on.

    Raises
    ------
    ValueError
        For arrays whose shapes don't belong together.

    Examples
    --------
    >>> from anmf import NMF_separation
    >>> from anmf.datasets import load_digit_mixtures
    >>> from anmf.plotting import plot_separation
    >>> data = load_digit_mixtures()
    >>> model = NMF_separation(16, random_state=0).fit(data.X_train, data.y_train)
    >>> parts = model.separate(data.X_test)
    >>> fig = plot_separation(
    ...     data.X_test, data.parts_test, parts, data.image_shape
    ... )  # doctest: +SKIP
    """
    X = _check_array("mixtures", mixtures, "(n, n_features)", 2)
    true = _check_array("true_parts", true_parts, "(n, n_sources, n_features)", 3)
    estimated = _check_array("estimated_parts", estimated_parts, "(n, n_sources, n_features)", 3)
    image_shape = _check_image_shape(image_shape, X.shape[1])
    for name, parts in (("true_parts", true), ("estimated_parts", estimated)):
        expected = (X.shape[0], true.shape[1], X.shape[1])
        if parts.shape != expected:
            raise ValueError(
                f"{name} has shape {parts.shape}; mixtures of shape {X.shape} need true and "
                f"estimated parts of shape {expected}"
            )
    check_count("n_examples", n_examples)
    labels = _check_labels(labels, [f"part {s + 1}" for s in range(true.shape[1])])
    X, true, estimated = X[:n_examples], true[:n_examples], estimated[:n_examples]
    if fig is None:
        tall = 0.5 + len(X) * (0.25 + 1.15 * image_shape[0] / image_shape[1])
        size = (2.35 + 2.3 * len(labels), tall)
        fig = require("matplotlib.pyplot", "plot").figure(figsize=size, layout="constrained")
    images = np.concatenate([X[:, None], true, estimated], axis=1)
    axes = _draw_separation(fig, images.reshape(*images.shape[:2], *image_shape), labels)
    _write_psnr(axes[:, -len(labels) :], true, estimated)
    return fig


def plot_objective(
    objectives: Any, labels: Sequence[Any] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Objective after each iteration, of one fit or several.

    Parameters
    ----------
    objectives : estimator, array-like of shape (n_iter,), or sequence of these
        Fitted estimators (their ``objective_`` is taken) or histories themselves.
    labels : sequence of str or None, default None
        Name of each curve; None for no legend.
    ax : matplotlib.axes.Axes or None, default None
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With a logarithmic scale when all values are positive.

    Raises
    ------
    ValueError
        For estimators that aren't fitted, histories that aren't one-dimensional, or none at all.

    Examples
    --------
    >>> from anmf.plotting import plot_objective
    >>> ax = plot_objective([[8.0, 4.0, 2.0], [8.0, 3.0]], ["slow", "fast"])  # doctest: +SKIP
    """
    histories = _read_histories(objectives)
    names = [None] * len(histories) if labels is None else _check_labels(labels, histories)
    if ax is None:
        ax = require("matplotlib.pyplot", "plot").subplots(layout="constrained")[1]
    for values, name in zip(histories, names, strict=True):
        marker = "o" if len(values) == 1 else None
        ax.plot(np.arange(1, len(values) + 1), values, label=name, marker=marker)
    low, high = (pick(np.concatenate(histories)) for pick in (np.min, np.max))
    if low > 0:
        ax.set_yscale("log")
    if low > 0 and high < 10 * low:  # within one power of ten: 0.6 reads better than 6 × 10⁻¹
        ticker = require("matplotlib.ticker", "plot")
        ax.yaxis.set(major_locator=ticker.MaxNLocator(7), minor_locator=ticker.NullLocator())
        ax.yaxis.set_major_formatter(ticker.ScalarFormatter())
    ax.set(xlabel="iteration", ylabel="objective")
    locator: Any = ax.xaxis.get_major_locator()  # a MaxNLocator
    locator.set_params(integer=True, min_n_ticks=1)
    ax.grid(alpha=0.3)
    if labels is not None:
        ax.legend()
    return ax


def blank_figure(figsize: tuple[float, float]) -> "Figure":
    """A figure without a window, to be saved to a file.

    Parameters
    ----------
    figsize : tuple (width, height)
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        Empty.
    """
    return require("matplotlib.figure", "plot").Figure(figsize=figsize, layout="constrained")


def _draw_mosaic(ax, tiles, n_columns):
    """All tiles in one image, a narrow gap between them."""
    k, height, width = tiles.shape
    n_columns = _columns(k, n_columns)
    n_rows = -(-k // n_columns)
    gap = max(1, round(0.06 * min(height, width)))
    canvas = np.full((n_rows * (height + gap) + gap, n_columns * (width + gap) + gap), np.nan)
    for i, tile in enumerate(tiles):
        top = gap + (i // n_columns) * (height + gap)
        left = gap + (i % n_columns) * (width + gap)
        canvas[top : top + height, left : left + width] = tile
    ax.imshow(canvas, cmap=INK, vmin=min(0.0, tiles.min()), vmax=1, interpolation="nearest")
    ax.set_facecolor(PAPER)
    _bare(ax)


def _mosaic_size(k, image_shape, n_columns):
    """Figure size in inches that gives the mosaic its own proportions."""
    n_columns = _columns(k, n_columns)
    height, width = -(-k // n_columns) * image_shape[0], n_columns * image_shape[1]
    scale = 5.5 / max(height, width)
    return max(width * scale, 1.5), max(height * scale, 1.5) + 0.3


def _columns(k, n_columns):
    return min(k, n_columns or int(np.ceil(np.sqrt(k))))


def _draw_separation(fig, images, labels):
    """Images (n, 1 + 2 n_sources, height, width) in three groups of columns; returns the axes."""
    k = len(labels)
    titles = ["mixture", *(f"true\n{name}" for name in labels)]
    titles += [f"separated\n{name}" for name in labels]
    places = [0, *range(2, 2 + k), *range(3 + k, 3 + 2 * k)]
    grid = fig.add_gridspec(len(images), 3 + 2 * k, width_ratios=[1, 0.1, *[1] * k, 0.1, *[1] * k])
    axes = np.array([[fig.add_subplot(grid[i, j]) for j in places] for i in range(len(images))])
    low, high = min(0.0, float(images.min())), float(images.max())
    for ax, image in zip(axes.flat, images.reshape(-1, *images.shape[2:]), strict=True):
        ax.imshow(image, cmap=INK, vmin=low, vmax=high or 1.0, interpolation="nearest")
        _bare(ax)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=11)
    return axes


def _write_psnr(axes, true, estimated):
    """PSNR under every estimated part; nothing where the true part is zero."""
    for i, s in zip(*np.nonzero(np.any(true != 0, axis=2)), strict=True):
        value = float(psnr(true[i, s], estimated[i, s]))
        axes[i, s].set_xlabel(f"{value:.1f} dB", fontsize=9, labelpad=3)


def _bare(ax):
    """No ticks, and a frame that doesn't shout."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_color("#9aa4b2")
        spine.set_linewidth(0.6)


def _read_histories(objectives):
    """Histories as float arrays, from whatever `plot_objective` takes."""
    alone = hasattr(objectives, "fit") or not np.iterable(objectives)
    if alone or all(map(np.isscalar, objectives)):
        objectives = [objectives]
    histories = []
    for i, item in enumerate(objectives):
        if hasattr(item, "fit") and not hasattr(item, "objective_"):
            raise ValueError(
                f"{type(item).__name__} has no objective_; call fit before plot_objective"
            )
        values = to_host(getattr(item, "objective_", item)).astype(np.float64)
        if values.ndim != 1 or not len(values):
            raise ValueError(
                f"objectives[{i}] has shape {values.shape}; expected a history (n_iter,) of at "
                "least one value"
            )
        histories.append(values)
    return histories


def _check_array(name, values, form, ndim):
    values = to_host(values)
    if values.ndim != ndim or 0 in values.shape:
        raise ValueError(f"{name} has shape {values.shape}; expected {form}, none of them 0")
    if values.dtype.kind not in "biuf" or not np.all(np.isfinite(values)):
        raise ValueError(f"{name} must hold finite real numbers to be drawn")
    return values.astype(np.float64)


def _check_image_shape(image_shape, n_features):
    shape = tuple(image_shape) if np.iterable(image_shape) else (image_shape,)
    whole = all(isinstance(side, Integral) and side > 0 for side in shape)
    if not whole or len(shape) != 2 or shape[0] * shape[1] != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} must be (height, width) with height × width equal to the "
            f"{n_features} features of a row"
        )
    return shape


def _check_labels(labels, wanted):
    """Names as strings, one for each thing `wanted`; `wanted` itself for None."""
    names = wanted if labels is None else [str(name) for name in labels]
    if len(names) != len(wanted):
        raise ValueError(f"labels={labels!r} must hold {len(wanted)} names, one for each")
    return names
