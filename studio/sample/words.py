"""The words that products are made of: concerns, brands, and what a title can be built around.

All text is our own. Brands are invented, sentences promise nothing a cosmetic cannot keep
("looks", "feels"), and no ingredient is said to treat anything.
"""

from __future__ import annotations

from dataclasses import dataclass

CONCERNS = (
    "dry skin",
    "oily skin",
    "sensitive skin",
    "mature skin",
    "redness",
    "blemish-prone",
    "dark spots",
    "sun care",
)
"""What people shop for. The first seven are skin concerns; `sun care` is an interest that behaves like one."""

SUN_CARE = CONCERNS.index("sun care")

BUDGET, MIDDLE, PREMIUM = 0, 1, 2
BAND_FACTORS = (0.55, 1.0, 1.9)
"""What a brand's price band does to the usual price of a kind of product."""


@dataclass(frozen=True)
class Brand:
    """One invented brand and the price band that it lives in."""

    name: str
    band: int


BRANDS = (
    Brand("Alderrow", BUDGET),
    Brand("Sorrelby", BUDGET),
    Brand("Mossgate", BUDGET),
    Brand("Harthollow", MIDDLE),
    Brand("Lowentide", MIDDLE),
    Brand("Fenn & Tallis", MIDDLE),
    Brand("Pellavane", PREMIUM),
    Brand("Quillmere", PREMIUM),
)


@dataclass(frozen=True)
class Motif:
    """What a product is built around: an ingredient, the theme of a gift, or a material."""

    name: str
    labels: tuple[str, ...]
    sentence: str


_MOTIFS = (
    # Skin
    Motif("Oat", ("dry skin", "sensitive skin"), "Colloidal oat leaves skin soft and comfortable."),
    Motif("Ceramide", ("dry skin", "mature skin"), "Ceramides help skin hold on to its own moisture."),
    Motif("Squalane", ("dry skin", "mature skin"), "Olive squalane softens without a heavy film."),
    Motif("Shea", ("dry skin",), "Shea butter melts in slowly and keeps skin supple for hours."),
    Motif("Hyaluronic", ("dry skin",), "Hyaluronic acid gives skin that feels tight a fuller, rested look."),
    Motif("Calendula", ("sensitive skin", "dry skin"), "Calendula is a gentle choice for skin that is easily upset."),
    Motif("Chamomile", ("sensitive skin", "redness"), "Chamomile extract is there for its mild, settled feel."),
    Motif("Centella", ("redness", "sensitive skin"), "Centella is there for skin that flushes easily."),
    Motif("Aloe", ("redness", "sensitive skin"), "Aloe juice gives it a cool, watery first touch."),
    Motif("Cucumber", ("redness", "oily skin"), "Cucumber water keeps it light and fresh."),
    Motif("Green Tea", ("oily skin", "redness"), "Green tea keeps it light on skin that turns shiny by noon."),
    Motif("Niacinamide", ("oily skin", "dark spots"), "Niacinamide evens the look of skin and keeps shine in check."),
    Motif("Zinc", ("oily skin", "blemish-prone"), "Zinc leaves a soft matt finish."),
    Motif("Clay", ("oily skin", "blemish-prone"), "White clay takes up what is too much oil."),
    Motif("Willow Bark", ("blemish-prone", "oily skin"), "Willow bark smooths rough patches."),
    Motif("Azelaic", ("blemish-prone", "dark spots"), "Azelaic acid helps uneven patches look less obvious."),
    Motif("Thyme", ("blemish-prone",), "Thyme leaves skin feeling clean, never stripped."),
    Motif("Vitamin C", ("dark spots", "mature skin"), "A stable vitamin C brings a brighter look with regular use."),
    Motif("Liquorice", ("dark spots", "redness"), "Liquorice root evens the look of skin over a few weeks."),
    Motif("Rosehip", ("mature skin", "dark spots"), "Rosehip oil adds a quiet glow."),
    Motif("Peptide", ("mature skin",), "Peptides leave skin looking smoother and well rested."),
    Motif("Bakuchiol", ("mature skin", "blemish-prone"), "Bakuchiol smooths the look of fine lines."),
    Motif("Sea Buckthorn", ("mature skin", "dry skin"), "Sea buckthorn lends it a golden colour that does not stain."),
    # Hair
    Motif("Argan", ("dry hair", "frizz"), "Argan oil makes rough lengths easier to comb."),
    Motif("Rice Protein", ("fine hair",), "Rice protein gives fine hair a little more body."),
    Motif("Nettle", ("oily scalp",), "Nettle keeps roots fresh for a day longer."),
    Motif("Flaxseed", ("frizz", "curly hair"), "Flaxseed holds curls together without a crust."),
    Motif("Birch", ("sensitive scalp",), "Birch water is mild on scalps that dislike strong shampoo."),
    Motif("Camellia", ("dry hair", "coloured hair"), "Camellia oil brings shine back to coloured lengths."),
    # Lips
    Motif("Cocoa Butter", ("dry skin",), "Cocoa butter stays on through a walk in the wind."),
    Motif("Plum", ("dry skin",), "Plum kernel oil makes it glide without feeling sticky."),
    Motif("Raspberry Seed", ("sensitive skin",), "Raspberry seed oil keeps it light, with no flavouring added."),
    Motif("Fig", ("mature skin",), "Fig seed oil fills dry lines with a soft sheen."),
    # Themes of gifts
    Motif("Slow Sunday", ("dry skin", "gift"), "Put together for a morning without plans."),
    Motif("Winter Hands", ("dry skin", "gift"), "What hands ask for between the first frost and spring."),
    Motif("First Routine", ("sensitive skin", "gift"), "A plain, gentle routine, packed in the order it is used."),
    Motif("Quiet Skin", ("redness", "sensitive skin", "gift"), "The mildest formulas, for skin that reacts easily."),
    Motif("Bright Morning", ("dark spots", "gift"), "Chosen for a fresh, even look before work."),
    Motif("Clear Days", ("blemish-prone", "oily skin", "gift"), "Light textures that wash off easily and never shine."),
    Motif("Evening Ritual", ("mature skin", "gift"), "Turns the end of the day into a small occasion."),
    Motif("Weekend Away", ("travel size", "gift"), "Small bottles that pass any airport."),
    Motif("By the Sea", ("sun care", "gift"), "Sunscreen and what comes after it, packed for the beach."),
    Motif("Long Bath", ("dry skin", "gift"), "Everything but the bathtub, for a cold evening."),
    Motif("New Parent", ("sensitive skin", "gift"), "Things that need one free hand and one minute."),
    Motif("Thank You", ("gift",), "A modest present for a neighbour, a teacher or a friend."),
    # Materials
    Motif("Organic Cotton", ("plastic free",), "Woven from undyed organic cotton and washable at 60 degrees."),
    Motif("Linen", ("plastic free",), "Washed linen that grows softer with every month."),
    Motif("Bamboo", ("plastic free",), "The handle is bamboo, oiled and not lacquered."),
    Motif("Beechwood", ("plastic free",), "Turned from beech and oiled, with plant bristles."),
    Motif("Recycled Nylon", ("recycled",), "Sewn from recycled nylon, with a lining that wipes clean."),
)

MOTIFS = {motif.name: motif for motif in _MOTIFS}
