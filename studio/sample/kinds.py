"""The kinds of product that the shop sells: where each sits, what it costs, and how its titles and sentences go.

A title is `lead motif purpose noun size`, read left to right, where lead and purpose may be empty:
"Overnight" + "Oat" + "Barrier" + "Cream" + "50 ml".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One product type. `share` is relative, `price` is in euros for the first size in the middle band."""

    path: str
    share: int
    price: float
    sizes: tuple[tuple[str, float], ...]
    leads: tuple[str, ...]
    motifs: tuple[str, ...]
    purposes: tuple[str, ...]
    nouns: tuple[str, ...]
    sentences: tuple[str, ...]
    colours: tuple[str, ...] = ()
    staple: bool = False

    @property
    def family(self) -> str:
        """The first step of the path: `Skin care`, `Cleansing`, …"""
        return self.path.split(" > ")[0]


def _kind(
    path: str,
    share: int,
    price: float,
    sizes: str,
    title: tuple[str, str, str, str],
    *,
    sentences: tuple[str, ...],
    colours: str = "",
    staple: bool = False,
) -> Kind:
    """Read the compact table below: words are split at `|`, a size may carry a price factor after `*`."""
    leads, motifs, purposes, nouns = (tuple(words.split("|")) for words in title)
    priced = tuple((name, float(factor or 1)) for name, _, factor in (size.partition("*") for size in sizes.split("|")))
    shades = tuple(colours.split("|")) if colours else ()
    return Kind(path, share, price, priced, leads, motifs, purposes, nouns, sentences, shades, staple)


_CREAMS = (
    "Oat|Ceramide|Squalane|Shea|Calendula|Centella|Chamomile|Green Tea|"
    "Niacinamide|Zinc|Willow Bark|Vitamin C|Rosehip|Peptide|Liquorice"
)
_LIGHT = "Hyaluronic|Aloe|Cucumber|Green Tea|Niacinamide|Zinc|Willow Bark|Azelaic|Thyme|Liquorice|Centella|Vitamin C"
_SERUMS = (
    "Hyaluronic|Ceramide|Niacinamide|Vitamin C|Peptide|Bakuchiol|"
    "Azelaic|Centella|Liquorice|Green Tea|Squalane|Willow Bark"
)
_WASHES = "Oat|Calendula|Chamomile|Centella|Aloe|Green Tea|Zinc|Willow Bark|Thyme|Clay|Niacinamide"
_MILKS = "Oat|Ceramide|Squalane|Calendula|Chamomile|Aloe|Rosehip|Sea Buckthorn|Liquorice|Bakuchiol"
_SUNS = "Aloe|Green Tea|Oat|Niacinamide|Squalane|Vitamin C|Zinc|Centella|Peptide"
_BODIES = "Oat|Shea|Ceramide|Calendula|Aloe|Sea Buckthorn|Rosehip|Willow Bark|Niacinamide|Squalane"
_HAIRS = "Argan|Rice Protein|Nettle|Flaxseed|Birch|Camellia"
_LIPS = "Cocoa Butter|Plum|Raspberry Seed|Fig|Shea|Oat"
_GIFTS = (
    "Slow Sunday|Winter Hands|First Routine|Quiet Skin|Bright Morning|Clear Days|"
    "Evening Ritual|Weekend Away|By the Sea|Long Bath|New Parent|Thank You"
)

