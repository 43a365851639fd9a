"""check_machine.py: folders that cannot hold the project."""

from pathlib import Path

import pytest

from pipeline.graph.check_machine import require_plain_path
from tests.support.odd_folders import ODD_FOLDERS


@pytest.mark.parametrize("name", [name for name in ODD_FOLDERS if "{" not in name and "$" not in name])
def test_the_folder_of_the_project_may_have_any_other_sign_in_its_path(name):
    require_plain_path(Path("/home/someone") / name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("{run}", r"has '\{' in its path, which Snakemake reads as its own; move it"),
        ("a}", r"has '\}' in its path"),
        ("a\nb", r"has '\\n' in its path"),
        ("of $HOME", "ms-swift would put a variable's value into the path"),
        ("${HOME}", r"has '\{' in its path"),
    ],
)
def test_a_path_that_a_tool_reads_as_another_one_is_refused_with_one_line(name, reason):
    with pytest.raises(SystemExit, match=reason) as refused:
        require_plain_path(Path("/home/someone") / name)
    assert "\n" not in str(refused.value)


def test_a_dollar_that_begins_no_variable_is_let_through():
    require_plain_path(Path("/home/100 $ and $NO_SUCH_VARIABLE_HERE"))
