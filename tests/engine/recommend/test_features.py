"""What is known of a product, under names that outlive a catalogue."""

import numpy as np
import pytest

from engine.recommend.features import Attributes, describe, price_limits
from tests.engine.shops import catalog


def names_of(described: Attributes, row: int) -> set[str]:
    return {described.names[column] for column in described.matrix[[row]].indices}


def test_a_product_is_described_by_type_labels_brand_price_and_shared_words() -> None:
    shop = catalog(
        6,
        title=["Rose Cream"] * 3 + ["Oil"] * 3,
        product_type=["Skin care > Creams", "", "", "", "", ""],
        labels=["Dry Skin,vegan, ", "", "", "", "", ""],
        brand=["Maren", "", "", "", "", ""],
    )
    described = describe(shop)
    assert names_of(described, 0) == {
        *("type:creams", "label:dry skin", "label:vegan", "brand:maren", "price:budget", "word:rose", "word:cream")
    }
    assert names_of(described, 5) == {"price:premium", "word:oil"}
    assert described.names == tuple(sorted(described.names))
    assert described.matrix.dtype == np.float32


def test_a_label_given_twice_counts_once() -> None:
    described = describe(catalog(1, labels=["Vegan, vegan,VEGAN"], title=[""]))
    column = described.names.index("label:vegan")
    assert described.matrix[0, column] == np.float32(0.3)


def test_a_word_in_too_few_or_too_many_titles_tells_nothing() -> None:
    titles = ["Common Rare"] * 2 + ["Common Seldom"] * 4 + ["Common"] * 14
    described = describe(catalog(20, title=titles))
    assert {name for name in described.names if name.startswith("word:")} == {"word:seldom"}


@pytest.mark.parametrize("titles", [["", " ", "12 34"], ["", "", ""]])
def test_a_product_without_words_still_has_a_price(titles: list[str]) -> None:
    described = describe(catalog(3, title=titles, product_type=[""] * 3, labels=["", " , ", ""], brand=[""] * 3))
    assert np.diff(described.matrix.indptr).tolist() == [1, 1, 1]


def test_each_price_band_holds_a_fifth_of_the_products() -> None:
    described = describe(catalog(100))
    bands = [name for name in described.names if name.startswith("price:")]
    sizes = {name: int((described.matrix[:, [described.names.index(name)]] != 0).sum()) for name in bands}
    assert sizes == dict.fromkeys(("price:budget", "price:low", "price:middle", "price:high", "price:premium"), 20)


def test_products_at_one_price_are_in_one_band() -> None:
    described = describe(catalog(9, price_minor=np.full(9, 500)))
    assert len({name for name in described.names if name.startswith("price:")}) == 1


def test_an_empty_catalogue_has_no_attributes() -> None:
    described = describe(catalog(0))
    assert described.names == ()
    assert described.matrix.shape == (0, 0)
    assert price_limits(catalog(0)).tolist() == [0, 0, 0, 0]


def test_attributes_keep_their_meaning_under_another_list_of_names() -> None:
    described = describe(catalog(6))
    other = ("zzz unknown", *reversed(described.names[1:]))
    aligned = described.aligned_to(other).toarray()
    for place, name in enumerate(other):
        wanted = (
            described.matrix[:, [described.names.index(name)]].toarray().ravel()
            if name in described.names
            else np.zeros(6)
        )
        np.testing.assert_array_equal(aligned[:, place], wanted)
    assert described.aligned_to(("none", "of these")).shape == (6, 2)
    assert described.aligned_to(()).shape == (6, 0)
