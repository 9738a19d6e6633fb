"""Pictures and players: what is drawn or heard where, and what is refused."""

import base64
import io
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from anmf import NMF, NMF_separation
from anmf.plotting import listen, plot_components, plot_objective, plot_separation
from anmf.plotting.pictures import blank_figure

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("Agg")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def separation(n=4, n_sources=2):
    true = RNG.random((n, n_sources, 6))
    return true.sum(axis=1), true, true + 0.1


def image_axes(fig):
    return np.reshape([ax for ax in fig.axes if ax.images], (-1, 5))


def test_components_as_tiles():
    W = RNG.random((5, 6))
    ax = plot_components(W, image_shape=(2, 3), n_columns=2)
    canvas = ax.images[0].get_array()
    assert canvas.shape == (1 + 3 * (2 + 1), 1 + 2 * (3 + 1))
    np.testing.assert_allclose(canvas[1:3, 1:4], W[0].reshape(2, 3) / W[0].max())
    np.testing.assert_allclose(canvas[7:9, 1:4], W[4].reshape(2, 3) / W[4].max())
    assert np.all(canvas.mask[7:9, 5:8])  # the sixth place stays empty
    assert not len(ax.get_xticks())


def test_components_make_a_square_of_tiles():
    ax = plot_components(RNG.random((9, 4)), image_shape=(2, 2))
    assert ax.images[0].get_array().shape == (10, 10)
    ax = plot_components(RNG.random((2, 4)), image_shape=(2, 2), n_columns=8)
    assert ax.images[0].get_array().shape == (4, 7)


def test_components_as_heat_map():
    W = RNG.random((5, 6))
    ax = plot_components(W)
    shown = ax.images[0]
    np.testing.assert_allclose(shown.get_array(), (W / W.max(axis=1, keepdims=True)).T)
    assert shown.origin == "lower"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component", "feature")


def test_zero_components_are_drawn_white():
    ax = plot_components(np.zeros((2, 4)), image_shape=(2, 2))
    assert ax.images[0].get_array().max() == 0


def test_given_axes_are_used():
    fig, (left, right) = plt.subplots(1, 2)
    assert plot_components(np.eye(4), (2, 2), ax=left) is left
    assert plot_objective([2.0, 1.0], ax=right) is right
    assert plt.get_fignums() == [fig.number]


@pytest.mark.parametrize(
    ("components", "options", "message"),
    [
        (np.ones(4), {}, r"components has shape \(4,\); expected \(n_components, n_features\)"),
        (np.ones((0, 4)), {}, r"components has shape \(0, 4\)"),
        (np.full((2, 4), np.nan), {}, "components must hold finite real numbers"),
        (np.ones((2, 4), complex), {}, "components must hold finite real numbers"),
        (np.ones((2, 4)), {"image_shape": (2, 3)}, r"image_shape=\(2, 3\) must be .*4 features"),
        (np.ones((2, 4)), {"image_shape": 4}, r"image_shape=4 must be \(height, width\)"),
        (np.ones((2, 4)), {"image_shape": (-2, -2)}, r"must be \(height, width\)"),
        (np.ones((2, 4)), {"image_shape": (2.0, 2.0)}, r"must be \(height, width\)"),
        (np.ones((2, 4)), {"n_columns": 0}, "n_columns=0 must be an integer of at least 1"),
    ],
)
def test_components_refused(components, options, message):
    with pytest.raises(ValueError, match=message):
        plot_components(components, **options)
    assert not plt.get_fignums()


def test_separation_shows_mixture_truth_and_estimate():
    X, true, estimated = separation()
    axes = image_axes(plot_separation(X, true, estimated, (2, 3), n_examples=3, labels=[3, 8]))
    assert axes.shape == (3, 5)
    titles = [ax.get_title().replace("\n", " ") for ax in axes[0]]
    assert titles == ["mixture", "true 3", "true 8", "separated 3", "separated 8"]
    for i in range(3):
        shown = [ax.images[0].get_array().ravel() for ax in axes[i]]
        np.testing.assert_allclose(shown, [X[i], *true[i], *estimated[i]])
    limits = {ax.images[0].get_clim() for ax in axes.flat}
    assert limits == {(0.0, max(X[:3].max(), estimated[:3].max()))}
    assert not any(len(ax.get_xticks()) + len(ax.get_yticks()) for ax in axes.flat)


