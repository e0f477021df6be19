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
    assert brain.partition_coefficient.value == 0.9
    # Wright 2008: 1.197, 1.607, 1.939 s
    assert {field: one.value for field, one in brain.tissue_t1.items()} == {1.5: 1.2, 3.0: 1.6, 7.0: 1.94}
    assert {field: one.value for field, one in brain.perfused_tissue_t1.items()} == {1.5: 1.2, 3.0: 1.3, 7.0: 1.94}


def test_defaults_of_the_kidney_are_those_of_the_renal_consensus():
    kidney = ORGAN_DEFAULTS["kidney"]
    assert {name: one.value for name, one in kidney.labeling_efficiency.items()} == {"PCASL": 0.85, "PASL": 0.95}
    assert {field: one.value for field, one in kidney.blood_t1.items()} == {1.5: 1.48, 3.0: 1.65}
    assert kidney.partition_coefficient.value == 0.9
    assert {field: one.value for field, one in kidney.perfused_tissue_t1.items()} == {1.5: 0.97, 3.0: 1.15}


@pytest.mark.parametrize("organ", ORGAN_DEFAULTS)
def test_every_default_names_its_source(organ):
    defaults = ORGAN_DEFAULTS[organ]
    by_field = (defaults.blood_t1, defaults.tissue_t1, defaults.perfused_tissue_t1)
    assert all(one.source for one in (defaults.partition_coefficient, *defaults.labeling_efficiency.values()))
    assert all(f"at {field:g} T" in one.source for table in by_field for field, one in table.items())


@pytest.mark.parametrize("organ", ORGAN_DEFAULTS)
def test_every_t1_of_tissue_says_what_it_is_for(organ):
    defaults = ORGAN_DEFAULTS[organ]
    assert all(one.source.endswith(", for the recovery of M0") for one in defaults.tissue_t1.values())
    assert all(one.source.endswith(", for the kinetic model") for one in defaults.perfused_tissue_t1.values())
