from dataclasses import replace

from perfline.recon.phantom.brain import TissueClass, brain_phantom
from perfline.recon.phantom.slow_brain import slow_brain_phantom


def test_slow_brain_differs_in_its_times_alone():
    slow, brain = slow_brain_phantom(), brain_phantom()
    assert slow.names == brain.names
    for one, other in zip(slow.regions, brain.regions, strict=True):
        assert replace(one, tissue=replace(one.tissue, att=other.tissue.att)) == other
    times = slow.values("att")[slow.values("cbf") > 0]
    assert (times.min(), times.max()) == (0.5, 2.5)
    # grey matter alone spans them, since the fit takes its T1
    grey = slow.values("att")[slow.is_class(TissueClass.GREY_MATTER)]
    assert (grey.min(), grey.max()) == (0.5, 2.5)
