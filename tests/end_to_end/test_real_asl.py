"""Scanner data from NIfTI through the stages of a live scan; skipped where they are absent.

There is no reference for these data: what is checked is that the flow of brain tissue is physiological, that transit
times are plausible, and that what the files get wrong is refused.
"""

from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError, TimeUnitError
from perfline.gadgets.replay.nifti_scan import IMAGE_CHAIN, Declarations, read_nifti_scan
from perfline.gadgets.replay.repeated_list import read_repeated_list
from perfline.gadgets.replay.sidecar_changes import read_definitions
from perfline.gadgets.scan import run_scan
from perfline.gadgets.stage_data import CbfVolume, M0Volume
from perfline.gadgets.writers.keep_items import KeepItems
from perfline.recon.asl.fit_status import FitStatus, has_transit_time

DATA = Path(__file__).parents[3] / "shared" / "data" / "asl_siemens"
MS = {"RepetitionTimePreparation": "ms"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="real scanner data (../shared/data/asl_siemens) are absent"),
]


def quantified(path, declared):
    keep = KeepItems()
    scan = read_nifti_scan(path, declared)
    summary = run_scan(scan.session, lambda config: IMAGE_CHAIN, options=scan.options, sinks=[keep])
    assert summary.status == "success", summary.reason
    flow = [item for item in keep.items if isinstance(item, CbfVolume)][-1]
    m0 = [item for item in keep.items if isinstance(item, M0Volume)][-1]
    return flow, m0, summary


def brain(m0):
    """The inner part of the head: bright, and away from its rim, so that scalp and skull are out."""
    bright = m0.image > 0.4 * np.percentile(m0.image, 99)
    core = scipy.ndimage.binary_erosion(bright, np.ones((1, 3, 3)), iterations=3)
    part, _ = scipy.ndimage.label(core)
    return part == 1 + np.argmax(np.bincount(part.ravel())[1:])


def test_2d_pcasl_with_its_m0():
    declared = Declarations(
        m0_path=DATA / "pcasl_2d_m0_10.nii.gz",
        aslcontext=read_repeated_list("(label,control)*51", "aslcontext"),
        units=MS,
    )
    flow, m0, summary = quantified(DATA / "pcasl_2d_9.nii.gz", declared)
    assert summary.n_pairs == 51
    assert flow.cbf.shape == (20, 72, 72)
    assert m0.correction == pytest.approx(1 / (1 - np.exp(-2 / 1.6)))
    inside = brain(m0)
    # the whole brain has 40 to 60; the delay of 0.2 s leaves much label in arteries
    assert 25 < np.nanmean(flow.cbf[inside]) < 70
    # perfusion is no noise: the mean of the brain is many standard errors from zero
    assert np.nanmean(flow.cbf[inside]) > 3 * np.nanmean(flow.standard_error[inside])
    assert not any("SWAPPED" in text for _, text in summary.notices)


def test_six_delays():
    declared = Declarations(
        aslcontext=read_repeated_list("m0scan,(label,control)*48", "aslcontext"),
        definitions=read_definitions(
            [
                "LabelingDuration=1.4",
                "PostLabelingDelay=0,(0.25*2,0.5*2,0.75*2,1*2,1.25*2,1.5*2)*8",
                "BackgroundSuppression=true",
                "BackgroundSuppressionNumberPulses=2",
            ]
        ),
        units=MS,
    )
    flow, m0, summary = quantified(DATA / "to_ep2d_PCASL_11.nii.gz", declared)
    assert flow.fit is not None
    assert flow.fit.post_labeling_delays == (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
    assert flow.n_pairs == 48
    timed = brain(m0) & has_transit_time(flow.fit.status)
    assert timed.sum() > 0.5 * brain(m0).sum()
    # the last delay of 1.5 s is too short for much of the brain, and that is said
    sound = brain(m0) & (flow.fit.status == FitStatus.CONVERGED)
    assert 0.4 * timed.sum() < sound.sum() < 0.9 * timed.sum()
    told = [text for _, text in summary.notices if text.startswith("fit over delays: sound in")]
    assert len(told) == 1
    assert (
        f"label late, after the last delay or within an error of it in {(flow.fit.status == FitStatus.LATE).sum()}"
        in told[0]
    )
    assert any(text.startswith("blood flow beyond 1000") for _, text in summary.notices)
    assert 35 < np.median(flow.cbf[sound]) < 80
    assert 0.7 < np.median(flow.fit.arterial_transit_time[sound]) < 1.8


def test_what_the_scanner_wrote_is_refused_by_name():
    path = DATA / "to_ep2d_PCASL_11.nii.gz"
    context = read_repeated_list("m0scan,(label,control)*48", "aslcontext")
    with pytest.raises(MissingParameterError, match=r"LabelingDuration is not given.*has TagDuration = 1.4: if that"):
        read_nifti_scan(path, Declarations(aslcontext=context, units=MS))
    durations = {"LabelingDuration": 1.4}
    with pytest.raises(ScanHeaderError, match=r"PostLabelingDelay: expected one value or one for each of the 97 .* 6"):
        read_nifti_scan(path, Declarations(aslcontext=context, units=MS, definitions=durations))
    delay = durations | {"PostLabelingDelay": 1.0}
    with pytest.raises(
        TimeUnitError, match=r"RepetitionTimePreparation .*got 4100; likely milliseconds: .*assume-unit"
    ):
        read_nifti_scan(path, Declarations(aslcontext=context, definitions=delay))
