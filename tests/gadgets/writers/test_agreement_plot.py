import sys

import numpy as np
import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.writers.agreement_plot import write_agreement_plot
from perfline.recon.asl.agreement import agreement

A, B = [20.0, 40.0, 55.0, 70.0], [24.0, 41.0, 60.0, 78.0]


def test_the_picture_shows_the_points(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    write_agreement_plot(tmp_path / "plot.png", A, B, agreement(A, B), ("pet", "asl"), "mL/100g/min")
    picture = imread(tmp_path / "plot.png")
    assert picture.shape[1] > 1000
    blue = np.all(np.abs(picture[..., :3] - np.array([0x1F, 0x5F, 0xA8]) / 255) < 0.02, axis=-1)
    left, right = blue[:, : blue.shape[1] // 2], blue[:, blue.shape[1] // 2 :]
    # four points in either half, each of some 70 pixels
    assert left.sum() > 150
    assert right.sum() > 150


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"plot: needs matplotlib: pip install .perfline\[view\]"):
        write_agreement_plot(tmp_path / "plot.png", A, B, agreement(A, B), ("pet", "asl"), "")
    assert not list(tmp_path.iterdir())
