"""What other programs read of the repository: CITATION.cff, and the entry of Snakemake's workflow catalog."""

import re

import yaml

from tests.support.project import ROOT

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
USAGE = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
LICENCE = (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_citation_has_what_its_format_requires_and_no_key_that_it_does_not_know():
    required = {"cff-version", "message", "title", "authors"}
    known = {"type", "abstract", "license", "keywords", "version", "date-released", "repository-code", "url", "doi"}
    assert required <= CITATION.keys() <= required | known
    assert (CITATION["cff-version"], CITATION["type"]) == ("1.2.0", "software")


def test_the_citation_has_the_authors_and_the_licence_of_license():
    (author,) = CITATION["authors"]
    assert re.search(r"Copyright \(c\) \d+ (.*)", LICENCE)[1] == author["name"]
    assert f"{CITATION['license']} License" in LICENCE


def test_the_citation_has_the_version_of_the_newest_release_in_the_changelog_if_there_is_one():
    changelog = (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")
    released = re.search(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert CITATION.get("version") == (released and released[1])


def test_the_title_of_the_citation_is_that_of_readme():
    assert f"# {CITATION['title']}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_catalog_is_told_the_ways_to_deploy_software_that_rules_have():
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    deployed = USAGE["software-stack-deployment"]
    assert deployed == {
        "conda": "conda:" in rules,
        "apptainer": "container:" in rules,
        "apptainer+conda": "conda:" in rules and "container:" in rules,
    }


def test_the_catalog_is_told_of_reports_where_rules_have_them():
    assert USAGE["report"] == ("report(" in (ROOT / "rules" / "report.smk").read_text(encoding="utf-8"))
