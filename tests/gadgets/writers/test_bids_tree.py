from pathlib import Path

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.writers.bids_tree import BidsTree, name_from_stem

OUT = Path("out")


def test_raw_and_derived_files_have_the_same_place_in_their_datasets():
    tree = BidsTree(OUT, "sub-a_ses-b_dir-AP")
    assert tree.raw("asl.json") == OUT / "sub-a/ses-b/perf/sub-a_ses-b_dir-AP_asl.json"
    assert tree.derivative("att.json") == OUT / "derivatives/perfline/sub-a/ses-b/perf/sub-a_ses-b_dir-AP_att.json"
    assert BidsTree(OUT).raw("asl.json") == OUT / "sub-01/perf/sub-01_asl.json"


@pytest.mark.parametrize("name", ["sub-1", "sub-a_ses-b", "sub-1_acq-x_rec-y_dir-AP_run-02", "sub-1_run-3"])
def test_chains_of_entities(name):
    assert BidsTree(OUT, name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "sub-",
        "sub-1_",
        "ses-1",
        "sub-1_task-rest",  # an aslcontext has no task
        "sub-1_run-1_ses-2",  # the order of BIDS
        "sub-1_run-first",
        "sub-a b",
        "sub-é",
        "sub-01\n",
        "sub-01/../x",
        "../sub-01",
        "sub-1_ses-1_ses-2",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(ConfigurationError, match=r"expected sub-LABEL\[_ses-LABEL\].*_run-NUMBER"):
        BidsTree(OUT, name)


def test_a_name_without_subject_is_told_the_right_form():
    with pytest.raises(ConfigurationError, match=r"got 'demo': for example sub-demo$"):
        BidsTree(OUT, "demo")


def test_names_of_files_give_names_of_scans():
    assert name_from_stem("sub-07_acq-3d_space-T1w_asl") == "sub-07_acq-3d"
    assert name_from_stem("sub-07_run-x_asl") == "sub-07"
    assert name_from_stem("pcasl_2d_9") == name_from_stem("mysub-3_asl") == "sub-01"
