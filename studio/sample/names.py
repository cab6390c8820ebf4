"""Given names, family names and places: who the subscribers of a shop in Europe with friends elsewhere might be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A country with its time zone, how common it is, and how far its clock is from UTC in winter."""

    country: str
    time_zone: str
    share: int
    hours: int


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PLACES = {
    "en": (
        Place("GB", "Europe/London", 38, 0),
        Place("IE", "Europe/Dublin", 12, 0),
        Place("NL", "Europe/Amsterdam", 9, 1),
        Place("SE", "Europe/Stockholm", 6, 1),
        Place("PL", "Europe/Warsaw", 5, 1),
        Place("PT", "Europe/Lisbon", 4, 0),
        Place("GR", "Europe/Athens", 3, 2),
        Place("US", "America/New_York", 8, -5),
        Place("US", "America/Los_Angeles", 4, -8),
        Place("CA", "America/Toronto", 3, -5),
        Place("IN", "Asia/Kolkata", 3, 5),
        Place("AU", "Australia/Sydney", 3, 10),
        Place("ZA", "Africa/Johannesburg", 2, 2),
    ),
    "de": (
        Place("DE", "Europe/Berlin", 70, 1),
        Place("AT", "Europe/Vienna", 18, 1),
        Place("CH", "Europe/Zurich", 12, 1),
    ),
    "ar": (
        Place("AE", "Asia/Dubai", 5, 4),
        Place("EG", "Africa/Cairo", 3, 2),
        Place("JO", "Asia/Amman", 2, 3),
    ),
}

GIVEN_NAMES = {
    "en": _words(
        "Mira Ada Amara Anna Aoife Beatrice Bethan Camille Carmen Charlotte Chidi Chloé Clara Daniel Daria "
        "Deepa Diego Eilidh Elena Ella Emeka Emma Esther Eva Farah Fatima Femke Fiona Freya George Grace Hana "
        "Hannah Harriet Helena Ines Ingrid Isaac Isabel Iris Jada James Jasmine Joana Jonas Joy Julia Kasia "
        "Katya Kavya Kemi Lakshmi Laura Leila Lena Leo Lily Lotte Lucía Lucy Luka Magda Maisie Maja Marcus "
        "Maria Marta Matteo Mei Mina Molly Nadia Naledi Naomi Nia Niamh Nikhil Noor Nora Oliver Olivia Omar "
        "Orla Paula Petra Philippa Priya Rachel Ravi Rebecca Renée Rosa Ruth Sagal Samira Sanne Sara Saoirse "
        "Sean Siân Sofia Sophie Stella Sunita Tamar Tara Tess Thandi Theo Thomas Uma Valentina Vera Wanjiru "
        "William Yara Yasmin Yuki Zanele Zoë Zofia"
    ),
    "de": _words(
        "Anja Anke Annika Antonia Ayşe Barbara Birgit Björn Carla Charlotte Christian Dilara Elif Emilia Emma "
        "Felix Franziska Frieda Greta Hanna Heike Ida Ines Jana Johanna Jonas Jürgen Karin Katharina Klara "
        "Lea Lena Leni Lina Lukas Luisa Maja Marie Martin Mathilda Mehmet Mia Miriam Monika Nele Nina Paul "
        "Paula Petra Ronja Sabine Sandra Sarah Selin Sigrid Silke Sophie Stefan Susanne Svenja Tanja Theresa "
        "Thomas Ute Vanessa Viktoria Wiebke Zeynep Zoë"
    ),
    "ar": _words("ليلى مريم نور سارة هدى ريم دانا فاطمة سلمى ياسمين عمر كريم يوسف أمل رنا لينا"),
}

LATIN_SPELLINGS = dict(
    zip(
        GIVEN_NAMES["ar"],
        _words("layla maryam nour sara huda reem dana fatima salma yasmin omar karim youssef amal rana lina"),
        strict=True,
    )
)
"""How the addresses spell the Arabic names."""

FAMILY_NAMES = {
    "en": _words(
        "Okafor Abbott Adeyemi Ahmed Andersson Bailey Banerjee Barker Bell Bennett Bhatt Bianchi Brennan "
        "Byrne Campbell Carvalho Chen Clarke Collins Costa Cooper Daly Davies Diaz Dlamini Doyle Edwards "
        "Eriksson Evans Fernandes Fitzgerald Flynn Foster Garcia Gordon Gray Gupta Hall Hansen Hassan Hayes "
        "Hill Hughes Ibrahim Iyer Jackson Jansen Jones Joshi Kamau Kaya Kelly Khan Kim Kowalska Kruger "
        "Lambert Larsen Lee Lewis Lopez Lynch Macleod Malik Martin Mbeki Mehta Mensah Moore Morgan Morris "
        "Murphy Murray Nair Nguyen Nowak Obi Owen Papadaki Park Patel Perez Petrov Pinto Power Quinn Rahman "
        "Reid Reyes Riley Roberts Rossi Ryan Santos Scott Shah Sharma Silva Singh Smit Stewart Suzuki Taylor "
        "Tanaka Thomson Tran Visser Walsh Ward Watson White Williams Wilson Wong Wood Wright Young Zulu"
    ),
    "de": _words(
        "Albrecht Arslan Bauer Baumann Becker Berger Brandt Braun Demir Dietrich Egger Engel Fischer Frank "
        "Gruber Günther Haas Hartmann Hofer Hoffmann Huber Jung Kaiser Keller Koch König Kraus Krüger Kuhn "
        "Lang Lehmann Lorenz Maier Meier Moser Müller Neumann Öztürk Peters Pfeiffer Pichler Richter Roth "
        "Schäfer Schmid Schmidt Schneider Schröder Schulz Schwarz Seidel Simon Sommer Stein Steiner Vogel "
        "Wagner Weber Weiß Winkler Winter Wolf Yildiz Ziegler Zimmermann"
    ),
    "ar": _words("Haddad Mansour Nasser Khoury Saleh Farouk Aziz Rashid Hamdan Sabbagh Qasim Shami"),
}

CONSENT_SOURCES = (
    ("newsletter form", 46),
    ("checkout box", 34),
    ("account page", 11),
    ("competition card", 5),
    ("shop counter, on paper", 4),
)
