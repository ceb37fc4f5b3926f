"""Photographs that the networks of the picture coder were not trained on."""

HELD_OUT = (
    "kde_Autumn",
    "kde_ColorfulCups",
    "kde_OneStandsOut",
    "mate_Garden",
    "mate_TwoWings",
    "mate_Wood",
    "sk_coffee",
    "skl_flower_half",
    "wesat_cvo9xd_keong_macan",
)