def test_separation_writes_psnr_under_estimates():
    true = np.ones((1, 2, 6))
    estimated = true + np.asarray([0.1, -0.01])[None, :, None]
    axes = image_axes(plot_separation(true.sum(axis=1), true, estimated, (2, 3)))
    assert [ax.get_xlabel() for ax in axes[0]] == ["", "", "", "20.0 dB", "40.0 dB"]
    assert axes[0, 1].get_title() == "true\npart 1"


def test_separation_of_a_silent_part_has_no_psnr():
    true = np.ones((1, 2, 6)) * np.asarray([1.0, 0.0])[None, :, None]
    axes = image_axes(plot_separation(true.sum(axis=1), true, true + 0.1, (2, 3)))
    assert [ax.get_xlabel() for ax in axes[0, 3:]] == ["20.0 dB", ""]


def test_separation_draws_into_a_figure_without_window(tmp_path):
    X, true, estimated = separation()
    fig = blank_figure((6, 6))
    assert plot_separation(X, true, estimated, (2, 3), fig=fig) is fig
    fig.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_separation_refused():
    X, true, estimated = separation()
    wrong = [
        ((X[0], true, estimated, (2, 3)), r"mixtures has shape \(6,\)"),
        ((X, true[:, 0], estimated, (2, 3)), r"true_parts has shape \(4, 6\)"),
        ((X[:3], true, estimated, (2, 3)), r"true_parts has shape \(4, 2, 6\); mixtures of"),
        ((X, true, estimated[:, :1], (2, 3)), r"estimated_parts has shape \(4, 1, 6\)"),
        ((X, true, estimated, (2, 4)), r"image_shape=\(2, 4\)"),
        ((X, true, estimated, (2, 3), 0), "n_examples=0 must be an integer"),
        ((X, true, estimated, (2, 3), 2, ["a"]), "must hold 2 names, one for each"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            plot_separation(*arguments)
    assert not plt.get_fignums()


def test_objective_of_one_history():
    ax = plot_objective([4.0, 2.0, 1.0])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [4, 2, 1])
    assert ax.get_yscale() == "log"
    assert ax.get_legend() is None
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration", "objective")


def test_objective_within_one_power_of_ten_has_plain_numbers():
    ax = plot_objective([0.72, 0.6, 0.55])
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert ax.get_yscale() == "log"
    assert len(labels) >= 4
    assert all(0.4 < float(label) < 0.9 for label in labels)
    assert not ax.yaxis.get_minorticklocs().size


def test_objective_of_several_histories():
    ax = plot_objective([np.asarray([4.0, 2.0]), [3.0, 1.0, 0.0]], labels=["a", "b"])
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_yscale() == "linear"  # 0 has no logarithm


def test_objective_of_estimators():
    X = RNG.random((12, 6))
    model = NMF(2, max_iter=5, tol=0, random_state=0).fit(X)
    separator = NMF_separation(2, max_iter=4, random_state=0).fit(X, [0, 1] * 6)
    np.testing.assert_array_equal(plot_objective(model).lines[0].get_ydata(), model.objective_)
    ax = plot_objective([model, separator, [1.0]])
    assert [len(line.get_xdata()) for line in ax.lines] == [5, 4, 1]


@pytest.mark.parametrize(
    ("objectives", "labels", "message"),
    [
        (NMF(2), None, "NMF has no objective_; call fit"),
        ([NMF_separation(2)], None, "NMF_separation has no objective_; call fit"),
        ([], None, r"has shape \(0,\)"),
        (5.0, None, r"objectives\[0\] has shape \(\)"),
        ([[1.0, 2.0], [[1.0]]], None, r"objectives\[1\] has shape \(1, 1\)"),
        ([1.0, 2.0], ["a", "b"], "must hold 1 names"),
    ],
)
def test_objective_refused(objectives, labels, message):
    with pytest.raises(ValueError, match=message):
        plot_objective(objectives, labels)
    assert not plt.get_fignums()


def test_without_matplotlib(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"matplotlib is needed .*pip install 'anmf\[plot\]'"):
        plot_components(np.eye(3))


class Page(HTMLParser):
    """Captions, and what the players below them play, in the order of a page."""

    def __init__(self, players):
        super().__init__()
        self.open, self.captions, self.labels, self.sounds = [], [], [], []
        self.feed(players._repr_html_())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "audio":
            attrs = dict(attrs)
            assert "controls" in attrs
            self.labels.append(attrs["aria-label"])
            kind, data = attrs["src"].split(",")
            assert kind == "data:audio/wav;base64"
            file = io.BytesIO(base64.b64decode(data, validate=True))
            assert soundfile.info(file).subtype == "PCM_16"
            file.seek(0)
            self.sounds.append(soundfile.read(file, dtype="int16"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "span" in self.open:
            self.captions.append(data)


def test_players_play_the_sounds_in_their_order():
    sounds = {"mixture": RNG.normal(size=400), "b": 2 * RNG.normal(size=300), "a": np.zeros(200)}
    players = listen(sounds, 11025)
    page = Page(players)
    assert page.captions == page.labels == list(players.captions) == list(sounds)
    assert not page.open
    peak = max(np.abs(x).max() for x in sounds.values())
    for x, (heard, rate) in zip(sounds.values(), page.sounds, strict=True):
        assert rate == 11025
        np.testing.assert_array_equal(heard, np.rint(32767 * x / peak))


@pytest.mark.parametrize("level", [1e-30, 0.1, 1.0, 1e30])
def test_players_keep_the_ratio_of_levels(level):
    tone = np.sin(0.1 * np.arange(1000))
    (loud, _), (soft, _) = Page(
        listen({"loud": -level * tone, "soft": level / 4 * tone}, 8000)
    ).sounds
    assert np.abs(loud.astype(int)).max() == 32767
    np.testing.assert_allclose(loud, -4.0 * soft, atol=2.5)


def test_players_of_silence_are_silent():
    ((heard, _),) = Page(listen({"nothing": np.zeros(8)}, 8000)).sounds
    assert len(heard) == 8 and not heard.any()


def test_players_take_arrays_of_other_kinds():
    x = RNG.normal(size=50)
    sounds = {"list": x.tolist(), "float32": x.astype(np.float32), "strided": np.repeat(x, 2)[::2]}
    heard = [samples for samples, _ in Page(listen(sounds, np.int64(8000))).sounds]
    for samples in heard:
        np.testing.assert_allclose(samples, heard[0], atol=1)
    before = x.copy()
    listen({"x": x}, 8000)
    np.testing.assert_array_equal(x, before)


def test_captions_are_escaped():
    caption = """<script>"a" & 'b'</script>"""
    players = listen({caption: np.ones(4), 2: np.ones(4)}, 8000)
    page = Page(players)
    assert "".join(page.captions) == caption + "2"
    assert page.labels == [caption, "2"]
    assert "<script" not in players._repr_html_()


def test_players_fit_narrow_screens():
    text = listen({"a": np.ones(4)}, 8000)._repr_html_()
    assert "flex-wrap: wrap" in text and "min-width: 0" in text
    assert not re.search(r"width: *\d+px", text)


def test_players_have_a_short_repr():
    assert repr(listen({"a": np.ones(4000)}, 8000)) == "Players(captions=('a',))"


@pytest.mark.parametrize(
    ("sounds", "rate", "message"),
    [
        ({}, 8000, "sounds is empty; expected a dictionary of waveforms"),
        ([np.ones(4)], 8000, "sounds is of type list; expected a dictionary"),
        ({"a": np.ones(4), "b": np.ones((4, 2))}, 8000, r"sounds\['b'\] has shape \(4, 2\)"),
        ({"a": np.array(1.0)}, 8000, r"sounds\['a'\] has shape \(\)"),
        ({"a": np.ones(0)}, 8000, r"sounds\['a'\] is empty"),
        ({"a": np.array([0.0, np.nan])}, 8000, r"sounds\['a'\] holds NaN .* first at index \[1\]"),
        ({"a": np.array([0.0, -np.inf])}, 8000, r"sounds\['a'\] holds NaN or infinity"),
        ({"a": np.ones(4, np.int16)}, 8000, r"sounds\['a'\] has dtype int16"),
        ({"a": np.ones(4, complex)}, 8000, r"sounds\['a'\] is complex"),
        ({"a": np.ones(4)}, 0, "sample_rate=0 must be an integer of at least 3000"),
        ({"a": np.ones(4)}, 8000.0, "sample_rate=8000.0 must be an integer"),
        ({"a": np.ones(4)}, True, "sample_rate=True must be an integer"),
        ({"a": np.ones(4)}, 10**12, "sample_rate=1000000000000 must be at most 768000 Hz"),
    ],
)
def test_players_refused(monkeypatch, sounds, rate, message):
    monkeypatch.setattr("anmf.plotting.players._encode_wav", None)  # refused before work starts
    with pytest.raises(ValueError, match=message):
        listen(sounds, rate)
