"""The catalogue of the shop: product lines with their form, size, print, and the signals of their counterfeits."""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[int, int, int]  # sRGB

SEMANTICS = {  # form -> class of the taxonomy
    "pet": "bottle",
    "wine": "bottle",
    "flask": "bottle",
    "square": "bottle",
    "can": "can",
    "tin": "can",
    "jar": "jar",
    "tube": "tube",
    "packet": "packet",
    "gable": "packet",
}
SIGNALS = {  # what is wrong with a counterfeit -> its class
    "print": "counterfeit_print",
    "hue": "counterfeit_hue",
    "logo": "counterfeit_logo",
    "barcode": "counterfeit_barcode",
    "cap": "counterfeit_cap",
    "gloss": "counterfeit_gloss",
}
PRINTED_SIGNALS = ("print", "hue", "logo", "barcode")  # those that need artwork of their own
GENUINE = "genuine"


@dataclass(frozen=True)
class Line:
    """One product line; all its items are equal but for counterfeits."""

    name: str
    department: str  # what stands near each other
    form: str  # a key of SEMANTICS
    size_m: tuple[float, float, float]  # width along the shelf, depth, height
    brand: str
    product: str
    art: str  # the picture: see retail_pictures.PICTURES
    paper: Color
    accent: Color
    ink: Color
    ean: str  # 12 digits; the 13th is their check digit
    signals: tuple[str, str]
    cap: str = ""  # material
    body: str = ""  # material of what is not printed
    liquid: str = ""  # material


