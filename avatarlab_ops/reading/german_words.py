"""German abbreviations, and what numbers stand behind."""

# ruff: noqa: E501  (tables)

from __future__ import annotations

SHORT = {
    "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
    "u. a.": "unter anderem", "u.a.": "unter anderem", "usw.": "und so weiter", "bzw.": "beziehungsweise",
    "ca.": "circa", "Dr.": "Doktor", "Prof.": "Professor", "Nr.": "Nummer", "Str.": "Straße", "inkl.": "inklusive",
    "evtl.": "eventuell", "ggf.": "gegebenenfalls", "Tel.": "Telefon", "vgl.": "vergleiche",
    "Abb.": "Abbildung", "v. Chr.": "vor Christus", "zzgl.": "zuzüglich", "ggü.": "gegenüber",
    "ff.": "fortfolgende", "etc.": "et cetera", "med.": "med",
    "u.v.m.": "und vieles mehr", "u. v. m.": "und vieles mehr", "i.d.R.": "in der Regel",
    "i. d. R.": "in der Regel", "MwSt.": "Mehrwertsteuer", "Nrn.": "Nummern", "Co.": "Co",
    "max.": "maximal", "o. g.": "oben genannte", "v. a.": "vor allem", "s. o.": "siehe oben",
    "s. u.": "siehe unten", "mind.": "mindestens", "Mind.": "mindestens", "Ca.": "circa", "Inkl.": "inklusive",
    "Evtl.": "eventuell", "Ggf.": "gegebenenfalls", "z. T.": "zum Teil", "z.T.": "zum Teil",
    "tägl.": "täglich", "erm.": "ermäßigt", "Tabl.": "Tabletten", "Art.-Nr.": "Artikelnummer", "u.": "und",
    "zzt.": "zurzeit", "Hbf.": "Hauptbahnhof", "Jh.": "Jahrhundert", "ü. NN": "über Normalnull", "und/oder": "und oder",
    "n. Chr.": "nach Christus", "o. Ä.": "oder Ähnliches", "Hr.": "Herr", "Fr.": "Frau",
    "o.Ä.": "oder Ähnliches", "u. Ä.": "und Ähnliches", "u.Ä.": "und Ähnliches", "s.o.": "siehe oben",
    "s.u.": "siehe unten", "s. a.": "siehe auch", "lt.": "laut", "gem.": "gemäß", "bzgl.": "bezüglich", "insb.": "insbesondere",
    "einschl.": "einschließlich", "ausschl.": "ausschließlich", "i. S. d.": "im Sinne des", "i.S.d.": "im Sinne des",
    "i. V. m.": "in Verbindung mit", "i.V.m.": "in Verbindung mit", "u. U.": "unter Umständen", "u.U.": "unter Umständen",
    "z. Hd.": "zu Händen", "z.Hd.": "zu Händen", "i. H. v.": "in Höhe von", "i.H.v.": "in Höhe von", "m. E.": "meines Erachtens",
    "m.E.": "meines Erachtens", "v.a.": "vor allem", "o.g.": "oben genannte", "Best.-Nr.": "Bestellnummer", "Kd.-Nr.": "Kundennummer",
    "Tel.-Nr.": "Telefonnummer", "lfd.": "laufende", "Temp.": "Temperatur", "insg.": "insgesamt", "Fa.": "Firma", "Fam.": "Familie", "Bsp.": "Beispiel", "Dipl.-Ing.": "Diplom-Ingenieur",
}  # fmt: skip
# Before a number alone: they are words by themselves, too, as in "aller Art."
BEFORE_NUMBER = {
    "abs.": "Absatz", "art.": "Artikel", "tab.": "Tabelle", "kap.": "Kapitel", "gr.": "Größe", "vers.": "Version",
    "zw.": "zwischen", "pos.": "Position", "anm.": "Anmerkung",
}  # fmt: skip
KINGS = "Ludwig|Karl|Friedrich|Wilhelm|Heinrich|Otto|Papst Benedikt|Benedikt|Johannes Paul|Papst Johannes|Gustav|Franz|Philipp|Charles|Leo"
QUEENS = "Katharina|Elisabeth|Margarethe|Maria"
NUMBERED = (
    "Kapitel|Seite|Nummer|Artikel|Band|Punkt|Teil|Phase|Schritt|Gruppe|Kanal|Version|Zimmer|Gleis|Platz|Level"
)
# What follows a number that counts and is no year: 1500 neue Bäume, 1200 mal, 1500 davon.
NO_ADJECTIVE = (
    "die|den|[kmds]?einen?|ihren?|unseren?|euren?|diesen?|jenen?|jeden?|allen?|vielen?|mehreren?|"
    "einigen?|beiden?|manchen?|solchen?|welchen?|ersten?|heute|ohne|beinahe|gerade|lange|gerne|alleine|"
    "gegen|wegen|neben|zwischen|inzwischen|zusammen|außen|oben|unten|hinten|innen|geboren|gestorben|"
    "wurden?|hatten?|waren|haben|werden|lebten?|starben|kamen|gingen"
)
BIG = {
    "Mio": "eine Million",
    "Mrd": "eine Milliarde",
    "Million": "eine Million",
    "Milliarde": "eine Milliarde",
}
