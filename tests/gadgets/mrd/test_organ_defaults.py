import pytest

from perfline.gadgets.mrd.organ_defaults import ORGAN_DEFAULTS


def test_defaults_of_the_brain_are_those_of_the_consensus():
    brain = ORGAN_DEFAULTS["brain"]
    assert {name: one.value for name, one in brain.labeling_efficiency.items()} == {
        "PCASL": 0.85,
        "CASL": 0.68,
        "PASL": 0.98,
    }
    assert {field: one.value for field, one in brain.blood_t1.items()} == {1.5: 1.35, 3.0: 1.65, 7.0: 2.09}
    assert (brain.partition_coefficient.value, brain.tissue_t1.value, brain.perfused_tissue_t1.value) == (0.9, 1.6, 1.3)


def test_defaults_of_the_kidney_are_those_of_the_renal_consensus():
    kidney = ORGAN_DEFAULTS["kidney"]
    assert {name: one.value for name, one in kidney.labeling_efficiency.items()} == {"PCASL": 0.85, "PASL": 0.95}
    assert {field: one.value for field, one in kidney.blood_t1.items()} == {1.5: 1.48, 3.0: 1.65}
    assert (kidney.partition_coefficient.value, kidney.perfused_tissue_t1.value) == (0.9, 1.15)


@pytest.mark.parametrize("organ", ORGAN_DEFAULTS)
def test_every_default_names_its_source(organ):
    defaults = ORGAN_DEFAULTS[organ]
    single = (defaults.partition_coefficient, defaults.tissue_t1, defaults.perfused_tissue_t1)
    assert all(one.source for one in (*single, *defaults.labeling_efficiency.values(), *defaults.blood_t1.values()))
