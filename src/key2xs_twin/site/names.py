"""Words to make units, firms and people from. Every combination is invented."""

from __future__ import annotations

# (code, name) in the order in which they are built: the first eight make the small site complete.
UNITS = (
    ("CDU", "Crude distillation"),
    ("VDU", "Vacuum distillation"),
    ("FCC", "Catalytic cracker"),
    ("NHT", "Naphtha hydrotreater"),
    ("SRU", "Sulphur recovery"),
    ("UTL", "Utilities"),
    ("TNK", "Tank farm"),
    ("JTY", "Jetties"),
    ("HCU", "Hydrocracker"),
    ("GHT", "Gasoil hydrotreater"),
    ("REF", "Reformer"),
    ("ISO", "Isomerisation"),
    ("VBU", "Visbreaker"),
    ("HFA", "Alkylation"),
    ("AMN", "Amine treating"),
    ("SWS", "Sour water stripper"),
    ("HMU", "Hydrogen"),
    ("FLR", "Flare"),
    ("LOB", "Base oil"),
    ("LDR", "Road loading"),
    ("LDT", "Rail loading"),
    ("WWT", "Waste water"),
    ("CGN", "Cogeneration"),
    ("COK", "Coker"),
    ("LPG", "Gas recovery"),
)

AREAS = (
    "Distillation",
    "Conversion",
    "Utilities and treating",
    "Offsites and marine",
    "Hydroprocessing",
    "Gas plant",
    "Base oils",
    "Loading",
    "Chemicals north",
    "Chemicals south",
    "Energy",
    "Water",
    "Storage east",
    "Storage west",
)

GIVEN_NAMES = tuple(
    """Aafke Abel Adil Agnes Aleid Amber Anouk Arend Aron Aylin Bart Bente Bilal Bram Carlijn Cem Chiel Daan Dagmar
    Darya Dieke Dirk Ebru Eelco Elif Emre Esra Evert Fenna Ferd Floor Freek Gijs Guus Hanna Harm Hatice Hedda Hidde
    Ilse Imke Iris Iwan Jelle Jorn Joris Kaj Karim Klaas Leila Lieke Lars Lotte Luuk Maaike Malik Marit Mees Merel
    Mila Milan Moos Nadia Niek Nora Okke Olaf Onno Piet Pleun Quinten Rana Reza Rik Roos Sanne Siem Sietse Sofie
    Stijn Tamar Teun Thijs Tijn Umit Vera Wessel Wies Yara Yusuf Zeynep Zoe""".split()  # noqa: SIM905 - a list of words reads better as words
)

FAMILY_NAMES = tuple(
    """Aartsveld Achterhuis Akkerdijk Balkenbrug Berkelmeer Bijlweg Boomstede Brakestein Broekkant Dalemvoort
    Dijkgaarde Dorenbos Duinsma Eikenrode Elzenaar Engelveen Fokkerhof Gaastmeer Geestland Gorsveld Grachtzijde
    Haverkade Heidstra Hofmeent Hoogvliedt Ijsseldam Jachtveld Kadelaar Kerkwijk Klaverzand Kolkman Kreeksma
    Kustlaan Landtong Leliveld Lindewal Maasoever Meerpaal Molenkant Moerzicht Nieuwland Noordkaap Oeverstra
    Oosterkade Peperklip Plassenburg Polderman Rietkraag Rijsberg Roggeveen Ruigoord Schansweg Sluiswacht
    Slootmaker Steenzicht Tolbrug Torenaar Turfschip Uiterwaal Veenstaete Vlietland Voorhaven Waalkens Waterkant
    Weidezicht Wilgenhof Windhoek Zandvaart Zeekraal Zijlmans Zuiderdiep""".split()  # noqa: SIM905 - a list of words reads better as words
)

FIRM_FIRST = tuple(
    """Maasmond Deltapoort Havenlicht Noordzee Scheldekant Botlekse Rijnpolder Zuidwal Oeverzicht Kustlijn""".split()  # noqa: SIM905 - a list of words reads better as words
)
FIRM_TRADES = (
    ("Scaffolding", "scaffolder"),
    ("Mechanical", "fitter"),
    ("Electrical", "electrician"),
    ("Insulation", "insulator"),
    ("Industrial Cleaning", "cleaner"),
    ("Inspection", "inspector"),
    ("Instrumentation", "instrument_technician"),
    ("Lifting", "lifting_supervisor"),
    ("Welding", "welder"),
    ("Catalyst Handling", "catalyst_worker"),
)
