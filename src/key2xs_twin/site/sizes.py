"""The three sizes of a synthetic site.

Source: published figures of Rotterdam refineries (small: 140 own people; middle: 1,600; large: 1,900), the rest are
estimates whose formulas stand in `Sizes` and in README.md.
"""

from __future__ import annotations

from .model import Sizes

SIZES = {
    "S": Sizes(
        areas=4,
        units=8,
        tanks=40,
        berths=3,
        substations=8,
        perimeter=40,
        lock_boxes=60,
        own_people=140,
        extra_people=700,
        firms=20,
        operators_on_shift=15,
        maintenance=40,
        keys=300,
        metal_keys=12,
        cliq_keys=40,
    ),
    "M": Sizes(
        areas=8,
        units=25,
        tanks=120,
        berths=8,
        substations=25,
        perimeter=150,
        lock_boxes=250,
        own_people=1600,
        extra_people=2800,
        firms=60,
        operators_on_shift=120,
        maintenance=100,
        keys=1250,
        metal_keys=50,
        cliq_keys=160,
    ),
    "L": Sizes(
        areas=14,
        units=66,
        tanks=250,
        berths=20,
        substations=60,
        perimeter=450,
        lock_boxes=600,
        own_people=1900,
        extra_people=2100,
        firms=100,
        operators_on_shift=250,
        maintenance=250,
        keys=1350,
        metal_keys=60,
        cliq_keys=280,
    ),
}
