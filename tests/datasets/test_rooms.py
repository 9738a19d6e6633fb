"""`simulate_room`: sums, delays, decay and loudness of what microphones record."""

import sys

import numpy as np
import pytest
from scipy.signal import fftconvolve

from anmf.datasets import make_voices, simulate_room
from anmf.datasets._rooms_responses import (
    LEAD,
    ROOM,
    _diffuse,
    _pulses,
    decaying_noise,
    draw_scene,
    image_source,
)
from anmf.datasets.rooms import METHODS

RATE = 16000


@pytest.fixture(scope="module")
def voices():
    return make_voices(2, 2.0, random_state=0).waveforms


@pytest.fixture(params=sorted(METHODS))
def method(request):
    if request.param == "image-source":
        pytest.importorskip("pyroomacoustics")
    return request.param


def measured_rt60(response):
    """Time to fall by 60 dB, from the slope between -5 and -35 dB of Schroeder's integral."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0] + 1e-30)
    span = np.flatnonzero((level <= -5) & (level >= -35))
    return -60 / np.polyfit(span / RATE, level[span], 1)[0]


def direct_to_reverberant(response):
    """Energy within 2.5 ms of the direct sound over that of the rest, in dB."""
    near = np.abs(np.arange(len(response)) - np.argmax(np.abs(response))) <= 0.0025 * RATE
    return 10 * np.log10(np.sum(response[near] ** 2) / np.sum(response[~near] ** 2))


def arrival(response, expected):
    """When the direct sound arrives, in samples, to a hundredth."""
    at = np.arange(-2, 2, 0.01) + expected
    taps = np.arange(round(expected) - 30, round(expected) + 31)
    return at[np.argmax(np.sinc(at[:, None] - taps) @ response[taps])]


def responses_of(respond, rt60, seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        found = respond(draw_scene(2, 2, 0.05, rng), rt60, RATE, rng)
        yield from found.reshape(4, -1)


@pytest.mark.parametrize(
    ("n_sources", "n_channels", "rate"),
    [(1, 1, 16000), (2, 2, 8000), (3, 2, 4000), (2, 3, 44100), (4, 1, 16000)],
)
def test_shapes_and_sums(n_sources, n_channels, rate):
    dry = make_voices(n_sources, 0.5, sample_rate=rate, random_state=0).waveforms
    data = simulate_room(dry, n_channels, sample_rate=rate, random_state=1)
    assert data.mixture.shape == (rate // 2, n_channels)
    assert data.images.shape == (rate // 2, n_sources, n_channels)
    assert data.impulse_responses.shape[:2] == (n_sources, n_channels)
    assert (data.sample_rate, data.rt60, "noise" in data) == (rate, 0.25, False)
    np.testing.assert_array_equal(data.mixture, data.images.sum(axis=1))
    assert np.all(np.any(data.images != 0, axis=0))


def test_images_are_sources_through_responses(voices, method):
    data = simulate_room(voices.astype(float), 3, method=method, random_state=0)
    for s in range(2):
        for c in range(3):
            found = fftconvolve(voices[:, s], data.impulse_responses[s, c])[: len(voices)]
            np.testing.assert_allclose(data.images[:, s, c], found, atol=1e-6)
    peaks = np.abs(data.images).max(axis=0).sum(axis=0)
    assert 0.9999 < peaks.max() <= 1


def test_a_unit_impulse_returns_the_responses(method):
    impulse = np.zeros((8000, 1))
    impulse[0] = 1
    data = simulate_room(impulse, 2, method=method, random_state=0)
    n_taps = data.impulse_responses.shape[-1]
    assert n_taps == round(0.25 * RATE) + 2 * LEAD
    np.testing.assert_allclose(data.images[:n_taps, 0], data.impulse_responses[0].T, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [-30, 0.0])
def test_noise(voices, dtype, level):
    data = simulate_room(voices.astype(dtype), noise_level=level, random_state=3)
    np.testing.assert_array_equal(data.mixture, data.images.sum(axis=1) + data.noise)
    assert {data[k].dtype for k in ("mixture", "images", "noise")} == {np.dtype(dtype)}
    ratio = np.mean(data.noise.astype(float) ** 2) / np.mean(data.images.sum(axis=1) ** 2.0)
    assert 10 * np.log10(ratio) == pytest.approx(level, abs=1e-4)
    assert np.abs(data.mixture).max() <= 1


def test_precision(voices, method):
    read_only = voices.copy()
    read_only.setflags(write=False)
    single = simulate_room(read_only, method=method, random_state=0)
    double = simulate_room(voices.astype(float), method=method, random_state=0)
    for name in ("mixture", "images", "impulse_responses"):
        assert single[name].dtype == np.float32
        assert double[name].dtype == np.float64
        np.testing.assert_allclose(single[name], double[name], atol=1e-6)


def test_random_state(voices, method, capfd):
    before = np.random.get_state()[1].copy()
    first, again, drawn, other = (
        simulate_room(voices, method=method, noise_level=-20, random_state=seed)
        for seed in (1, 1, np.random.default_rng(1), 2)
    )
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        np.testing.assert_array_equal(first[name], drawn[name])
    assert not np.allclose(first.mixture, other.mixture)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert capfd.readouterr() == ("", "")


def test_methods_draw_the_same_rooms(voices):
    pytest.importorskip("pyroomacoustics")
    tail, images = (
        simulate_room(voices, rt60=(0.2, 0.3), method=name, random_state=5)
        for name in ("decaying-noise", "image-source")
    )
    for name in ("rt60", "room", "microphones", "sources"):
        np.testing.assert_array_equal(tail[name], images[name])
    assert not np.allclose(tail.mixture, images.mixture)


def test_range_of_rt60(voices):
    dry = voices[:4000]
    drawn = [simulate_room(dry, rt60=(0.1, 0.4), random_state=k).rt60 for k in range(30)]
    assert 0.1 <= min(drawn) < 0.15
    assert 0.35 < max(drawn) <= 0.4


@pytest.mark.parametrize("rt60", [0.05, 0.15, 0.3, 0.8])
def test_decaying_noise_reverberates_as_long_as_asked(rt60):
    found = [measured_rt60(h) for h in responses_of(decaying_noise, rt60, range(6))]
    within = 0.06 if rt60 >= 0.15 else 0.4  # the first reflections alone take 0.03 s
    np.testing.assert_allclose(found, rt60, rtol=within)


@pytest.mark.parametrize(("rt60", "low", "high"), [(0.2, 0.65, 1.0), (0.3, 0.8, 1.15)])
def test_image_sources_reverberate_nearly_as_long(rt60, low, high):
    pytest.importorskip("pyroomacoustics")
    found = np.array([measured_rt60(h) for h in responses_of(image_source, rt60, range(6))])
    assert low < np.min(found / rt60)
    assert np.max(found / rt60) < high


def test_direct_sound_stands_out_as_in_rooms_of_image_sources():
    pytest.importorskip("pyroomacoustics")
    tail, images = (
        np.mean([direct_to_reverberant(h) for h in responses_of(respond, 0.3, range(6))])
        for respond in (decaying_noise, image_source)
    )
    assert abs(tail - images) < 1.7


@pytest.mark.parametrize("seed", range(3))
def test_delays_follow_from_the_geometry(seed, method):
    impulses = np.zeros((8000, 3))
    impulses[0] = 1
    data = simulate_room(impulses, 4, method=method, rt60=0.2, random_state=seed)
    way = np.linalg.norm(data.sources[:, None] - data.microphones, axis=-1)
    expected = way / 343 * RATE + LEAD
    for s in range(3):
        found = [arrival(data.impulse_responses[s, c], expected[s, c]) for c in range(4)]
        np.testing.assert_allclose(found, expected[s], atol=0.03)


@pytest.mark.parametrize("seed", range(20))
def test_geometry(seed):
    scene = draw_scene(2, 2, 0.05, np.random.default_rng(seed))
    for points in (scene.microphones, scene.sources):
        assert np.all(points > 0.2)
        assert np.all(points < scene.room - 0.2)
    middle = scene.microphones.mean(axis=0)
    distance = np.linalg.norm(scene.sources - middle, axis=1)
    assert np.all((distance >= 1) & (distance <= 1.6))
    assert np.linalg.norm(np.diff(scene.microphones, axis=0)) == pytest.approx(0.1)
    way = np.linalg.norm(scene.sources[:, None] - scene.microphones, axis=-1)
    assert np.ptp(way[:, 0] - way[:, 1]) >= 0.1  # of 0.2 at most


def test_pulses_delay_as_a_spectrum_says():
    """A pulse at a fraction of a sample is a linear phase, up to near half the rate."""
    delay = np.array([[[60.3]], [[80.0]]])
    found = np.fft.rfft(_pulses(delay, np.array([[[1.0]], [[0.5]]]), 256)[0, 0])
    turn = np.exp(-2j * np.pi * np.arange(129) / 256)
    expected = turn**60.3 + 0.5 * turn**80
    np.testing.assert_allclose(found[:115], expected[:115], atol=2e-3)


def test_tail_is_a_diffuse_field():
    """Noise of two microphones correlates by sin(x)/x of frequency and distance."""
    rng = np.random.default_rng(0)
    scene = draw_scene(20, 2, 0.05, rng)
    fields = [_diffuse(scene, 2048, RATE, rng) for _ in range(12)]
    spectra = np.fft.rfft(np.concatenate(fields), axis=-1).reshape(-1, 2, 1025)[..., :1024]
    assert np.var(fields) == pytest.approx(1, rel=0.02)
    cross = np.sum(spectra[:, 0] * spectra[:, 1].conj(), axis=0).reshape(-1, 32).sum(axis=1).real
    power = np.sum(np.abs(spectra) ** 2, axis=(0, 1)).reshape(-1, 32).sum(axis=1) / 2
    centres = (np.arange(32) + 0.5) * 32 / 2048 * RATE
    np.testing.assert_allclose(cross / power, np.sinc(2 * centres * 0.1 / 343), atol=0.15)


def test_clips_of_different_lengths(voices):
    clips = [voices[:9000, 0], voices[:8000, 1]]
    short = simulate_room(clips, random_state=0)
    columns = simulate_room(voices[:8000], random_state=0)
    np.testing.assert_array_equal(short.mixture, columns.mixture)
    long = simulate_room(clips, mode="max", random_state=0)
    assert long.mixture.shape == (9000, 2)
    padded = np.stack([clips[0], np.pad(clips[1], (0, 1000))], axis=1)
    np.testing.assert_array_equal(long.mixture, simulate_room(padded, random_state=0).mixture)


def test_settings_of_pyroomacoustics_stay(voices):
    pra = pytest.importorskip("pyroomacoustics")
    one = simulate_room(voices, method="image-source", random_state=0)
    try:
        pra.constants.set("c", 300.0)
        two = simulate_room(voices, method="image-source", random_state=0)
        assert pra.constants.get("c") == 300.0
    finally:
        pra.constants.set("c", 343.0)
    np.testing.assert_array_equal(one.mixture, two.mixture)


def test_image_sources_reach_the_shortest_rt60_in_every_room():
    pra = pytest.importorskip("pyroomacoustics")
    assert 0 < pra.inverse_sabine(0.15, np.transpose(ROOM)[1])[0] < 1


def test_missing_package(voices, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(ImportError, match=r"pip install 'anmf\[rooms\]'"):
        simulate_room(voices, method="image-source")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_channels": 0}, "n_channels=0 must be an integer of at least 1"),
        ({"sample_rate": 2000}, "sample_rate=2000 must be an integer of at least 4000"),
        ({"sample_rate": 16e3}, "sample_rate=16000.0 must be an integer"),
        ({"method": "ray"}, "method='ray' must be one of .'decaying-noise', 'image-source'."),
        ({"mode": "middle"}, "mode='middle' must be one of"),
        ({"array_radius": 1.0}, "array_radius=1.0 must be a number of at least 0.01 and at most"),
        ({"noise_level": np.nan}, "noise_level=nan must be a number"),
        ({"rt60": 0.01}, "rt60=0.01 must be a number of seconds from 0.05 to 10"),
        ({"rt60": np.nan}, "rt60=nan must be a number of seconds"),
        ({"rt60": (0.4, 0.2)}, r"rt60=\(0.4, 0.2\) must be .* the lower first"),
        ({"rt60": 0.1, "method": "image-source"}, "from 0.15 to 1.0, .* method='decaying-noise'"),
        ({"rt60": 2.0, "method": "image-source"}, "rt60=2.0 must be a number of seconds from 0.15"),
        ({"random_state": "x"}, "random_state='x' must be None"),
    ],
)
def test_bad_options(voices, options, message):
    with pytest.raises(ValueError, match=message):
        simulate_room(voices, **options)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (np.ones(4000), r"shape \(4000,\); expected \(n_times, n_sources\).* x\[:, None\]"),
        (np.ones((4000, 2, 2)), r"shape \(4000, 2, 2\); expected \(n_times, n_sources\)"),
        (np.ones((2, 4000)), r"shape \(2, 4000\).* transpose"),
        (np.ones((4000, 0)), "sources is empty"),
        (np.ones((4000, 2), dtype=int), r"sources\[:, 0\] has dtype int64; expected floating"),
        (np.full((4000, 1), np.nan), r"sources\[:, 0\] contains NaN"),
        (np.eye(4000, 2) * [1, 0], r"sources\[:, 1\] is silent"),
        ([np.ones(4000), np.eye(9000)[8000]], r"sources\[1\] is silent until the last"),
        ([np.ones(100)], r"sources\[0\] is silent until the last 157 of 100 samples"),
        ([], "sources is empty"),
        ("voices.wav", "sources is of type str"),
    ],
)
def test_bad_sources(sources, message):
    with pytest.raises(ValueError, match=message):
        simulate_room(sources)
