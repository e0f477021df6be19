from perfline.gadgets.writers.summary_text import format_summary

SUMMARY = {
    "status": "abort",
    "reason": "client gone in mid-message",
    "n_readouts": 1000,
    "n_volumes": 21,
    "n_pairs": 10,
    "n_pairs_rejected": 1,
    "stages": [
        {"name": "accumulate", "n_in": 1000, "n_out": 21, "n_dropped": 2, "seconds": 0.75},
        {"name": "quantify", "n_in": 21, "n_out": 31, "n_dropped": 0, "seconds": 0.25},
    ],
    "drop_reasons": {"pair: label without control": 1, "readout: NaN": 7},
    "latency": {"cbf": {"n": 10, "median": 0.0123, "percentile_95": 0.02, "worst": 0.035}, "m0": None},
    "ghost_levels": [0.02, 0.03, 0.022, None, float("nan")],
    "figures": {"mean_cbf": 51.23456, "spatial_variation": None},
    "notices": [{"level": "info", "text": "no noise scan"}, {"level": "warning", "text": "short TR"}],
    "parameters": {
        "PostLabelingDelay": {"value": [1.8] * 8, "unit": "s", "origin": "sidecar"},
        "BloodT1": {"value": 1.65, "unit": "s", "origin": "default: Alsop 2015, blood at 3 T"},
        "M0Type": {"value": "Included", "unit": "", "origin": "header"},
        "SliceTiming": {"value": [0.0, 0.04], "unit": "s", "origin": "header"},
    },
    "seconds": 4.0,
    "n_bytes": 8_000_000,
    "software": "perfline 0.1.0",
    "files": ["sub-01_cbf.nii.gz"],
}

EXPECTED = """\
Scan: abort (client gone in mid-message)
  readouts           1000
  volumes            21
  pairs              10 used, 1 rejected
  ghost level        2.20 % median, 3.00 % worst
  time               4.00 s (250 readouts/s, 2.0 MB/s)
  software           perfline 0.1.0

Figures (blood flow in mL/100g/min where M0 is known)
  CBF, mean of the head                  51.235
  CBF, spatial coefficient of variation  None

Latency, last readout to image sent [ms]
       median   95 %  worst   n
  cbf   12.30  20.00  35.00  10

Stages
                in  out  dropped  time [s]   share
  accumulate  1000   21        2     0.750  75.0 %
  quantify      21   31        0     0.250  25.0 %

Dropped
  7 x  readout: NaN
  1 x  pair: label without control

Notices
  warning  short TR
  info     no noise scan

Parameters
  name               value                                       origin
  BloodT1            1.65 s                                      default: Alsop 2015, blood at 3 T
  M0Type             Included                                    header
  PostLabelingDelay  [1.8, 1.8, 1.8, 1.8, ... 1.8] (8 values) s  sidecar
  SliceTiming        [0, 0.04] s                                 header

Files
  sub-01_cbf.nii.gz"""


def test_everything_is_laid_out():
    assert format_summary(SUMMARY).split("\n") == EXPECTED.split("\n")


def test_sections_without_content_are_left_out():
    text = format_summary({"status": "success", "n_readouts": 0, "n_volumes": 0, "seconds": 0.0, "ghost_levels": []})
    assert text.split("\n") == [
        "Scan: success",
        "  readouts           0",
        "  volumes            0",
        "  time               0.00 s",
    ]


def test_a_flood_of_reasons_is_cut_short():
    text = format_summary({"drop_reasons": {f"readout: {number}": 100 - number for number in range(20)}})
    assert "  100 x  readout: 0" in text
    assert "readout: 12" not in text
    # 88 + 87 + ... + 81
    assert "  676 x  other reasons" in text


def test_regions_and_pairs_that_were_left_out():
    region = {"name": "left insula", "mean": 50.123456, "standard_error": 1.5, "n_voxels": 40, "n_pairs": 9}
    summary = {
        "regions": [{**region, "n_pairs_needed": 12}, {**region, "name": "head", "n_pairs_needed": None}],
        "rejected": [{"pair": 4, "reason": "too far"}],
    }
    assert format_summary(summary).splitlines()[2:] == [
        "Mean blood flow of regions, and its standard error",
        "                  CBF  error  voxels  pairs  needed",
        "  left insula  50.123    1.5      40      9      12",
        "  head         50.123    1.5      40      9       -",
        "",
        "Pairs left out",
        "  pair 4  too far",
    ]


def test_a_long_list_of_regions_is_cut():
    region = {"name": "a", "mean": 1.0, "standard_error": None, "n_voxels": 1, "n_pairs": 1, "n_pairs_needed": None}
    lines = format_summary({"regions": [region] * 25}).splitlines()
    assert lines[-1] == "  ... 5 more"
    assert sum(line.startswith("  a ") for line in lines) == 20


def test_a_kidney_has_renal_flow_and_no_head():
    region = {"name": "head", "label": 0, "mean": 60.0, "standard_error": 1.5, "n_voxels": 40, "n_pairs": 9}
    summary = {
        "parameters": {"Organ": {"value": "kidney", "unit": "", "origin": "header"}},
        "figures": {"mean_cbf": 60.0, "mean_cbf_voxel_standard_error": 5.0},
        "regions": [{**region, "n_pairs_needed": None}],
    }
    text = format_summary(summary)
    assert "  RBF, mean in the mask                    60" in text
    assert text.splitlines()[8] == "  mask   60    1.5      40      9       -"
    assert "CBF" not in text
    assert "head" not in text.replace("header", "")
    # what the scan was is known where its parameters are not listed
    assert format_summary(summary, with_parameters=False).splitlines() == text.splitlines()[:9]


def test_an_encoded_scan_is_counted_in_blocks():
    region = {"name": "head, artery 2", "mean": 6.0, "standard_error": 1.5, "n_voxels": 40, "n_pairs": 3}
    lines = format_summary(
        {
            "n_pairs": 3,
            "n_blocks": 3,
            "n_pairs_rejected": 1,
            "figures": {"mean_cbf": 6.0, "median_tsnr": 0.5},
            "figures_of": "all arteries",
            "regions": [{**region, "n_pairs_needed": 5}],
            "rejected": [{"pair": 1, "reason": "too far"}],
        }
    ).splitlines()
    assert lines[1] == "  blocks             3 used, 1 rejected"
    assert lines[3] == "Figures of all arteries (blood flow in mL/100g/min where M0 is known)"
    assert lines[5].startswith("  temporal SNR of a block, median")
    assert lines[8].split() == ["CBF", "error", "voxels", "blocks", "needed"]
    assert lines[-2:] == ["Blocks left out", "  block 1  too far"]


def test_sub_boli_are_named_beside_their_blocks():
    region = {"name": "head", "mean": 6.0, "standard_error": 1.5, "n_voxels": 40, "n_pairs": 14}
    figures = {"median_tsnr": 0.5, "seconds_per_pair": 6.0}
    summary = {"n_pairs": 14, "n_blocks": 2, "figures": figures, "regions": [{**region, "n_pairs_needed": None}]}
    lines = format_summary(summary).splitlines()
    assert lines[1] == "  blocks             2 used (14 sub-boli), 0 rejected"
    assert lines[4:6] == ["  temporal SNR of a sub-bolus, median  0.5", "  time for a sub-bolus [s]             6"]
    assert lines[8].split() == ["CBF", "error", "voxels", "sub-boli", "needed"]
