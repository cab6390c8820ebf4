"""What a drawn product picture shows: the colours of its family, and the form that its words speak of.

Tables, mostly: a new form is one more entry in FORMS and the words that ask for it in WORDS.
"""

import hashlib
import json
import re
from typing import Literal, NamedTuple

GRID = 600  # forms are designed on a square of 600 units, whatever the size of the picture
Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]
LABEL, WHITE, BLACK = (250, 248, 243), (255, 255, 255), (0, 0, 0)
FLAME, GLOW = (233, 165, 84), (252, 226, 166)  # a candle burns warm in every palette


class Palette(NamedTuple):
    """The four chosen colours of a scene; the other ones are mixed from these."""

    wall: str
    body: str
    lid: str
    accent: str


PALETTES = (
    Palette("#e9ece2", "#9fb199", "#4a6350", "#c98b66"),  # sage
    Palette("#f3e6de", "#d9a58e", "#8c4a3a", "#5f7d74"),  # terracotta
    Palette("#e4e9ee", "#94a9bd", "#3d5570", "#d19a5b"),  # slate blue
    Palette("#f4ecd9", "#dcbd7b", "#7a5a22", "#8a6f9c"),  # honey
    Palette("#f3e4e6", "#d6a0a8", "#7d3f4e", "#7d9181"),  # rose
    Palette("#ebe6ef", "#ab9bc2", "#544468", "#c79a4f"),  # lavender
    Palette("#dfebea", "#84b0ac", "#2c5c5b", "#d9826a"),  # sea
    Palette("#ece7df", "#b9a78f", "#5b4a3a", "#7c9179"),  # oat
    Palette("#eef0dc", "#b7bd76", "#5a6128", "#c4735a"),  # olive
    Palette("#f6e7da", "#e3a874", "#93501f", "#4f7480"),  # apricot
    Palette("#e6e6e6", "#8d939a", "#2e343b", "#c9a45c"),  # graphite
    Palette("#e3ecf3", "#9cc0d9", "#33617f", "#e0926f"),  # sky
    Palette("#f1e3ea", "#b9849f", "#5a2f4a", "#c9a063"),  # plum
    Palette("#e2ebe4", "#6f9c86", "#1f4a3b", "#d6a55c"),  # pine
)

Role = Literal["body", "lid", "accent", "label", "side", "light", "flame", "glow"]
Shape = Literal["round", "oval", "polygon", "ring"]


class Part(NamedTuple):
    """One surface of a form, in grid units, painted in order. `size` is a corner radius, or a ring's thickness."""

    shape: Shape
    role: Role
    points: tuple[int, ...]
    size: int = 0
    turned: bool = False  # a body of revolution: darker towards its left and right edge


class Form(NamedTuple):
    """A product's silhouette, in grid units."""

    words: Box  # the flat part of the label, where the title goes
    foot: int  # the width on the table, for the shadow
    parts: tuple[Part, ...]


FORMS: dict[str, Form] = {
    "jar": Form((165, 306, 435, 468), 330, (
        Part("round", "body", (125, 235, 475, 520), 48, turned=True),
        Part("round", "label", (125, 300, 475, 474), 0, turned=True),
        Part("round", "lid", (138, 158, 462, 252), 20, turned=True),
    )),
    "bottle": Form((182, 298, 418, 474), 285, (
        Part("round", "lid", (284, 100, 316, 190), 4, turned=True),
        Part("round", "lid", (196, 84, 340, 118), 14),
        Part("round", "lid", (252, 160, 348, 232), 10, turned=True),
        Part("round", "body", (150, 214, 450, 522), 52, turned=True),
        Part("round", "label", (150, 292, 450, 480), 0, turned=True),
    )),
    "dropper": Form((182, 302, 418, 470), 275, (
        Part("round", "accent", (268, 78, 332, 190), 32, turned=True),
        Part("round", "lid", (244, 160, 356, 232), 8, turned=True),
        Part("round", "body", (150, 216, 450, 522), 74, turned=True),
        Part("round", "label", (150, 296, 450, 476), 0, turned=True),
    )),
    "tube": Form((186, 168, 414, 352), 200, (
        Part("round", "lid", (196, 440, 404, 524), 12, turned=True),
        Part("polygon", "body", (142, 96, 458, 96, 414, 456, 186, 456)),
        Part("polygon", "side", (140, 78, 460, 78, 458, 108, 142, 108)),
        Part("round", "label", (178, 160, 422, 360), 10),
    )),
    "box": Form((154, 250, 406, 442), 360, (
        Part("polygon", "side", (440, 176, 496, 138, 496, 478, 440, 522)),
        Part("polygon", "light", (120, 176, 176, 138, 496, 138, 440, 176)),
        Part("polygon", "body", (120, 176, 440, 176, 440, 522, 120, 522)),
        Part("round", "accent", (120, 196, 440, 206)),
        Part("round", "label", (146, 240, 414, 452), 6),
    )),
    "bag": Form((174, 278, 426, 460), 370, (
        Part("ring", "lid", (212, 76, 388, 330), 15),
        Part("polygon", "body", (138, 198, 462, 198, 488, 522, 112, 522)),
        Part("polygon", "side", (138, 198, 462, 198, 464, 222, 136, 222)),
        Part("round", "label", (166, 270, 434, 468), 8),
    )),
    "pouch": Form((176, 240, 424, 430), 310, (
        Part("round", "body", (142, 108, 458, 524), 26, turned=True),
        Part("round", "side", (142, 108, 458, 156), 14),
        Part("round", "light", (142, 174, 458, 180)),
        Part("round", "label", (168, 230, 432, 440), 10),
    )),
    "card": Form((156, 128, 444, 330), 420, (
        Part("round", "side", (88, 262, 512, 522), 10),
        Part("round", "label", (128, 104, 472, 480), 8),
        Part("polygon", "body", (88, 306, 300, 440, 512, 306, 512, 522, 88, 522)),
        Part("polygon", "light", (88, 522, 300, 404, 512, 522)),
    )),
    "candle": Form((176, 312, 424, 472), 310, (
        Part("oval", "flame", (280, 96, 320, 190)),
        Part("oval", "glow", (290, 136, 310, 186)),
        Part("round", "lid", (296, 178, 304, 250), 3),
        Part("round", "light", (146, 232, 454, 330), 22, turned=True),
        Part("round", "body", (138, 258, 462, 522), 34, turned=True),
        Part("round", "label", (138, 306, 462, 478), 0, turned=True),
    )),
    "mug": Form((148, 282, 402, 450), 310, (
        Part("ring", "body", (366, 246, 528, 450), 32),
        Part("round", "body", (108, 196, 442, 522), 46, turned=True),
        Part("oval", "side", (114, 178, 436, 226)),
        Part("round", "label", (108, 276, 442, 456), 0, turned=True),
    )),
    "tag": Form((178, 256, 422, 446), 310, (
        Part("ring", "lid", (258, 44, 342, 200), 6),
        Part("polygon", "body", (224, 132, 376, 132, 452, 208, 452, 522, 148, 522, 148, 208)),
        Part("oval", "side", (280, 152, 320, 192)),
        Part("round", "label", (170, 246, 430, 456), 8),
    )),
    "plate": Form((172, 212, 428, 416), 210, (
        Part("oval", "body", (90, 104, 510, 524)),
        Part("oval", "side", (122, 136, 478, 492)),
        Part("oval", "label", (130, 144, 470, 484)),
    )),
}  # fmt: skip