# The table below keeps its own shape: one product type a paragraph, title words on one line where they fit.
# fmt: off
_FACE = (
    _kind("Skin care > Moisturisers > Face cream", 20, 26, "50 ml|75 ml*1.3|30 ml*0.7",
          ("|Everyday|Morning", _CREAMS, "Comfort|Balance|Barrier|Moisture", "Cream|Face Cream"),
          sentences=("A daily cream that settles within a minute and sits well under make-up.",
                     "A medium-weight cream for mornings and evenings.",
                     "A soft face cream; a hazelnut-sized amount is enough for face and neck.")),
    _kind("Skin care > Moisturisers > Night cream", 14, 31, "50 ml|30 ml*0.7",
          ("Overnight|Evening|Late Hours", _CREAMS, "Barrier|Comfort|Renewal|", "Cream|Balm"),
          sentences=("The last step of the evening, slightly richer than a day cream.",
                     "A night cream that is still noticeable on the skin in the morning.",
                     "Put it on half an hour before bed and let it sink in while you read.")),
    _kind("Skin care > Moisturisers > Gel cream", 13, 24, "50 ml|75 ml*1.3",
          ("|Daily|Weightless", _LIGHT, "Water|Fresh|Balance", "Gel Cream|Gel"),
          sentences=("A gel that disappears on contact and leaves nothing sticky behind.",
                     "Light moisture for warm days and heated offices.",
                     "A cool gel cream for people who do not like the feel of cream.")),
    _kind("Skin care > Serums > Face serum", 24, 34, "30 ml|15 ml*0.6|50 ml*1.4",
          ("|Daily|Concentrated", _SERUMS, "Glow|Smoothing|Calm|Balance|", "Serum|Drops"),
          sentences=("A watery serum to put on before cream.",
                     "Three or four drops cover face and neck.",
                     "A short list of ingredients in a dropper bottle, made to sit under any cream.")),
    _kind("Skin care > Oils > Face oil", 9, 29, "30 ml|15 ml*0.6",
          ("|Golden|Evening",
           "Squalane|Rosehip|Sea Buckthorn|Calendula|Bakuchiol|Thyme",
           "Glow|Comfort|", "Face Oil|Dry Oil"),
          sentences=("A light oil to press into damp skin.",
                     "Use it alone in the evening, or mix a drop into your cream.")),
    _kind("Skin care > Eye care > Eye cream", 9, 27, "15 ml|20 ml*1.25",
          ("|Early|Rested",
           "Peptide|Hyaluronic|Squalane|Chamomile|Vitamin C|Cucumber|Niacinamide",
           "Smoothing|Cooling|Bright", "Eye Cream|Eye Gel"),
          sentences=("A light texture for the thin skin around the eyes.",
                     "Pat it in with a fingertip, morning and evening.")),
    _kind("Skin care > Masks > Face mask", 12, 22, "75 ml|100 ml*1.25|50 ml*0.75",
          ("|Weekly|Ten Minute",
           "Clay|Oat|Aloe|Hyaluronic|Green Tea|Rosehip|Centella|Willow Bark|Vitamin C",
           "Reset|Comfort|Glow", "Mask|Face Mask"),
          sentences=("Leave it on for ten minutes, then rinse with warm water.",
                     "A weekly mask that stays soft and does not crack.")),
    _kind("Skin care > Toners > Toner", 11, 18, "200 ml|100 ml*0.6",
          ("|Clear|Soft", _LIGHT, "Balancing|Hydrating|", "Toner|Essence"),
          sentences=("A light step between cleanser and serum.",
                     "Shake some into your palms and press it in; no cotton pad needed.")),
)

_CLEANSING = (
    _kind("Cleansing > Cleansers > Gel cleanser", 15, 15, "150 ml|200 ml*1.25|75 ml*0.6",
          ("|Daily|Soft Foam", _WASHES, "Clean|Balance|", "Gel Cleanser|Face Wash"),
          sentences=("A gel that foams a little and rinses off in seconds.",
                     "A mild daily wash that leaves no tight feeling.",
                     "One pump lifts off the day, sunscreen included."), staple=True),
    _kind("Cleansing > Cleansers > Cream cleanser", 12, 17, "150 ml|200 ml*1.25",
          ("|Gentle|Morning", _MILKS, "Comfort|Soft|", "Cream Cleanser|Cleansing Milk"),
          sentences=("A milky cleanser that needs no foam to do its work.",
                     "Massage it in dry, then take it off with a damp cloth."), staple=True),
    _kind("Cleansing > Make-up removers > Cleansing oil", 9, 21, "150 ml|100 ml*0.75",
          ("|First Step|Evening",
           "Squalane|Oat|Rosehip|Sea Buckthorn|Green Tea|Bakuchiol|Willow Bark",
           "Melting|Silk|", "Cleansing Oil|Cleansing Balm"),
          sentences=("Melts make-up and sunscreen and turns milky under water.",
                     "The first half of a double cleanse, and enough by itself on quiet days.")),
    _kind("Cleansing > Make-up removers > Micellar water", 7, 12, "200 ml|400 ml*1.6",
          ("|Everyday|Pure", "Cucumber|Chamomile|Aloe|Thyme|Oat|Niacinamide", "Clear|Soft", "Micellar Water"),
          sentences=("Takes off make-up with a cotton pad and needs no rubbing.",
                     "For evenings when the basin is too far away.")),
    _kind("Cleansing > Exfoliators > Face peel", 9, 25, "100 ml|50 ml*0.65",
          ("|Mild|Weekly",
           "Willow Bark|Azelaic|Vitamin C|Oat|Liquorice|Niacinamide|Bakuchiol",
           "Smoothing|Polishing|Renewal", "Peel|Exfoliator"),
          sentences=("Use it once or twice a week, and wear sunscreen the next day.",
                     "A liquid exfoliator without grains.")),
)

