"""RESULTS.md: sections of the benchmark, written one by one."""

from pathlib import Path

from bench import report


def test_a_table_aligns_numbers_and_rounds_to_three_digits() -> None:
    assert report.table(["what", "n"], [["a", 1234567], ["b", 1234.5], ["c", 0.123456], ["d", "-"]]) == (
        "| what | n |\n| --- | ---: |\n| a | 1,234,567 |\n| b | 1,234 |\n| c | 0.123 |\n| d | - |\n"
    )


def test_a_part_replaces_its_section_and_leaves_the_others(tmp_path: Path) -> None:
    path, order = tmp_path / "RESULTS.md", ("first", "second")
    report.write({"second": "## Second\n\nold\n"}, order, path)
    report.write({"first": "## First\n\nold\n"}, order, path)
    report.write({"second": "## Second\n\nnew\n"}, order, path)
    text = path.read_text()
    assert text.startswith("# Results\n")
    assert text.split("\n## ")[1:] == [
        "First\n\nold\n\n<!-- part: second -->",
        "Second\n\nnew\n",
    ]


def test_a_part_that_no_longer_exists_loses_its_section(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    report.write({"gone": "## Gone\n", "kept": "## Kept\n"}, ("gone", "kept"), path)
    report.write({"kept": "## Kept\n"}, ("kept",), path)
    assert "Gone" not in path.read_text()


def test_a_section_names_commit_machine_and_duration() -> None:
    text = report.section("Title", "body\n\n", 12.3)
    assert text.startswith("## Title\n\nCommit ")
    assert "cores" in text
    assert "Python 3." in text
    assert text.endswith("; took 12 s.\n\nbody\n")