WORDS = {
    "jar": "cream moisturiser moisturizer balm mask scrub butter jar jam honey wax tin bowl basin pot",
    "bottle": "cleanser wash shampoo conditioner lotion gel soap bottle pump toner tonic micellar foam water",
    "dropper": "serum oil essence ampoule drops perfume tincture concentrate fragrance",
    "tube": "tube sunscreen spf toothpaste paste exfoliator peel primer lip gloss lipstick",
    "box": "box set kit case cabinet drawer game puzzle block jigsaw radio collection",
    "bag": "bag tote shopper basket purse rucksack backpack apron cushion cosy holdall",
    "pouch": "pouch sachet tea coffee refill wipes salt napkin tissue pack confetti sweet chocolate",
    "card": "card wrap paper notebook book letter calendar print poster postcard envelope sticker ribbon sign picture",
    "candle": "candle t-light tealight light lantern diffuser incense lamp holder votive",
    "mug": "mug cup teacup saucer teapot jug tumbler glass beaker",
    "tag": "tag necklace earring bracelet ring charm ornament decoration garland bunting heart hook keyring bauble",
    "plate": "plate clock mirror tray dish platter cakestand stand doormat mat frame coaster magnet wreath",
}
NEUTRAL = ("box", "card", "pouch", "tag")  # can be anything; a sponge in a bottle would look like a mistake
FORM_OF_WORD = {word: form for form, words in WORDS.items() for word in words.split()}
AFTER_THE_NOUN = re.compile(r"\b(?:with|for|from|in|by)\b")


def choose_palette(family: str) -> Palette:
    """One palette a family, whatever its spelling in capitals or spaces."""
    return PALETTES[stable_number("palette", family.casefold().strip()) % len(PALETTES)]


def choose_form(title: str, family: str) -> str:
    """The form that the words speak of; else any one, but always the same one.

    English puts the noun last ("cream heart candle"), so words are read backwards, and first without what
    follows a preposition ("day cream with rose oil").
    """
    for text in (AFTER_THE_NOUN.split(title.casefold())[0], title.casefold(), family.casefold()):
        for word in reversed(re.findall(r"[a-z][a-z-]*", text[:400])):
            form = FORM_OF_WORD.get(word) or FORM_OF_WORD.get(word.removesuffix("s"))
            if form:
                return form
    return NEUTRAL[stable_number("form", title, family) % len(NEUTRAL)]


def scene_colours(palette: Palette) -> dict[str, Colour]:
    """The whole scene from four colours, so that nothing in it can clash."""
    wall, body, lid, accent = (_rgb(colour) for colour in palette)
    return {
        "wall": wall,
        "sun": mix(wall, WHITE, 0.5),
        "table": mix(wall, body, 0.28),
        "body": body,
        "side": mix(body, lid, 0.4),
        "light": mix(body, WHITE, 0.35),
        "lid": lid,
        "accent": accent,
        "label": LABEL,
        "ink": mix(lid, BLACK, 0.45),
        "flame": FLAME,
        "glow": GLOW,
    }


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _rgb(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def stable_number(*words: str) -> int:
    """The same number in every process and on every machine, unlike `hash`."""
    return int.from_bytes(hashlib.sha256(json.dumps(words).encode("ascii")).digest()[:8], "big")
