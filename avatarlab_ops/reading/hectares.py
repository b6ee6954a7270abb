"""Whether "ha" behind a number is hectares or a verb, in Italian and Spanish: 10 ha, 2024 ha aperto."""

# ruff: noqa: E501, RUF001  (lists of words; typographic apostrophes)

from __future__ import annotations

import re

# Italian "ha" is a verb by itself, so that almost any word may follow it; what follows hectares is known.
_OF_LAND = re.compile(
    r"(?!\s*[\w\"«“(])|\s+(?:d['’]|(?:di|del|della|dei|delle|dello|degli|e|o|ed|circa|cadauno|ciascuno|"
    r"totali|complessivi|boschivi|agricoli|(?:colt|riserv|destin|irrig|piant)[a-z]*ati)\b|a (?:vigneto|uliveto|"
    r"oliveto|bosco|pascolo|prato|frutteto|seminativo|grano|mais)\b|in (?!programma|mente|comune|corso|cantiere|serbo|"
    r"gestione|dotazione|vendita|media|sé|palio)|con (?!sé\b)|per (?!obiettiv|scopo|oggetto|tema|titolo|legge)|"
    r"(?:su|tra|fra|sono|è|era|erano|distrutti|rimasti|andati)\b|"
    r"(?!dati|risultati|candidati|soldati|invitati|abbonati|impiegati|delegati|mercati|stati|prati|gradi|contenuti|"
    r"aiuti|minuti|attributi|requisiti|limiti|inviti|vestiti|tributi|istituti|affiliati|laureati|separati|privati)"
    r"[a-z]+(?:abili|ibili|ati|iti|uti|igui)\b|\()"
)
# Behind these a number measures, unless the verb follows: un terreno di 20 ha produce; il gruppo di 5 ha vinto.
_MEASURED = re.compile(
    r"\b(?:di|circa|oltre|quasi|superficie|bruciati|estes[oaie] per|estend\w+ per|misura|misurano|occupa|occupano|"
    r"possiede|coltiva):? $",
    re.I,
)
_VERB = re.compile(
    r"\s+(?:(?!presso\b|quest)[a-zà-ÿ]*(?:[aiu]t[oa]|tt[oa]|nt[oa]|rt[oa]|st[oa](?<!costa)|lto|ss[oa]|rso|uso|iso|eso)\b|"
    r"(?:un|una|uno|il|la|lo|i|gli|le|già|appena|sempre|mai|anche|più|meno|molt[aeio]|poch[ei]|tant[aeio]|non|"
    r"dei|delle|degli|bisogno|diritto|paura|ragione|torto|luogo|inizio|senso)\b|[a-z]+[’']|\d)"
)
# Spanish "ha" only helps another verb: ha subido, ha sido, ha de entregarse.
_HELPS = re.compile(
    r"\s+(?:(?:ya|no|también|siempre|nunca|casi|vuelto a)\s+)?"
    r"(?:[a-zà-ÿ]*(?:[ai]do|ído|isto|echo|icho|uesto|uerto|ierto|rito|uelto)(?:se|l[aoe]s?)?\b|roto\b|impreso\b|"
    r"de (?:ser|estar|tener|haber|hacer|ir|poder|pagar|cumplir|superar|entregar|presentar)(?:se)?\b)"
)


def italian(match: re.Match[str]) -> bool:
    """Whether the unit of a measure is the verb: il modulo 3 ha un test; but 10 ha, 10 ha di bosco."""
    if match["unit"] != "ha" or _OF_LAND.match(match.string, match.end()):
        return False
    measured = _MEASURED.search(match.string[max(0, match.start() - 60) : match.start()])
    return not measured or _VERB.match(match.string, match.end()) is not None


def spanish(match: re.Match[str]) -> bool:
    """The same: en 2024 ha subido; but una finca de 10 ha en Soria."""
    return match["unit"] == "ha" and _HELPS.match(match.string, match.end()) is not None
