"""What separators by trained networks refuse."""

import numpy as np
import pytest

from anmf.deep import DeepClustering, PITSeparator
from tests.deep.recordings import SMALL, S, X, fitted


@pytest.fixture(scope="module", params=[DeepClustering, PITSeparator])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind):
    return fitted(kind)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.stack([X[0], X[0]], axis=1), "expected one channel"),
        (np.nan * X[0], "NaN or infinity"),
        (np.arange(500), "dtype int64"),
        (np.zeros(0), "x is empty"),
        (1j * X[0], "x is complex"),
    ],
)
def test_bad_waveforms_are_refused(model, x, message):
    for use in (model.separate, model.transform, lambda x: model.score(x, S[0])):
        with pytest.raises(ValueError, match=message):
            use(x)


@pytest.mark.parametrize(
    ("y", "metric", "message"),
    [
        (S[0][:, :1], "si_sdr", r"y has shape \(4800, 1\)"),
        (S[0][:-1], "si_sdr", r"y has shape \(4799, 2\)"),
        (S[0].T, "si_sdr", "transpose it"),
        (np.nan * S[0], "si_sdr", "y holds NaN"),
        (S[0], "sdri", "metric='sdri' must be one of"),
    ],
)
def test_bad_references_are_refused(model, y, metric, message):
    with pytest.raises(ValueError, match=message):
        model.score(X[0], y, metric=metric)


@pytest.mark.parametrize(
    ("mixtures", "truth", "message"),
    [
        (X[:1], S[:1], "of 1 mixtures; expected two at least"),
        (None, [], "of 0 mixtures"),
        (X, S[:2], "mixtures and sources are 5 and 2"),
        (X, [*S[:4], S[4][:50]], r"mixtures\[4\] has shape"),
        ([X[0][:, None], *X[1:]], S, r"mixtures\[0\] has shape \(4800, 1\)"),
        (None, [S[0][:, :1], *S[1:]], r"sources\[0\] has shape \(4800, 1\)"),
        (None, [S[0][:, 0], *S[1:]], r"sources\[0\] has shape \(4800,\)"),
        (None, [S[0].T, *S[1:]], "transpose it"),
        ([0 * X[0], *X[1:]], S, r"mixtures\[0\] is silent"),
        (None, [S[0] * [1, 0], *S[1:]], r"sources\[0\] is silent in column 1"),
        ([X[0] * np.nan, *X[1:]], S, r"mixtures\[0\] holds NaN"),
        (None, [S[0] * np.inf, *S[1:]], r"sources\[0\] holds NaN or inf"),
        (None, [s.astype(int) for s in S], "dtype int64"),
    ],
)
def test_bad_recordings_are_refused(kind, mixtures, truth, message):
    with pytest.raises(ValueError, match=message):
        kind(**SMALL).fit(mixtures, truth)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_sources": 0}, "n_sources=0"),
        ({"sample_rate": 8e3}, "sample_rate=8000.0"),
        ({"n_fft": 1}, "n_fft=1"),
        ({"hop_length": 300}, "hop_length=300"),
        ({"embedding_size": 0}, "embedding_size=0"),
        ({"width": True}, "width=True"),
        ({"hidden": None}, "hidden=None"),
        ({"dilations": ()}, r"dilations=\(\) must be"),
        ({"dilations": 3}, "dilations=3 must be"),
        ({"dilations": (1, 0)}, "dilations=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"duration": 0.001}, "duration=0.001"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0"),
        ({"validation_fraction": 1.0}, r"validation_fraction=1\.0"),
        ({"checkpoint": "state.txt"}, "must end in .npz"),
    ],
)
def test_bad_parameters_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**{**SMALL, **options}).fit(None, S)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (DeepClustering, {"loss": "pit"}, "loss='pit' must be one of"),
        (DeepClustering, {"mask": "wiener"}, "mask='wiener' must be one of"),
        (DeepClustering, {"sharpness": -1.0}, "sharpness=-1.0"),
        (PITSeparator, {"n_sources": 1}, "n_sources=1 must be an integer of at least 2"),
        (PITSeparator, {"target": "wiener"}, "target='wiener' must be one of"),
        (PITSeparator, {"clustering": -1.0}, r"clustering=-1\.0"),
        (PITSeparator, {"clustering": None}, "clustering=None"),
        (PITSeparator, {"clustering": np.nan}, "clustering=nan"),
    ],
)
def test_own_bad_parameters_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**{**SMALL, **options}).fit(None, S)
