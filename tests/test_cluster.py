"""The cluster of deploy/cluster goes on without any one of its parts. `make torture` takes away more of them."""

from pathlib import Path

import pytest

from tests.torture.outages import drill
from tools.cluster import Missing, check_programs


def test_a_cluster_goes_on_when_parts_of_it_are_lost(folder: Path) -> None:
    try:
        check_programs()
    except Missing as missing:
        pytest.skip(str(missing))
    (folder / "machines").mkdir()
    assert [row.problems for row in drill(folder / "machines", full=False)] == [[]] * 3