_SUN_AND_BODY = (
    _kind("Sun care > Face > Face sunscreen", 17, 24, "50 ml|40 ml*0.85",
          ("|Everyday|City", _SUNS, "Invisible|Light|", "Sun Fluid SPF 50|Sunscreen SPF 50|Sun Cream SPF 30"),
          sentences=("A face sunscreen that leaves no white cast.",
                     "Daily sunscreen that behaves like a light moisturiser.",
                     "Sits well under make-up; reapply every two hours outdoors."), staple=True),
    _kind("Sun care > Body > Body sunscreen", 10, 21, "150 ml|200 ml*1.25",
          ("|Family|Beach Day",
           "Aloe|Green Tea|Oat|Squalane|Zinc|Centella|Niacinamide",
           "Light|Cooling|", "Sun Milk SPF 30|Sun Spray SPF 50|Sun Lotion SPF 50"),
          sentences=("Spreads easily, even on legs with sand on them.",
                     "A sunscreen for the whole body in a bottle that works upside down.")),
    _kind("Sun care > After sun > After sun lotion", 7, 16, "200 ml|150 ml*0.8",
          ("|Long Day|Evening",
           "Aloe|Cucumber|Calendula|Oat|Centella",
           "Comfort|Cooling", "After Sun Lotion|After Sun Gel"),
          sentences=("For warm skin after a day outside.",
                     "Keep it in the fridge and be glad of it in the evening.")),
    _kind("Body care > Moisturisers > Body lotion", 15, 16, "250 ml|400 ml*1.4|100 ml*0.5",
          ("|Daily|Sunday", _BODIES, "Comfort|Soft|Smoothing", "Body Lotion|Body Milk"),
          sentences=("A body lotion that lets you dress straight away.",
                     "Easy to spread after the shower, with nothing greasy about it.")),
    _kind("Body care > Moisturisers > Body butter", 9, 19, "200 ml|100 ml*0.6",
          ("|Rich|Whipped",
           "Shea|Oat|Sea Buckthorn|Calendula|Rosehip|Ceramide",
           "Comfort|Winter|", "Body Butter|Body Balm"),
          sentences=("A dense butter that softens in the hand.",
                     "For elbows, heels and the coldest weeks of the year.")),
    _kind("Body care > Hands and feet > Hand cream", 11, 11, "75 ml|50 ml*0.75|30 ml*0.55",
          ("|Pocket|Garden", _BODIES, "Comfort|Barrier|", "Hand Cream|Hand Balm"),
          sentences=("A hand cream that leaves no prints on the phone.",
                     "Absorbs while you look for your keys.")),
    _kind("Body care > Bath and shower > Body wash", 10, 12, "300 ml|500 ml*1.4",
          ("|Morning|Soft", _WASHES, "|Comfort|Fresh", "Body Wash|Shower Cream|Shower Gel"),
          sentences=("Cleans without squeaking and rinses off quickly.",
                     "Made with a fine, low foam.")),
)

_THE_REST = (
    _kind("Hair care > Shampoo", 9, 14, "250 ml|400 ml*1.4",
          ("|Mild|Everyday", _HAIRS, "Balance|Moisture|Volume", "Shampoo"),
          sentences=("A mild shampoo for every second or third day.",
                     "Low foam, easy to rinse.")),
    _kind("Hair care > Conditioner", 8, 15, "250 ml|200 ml*0.85",
          ("|Light|Weekly", _HAIRS, "Moisture|Shine|Soft", "Conditioner|Hair Mask"),
          sentences=("Work it through the lengths, wait two minutes, rinse.",
                     "Makes wet hair easy to comb.")),
    _kind("Lip care > Lip balm", 9, 7, "10 ml|15 ml*1.3",
          ("|Everyday|Winter", _LIPS, "Comfort|Soft|", "Lip Balm|Lip Mask"),
          sentences=("A balm in a small tube that survives any coat pocket.",
                     "Softens lips without a waxy film.")),
    _kind("Lip care > Tinted lip balm", 7, 9, "4 g|10 ml*1.2",
          ("|Sheer|Barely There", _LIPS, "Tinted", "Lip Balm|Lip Butter"),
          sentences=("A sheer tint that needs no mirror.",
                     "Somewhere between balm and lipstick, and easier than both."),
          colours="rosewood|berry|apricot|soft red|cocoa|mauve"),
    _kind("Gift sets > Boxes", 11, 52, "3 pieces|4 pieces*1.3",
          ("|The", _GIFTS, "", "Gift Set|Gift Box"),
          sentences=("Comes in a box that needs no wrapping.",
                     "A present for someone who has enough candles.")),
    _kind("Gift sets > Discovery", 8, 34, "4 minis|6 minis*1.35",
          ("|Little", _GIFTS, "", "Discovery Set|Starter Kit"),
          sentences=("Small sizes to try before choosing a favourite.",
                     "A week of each product, enough to know.")),
    _kind("Accessories > Cloths and sponges", 7, 12, "set of 3|set of 5*1.5",
          ("|Soft", "Organic Cotton|Linen", "Cleansing|Face|Make-up", "Cloths|Pads|Mitts"),
          sentences=("Replaces a drawer full of disposable pads.",
                     "For taking off cleanser, masks and the last of the mascara."), colours="natural|sage|sand"),
    _kind("Accessories > Brushes", 6, 16, "",
          ("|Everyday", "Bamboo|Beechwood", "", "Body Brush|Dry Brush|Hair Brush|Foot Brush"),
          sentences=("Made to last for years and to be mended where that is possible.",
                     "Hang it up to dry and it will keep its shape."), colours="natural|dark"),
    _kind("Accessories > Bags", 5, 22, "small|large*1.4",
          ("|Everyday|Roomy", "Organic Cotton|Linen|Recycled Nylon", "Wash|Travel|Cosmetics", "Bag|Pouch"),
          sentences=("Stands up by itself and closes with a proper zip.",
                     "Room for a week of bottles and a toothbrush."), colours="clay|navy|sage|sand|black"),
)

# fmt: on
KINDS = _FACE + _CLEANSING + _SUN_AND_BODY + _THE_REST
