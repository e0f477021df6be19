import pytest
from scan_headers import scan_header
from summaries import SUMMARY

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.server.claimed_names import JoinedSinks
from perfline.gadgets.server.unmade_sink import UnmadeSink, made_sinks


def raising(error):
    def make(number):
        raise error

    return make


@pytest.mark.parametrize("kind", [OutputError, ConfigurationError])
def test_what_could_not_be_made_is_told_once(kind):
    (sink,) = made_sinks(raising(kind("scan_0001: can't be made")), 1)
    with pytest.raises(OutputError, match="scan_0001: can't be made"):
        sink.open(scan_header())
    sink.write("item")
    assert sink.close(SUMMARY) == ()


def test_a_scan_that_never_began_is_told_at_its_end():
    sink = UnmadeSink("files", OutputError("scan_0001: can't be made"))
    with pytest.raises(OutputError, match="scan_0001: can't be made"):
        sink.close(None)


def test_a_maker_that_fails_costs_its_own_sinks_alone():
    others = [UnmadeSink("one", OutputError("")), UnmadeSink("two", OutputError(""))]
    makers = (lambda number: others[:1], raising(OutputError("full")), lambda number: others[1:])
    assert [sink.name for sink in JoinedSinks(makers)(1)] == ["one", "files", "two"]