WHITE, BLACK = (250, 249, 245), (24, 24, 28)
LINES = (
    # Drinks.
    Line("AuroraWater", "Drinks", "pet", (0.066, 0.066, 0.25), "AURORA", "still water", "mountain", (232, 244, 252),
         (26, 104, 190), WHITE, "400123450011", ("hue", "cap"), "CapBlue", "PetClear",
         "LiquidWater"),
    Line("ColaRed", "Drinks", "pet", (0.068, 0.068, 0.245), "Kolo", "cola", "waves", (196, 18, 30),
         (120, 6, 14), WHITE, "400123450028", ("logo", "cap"), "CapRed", "PetClear", "LiquidCola"),
    Line("OrangeSoda", "Drinks", "pet", (0.067, 0.067, 0.235), "ZEST", "orange soda", "fruit", (24, 104, 52),
         (252, 146, 20), WHITE, "400123450035", ("print", "gloss"), "CapGreen", "PetClear", "LiquidOrange"),
    Line("RubyWine", "Drinks", "wine", (0.076, 0.076, 0.31), "Castel Noir", "grand cru 2021", "crest", (244, 238, 220),
         (128, 20, 36), BLACK, "400123450042", ("logo", "hue"), "CapsuleRed", "GlassGreen"),
    Line("GoldWine", "Drinks", "wine", (0.076, 0.076, 0.305), "VIGNA ORO", "bianco", "crest", (24, 34, 28),
         (204, 168, 84), (222, 190, 110), "400123450059", ("gloss", "cap"), "CapsuleGold", "GlassAmber"),
    Line("PaleLager", "Drinks", "can", (0.066, 0.066, 0.122), "HOLM", "pale lager", "crest", (236, 234, 226),
         (22, 92, 60), (22, 92, 60), "400123450066", ("print", "barcode"), "Tinplate"),
    Line("VoltEnergy", "Drinks", "can", (0.053, 0.053, 0.135), "VOLT", "energy", "bolt", (22, 22, 26),
         (170, 230, 30), (170, 230, 30), "400123450073", ("hue", "gloss"), "Tinplate"),
    Line("ApplePress", "Drinks", "gable", (0.072, 0.072, 0.235), "ORCHARD", "apple juice", "fruit", (246, 248, 236),
         (196, 40, 40), (44, 110, 40), "400123450080", ("barcode", "print")),
    # Breakfast.
    Line("HoneyRings", "Breakfast", "packet", (0.19, 0.062, 0.282), "Honey Rings", "toasted oats", "grain",
         (250, 196, 32), (206, 76, 18), WHITE, "400123451018", ("logo", "print")),
    Line("ChocoPops", "Breakfast", "packet", (0.18, 0.06, 0.27), "CHOCOPOPS", "cocoa rice", "grain", (86, 46, 26),
         (240, 180, 60), (86, 46, 26), "400123451025", ("hue", "barcode")),
    Line("AlpineMuesli", "Breakfast", "packet", (0.16, 0.065, 0.245), "Alpine", "fruit muesli", "mountain",
         (226, 238, 224), (24, 110, 84), WHITE, "400123451032", ("print", "gloss")),
    Line("GreenTea", "Breakfast", "packet", (0.128, 0.066, 0.082), "SENCHA", "20 bags", "leaf", (216, 232, 186),
         (60, 120, 40), WHITE, "400123451049", ("barcode", "hue")),
    Line("RoastCoffee", "Breakfast", "jar", (0.078, 0.078, 0.145), "MORENO", "instant coffee", "sun", (40, 26, 20),
         (206, 150, 60), (236, 200, 130), "400123451056", ("cap", "logo"), "CapGold", "GlassClear", "FillCoffee"),
    Line("BerryJam", "Breakfast", "jar", (0.072, 0.072, 0.098), "Grandma Lil", "strawberry jam", "check",
         (252, 244, 236), (190, 24, 48), (130, 16, 34), "400123451063", ("print", "cap"), "CapRed", "GlassClear",
         "FillBerry"),
    # Pantry.
    Line("TomatoSoup", "Pantry", "tin", (0.076, 0.076, 0.11), "SOLARA", "tomato soup", "fruit", (248, 236, 210),
         (204, 36, 30), WHITE, "400123452015", ("barcode", "hue"), "Tinplate"),
    Line("SweetCorn", "Pantry", "tin", (0.084, 0.084, 0.082), "Campo", "sweet corn", "grain", (28, 120, 62),
         (250, 206, 50), WHITE, "400123452022", ("logo", "gloss"), "Tinplate"),
    Line("OliveOil", "Pantry", "square", (0.066, 0.066, 0.28), "TERRA", "extra virgin", "leaf", (240, 234, 208),
         (86, 104, 30), (58, 66, 22), "400123452039", ("cap", "hue"), "CapBlack", "GlassClear", "LiquidOil"),
    Line("ButterBiscuits", "Pantry", "packet", (0.21, 0.05, 0.14), "PETITE", "butter biscuits", "check",
         (24, 52, 124), (250, 210, 80), (24, 52, 124), "400123452046", ("print", "logo")),
    # Care.
    Line("SilkShampoo", "Care", "flask", (0.078, 0.044, 0.215), "SILQ", "shampoo", "waves", (244, 240, 248),
         (128, 66, 160), (92, 40, 120), "400123453012", ("cap", "print"), "CapPurple"),
    Line("SeaShower", "Care", "flask", (0.072, 0.042, 0.2), "marea", "shower gel", "waves", (24, 132, 168),
         (180, 232, 240), WHITE, "400123453029", ("hue", "gloss"), "CapWhite"),
    Line("MintPaste", "Care", "packet", (0.192, 0.042, 0.05), "DENTAL+", "fresh mint", "bolt", (240, 248, 250),
         (0, 128, 170), (200, 24, 40), "400123453036", ("logo", "barcode")),
    Line("HandCream", "Care", "tube", (0.058, 0.042, 0.148), "Lune", "hand cream", "sun", (250, 232, 226),
         (214, 120, 120), (150, 60, 74), "400123453043", ("hue", "cap"), "CapWhite"),
    Line("NoirPerfume", "Care", "packet", (0.078, 0.05, 0.138), "NOIR 9", "eau de parfum", "crest", (20, 20, 24),
         (196, 160, 92), (214, 180, 112), "400123453050", ("gloss", "logo")),
)  # fmt: skip
