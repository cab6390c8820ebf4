"""A small skincare shop that never existed: products, subscribers and a year of signals, all drawn from one seed.

It writes the CSV files that a marketer would export from a real shop, and Handpicked imports them like any others.
So a first look at the product, its documentation and its slower tests need nothing but the repository. The package
knows nothing of the rest of Handpicked, and behind its signals there are habits (habits.csv) that a good
recommender should find.
"""

from studio.sample.files import SampleShop, Shop, draw_shop, write_sample_shop

__all__ = ["SampleShop", "Shop", "draw_shop", "write_sample_shop"]
