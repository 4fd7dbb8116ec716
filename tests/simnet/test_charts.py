from xml.etree import ElementTree

from simnet.charts import line_chart, shares, stacked_bars


def test_charts_are_svg_with_their_words_as_text() -> None:
    drawn = {
        "accuracy": line_chart([0, 1, 2], [0.5, 0.7, 0.9], "accuracy"),
        "seconds": stacked_bars([0, 1], {"train": [1, 2], "open": [0.5, 0.5]}, "seconds"),
        "megabytes": shares({"Blob": 3.0, "Vote": 0.1}, "megabytes"),
    }
    for word, svg in drawn.items():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert word in svg
    assert "train" in drawn["seconds"]
    assert "0.9" in drawn["accuracy"]


def test_same_numbers_same_bytes() -> None:
    assert line_chart([0, 1], [1, 2], "loss") == line_chart([0, 1], [1, 2], "loss")
