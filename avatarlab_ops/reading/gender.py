"""Feminine nouns of the Romance languages, for the numbers before them: una noche, duas horas, 21 étapes.

By the noun's ending, and by lists of ours for frequent nouns that do not follow it. A noun that is on no list
and ends in no known way counts as masculine, the form in which numbers are cited.
"""

from __future__ import annotations

import functools
import re

_ENDINGS = {
    "es": r"as?|(?:[cstgxnl]i|[aeou])ón|iones|dad(?:es)?|tud(?:es)?|umbres?|[cs]is",
    "fr": r"[stxg]ions?|tés?|ées?|[eo]sses?|[aei]lles?|ettes?|[ae]nces?|ures?|ises?|ies?|[au]des?|ines?",
    "it": r"a|[sgz]ione|[sgz]ioni|tà|tù|trice|trici|udine|udini|[aeiou]gine",
    "pt": r"as?|ãs?|[çs]ão|[çs]ões|dades?|tudes?|agem|agens|ícies?",
}
_FEMININE = {
    "es": "noche clase parte calle llave mano foto moto frase base fase imagen imágenes mujer "
          "mujeres red redes tarde serie superficie nube fuente mente señal señales piel flor "
          "flores ley leyes pared paredes orden órdenes gente nave clave torre madre sangre leche "
          "carne suerte muerte web labor radio especie vez veces voz voces luz luces "
          "cruz cruces raíz raíces actriz actrices lista pista vista revista entrevista conquista",
    "fr": "personne fois page vidéo étape image ligne semaine année nuit place pièce carte clé "
          "leçon main voix équipe classe table langue photo touche case feuille boîte ville chambre "
          "route base phase note tâche phrase liste demande réponse saison maison chanson façon fin "
          "fleur couleur valeur erreur femme mère sœur école porte fenêtre rue vue loi mer part "
          "peau histoire date heure minute seconde milliseconde tonne calorie kilocalorie roupie "
          "couronne once colonne scène voiture plage plante tête réunion",
    "it": "notte notti parte parti classe classi frase frasi base basi fase fasi chiave chiavi mano "
          "foto moto voce voci madre rete reti serie mente luce luci croce legge leggi pelle gente "
          "fonte moglie specie crisi analisi tesi auto radio email ipotesi città nave navi arte "
          "arti ore sterline rupie corone calorie lista pista vista rivista intervista "
          "conquista",
    "pt": "noite parte classe chave mão mãos foto moto frase base fase vez vezes voz vozes mulher "
          "mulheres rede tarde série mente luz luzes cruz flor flores lei leis pele ponte árvore "
          "gente fonte mãe nave torre arte sorte morte carne tese crise análise síntese lista pista vista "
          "revista entrevista conquista",
}  # fmt: skip
_MASCULINE = {
    "es": "problema sistema tema programa esquema idioma diploma drama poema lema dilema teorema "
          "síntoma panorama diagrama telegrama organigrama cronograma emblema axioma aroma clima "
          "mapa planeta cometa día mediodía tranvía pijama carisma fantasma avión camión gas "
          "corazón guardia poeta atleta profeta",
    "fr": "million camion avion lion espion champion bastion côté été comité traité député pâté "
          "musée lycée trophée silence murmure génie incendie stade grade magazine domaine comités "
          "côtés étés traités musées lycées invité squelette comté arrêté parapluie intervalle mille",
    "it": "problema sistema tema programma schema idioma diploma dramma poema dilemma teorema "
          "panorama diagramma clima pianeta cinema pigiama milione milioni camione "
          "poeta atleta pilota collega",
    "pt": "problema sistema tema programa esquema idioma diploma drama poema lema dilema teorema "
          "sintoma panorama diagrama telegrama emblema axioma aroma clima mapa planeta cometa dia "
          "pijama carisma fantasma coração corações gás poeta atleta profeta grama quilograma miligrama",
}  # fmt: skip


@functools.cache
def _lists(code: str) -> tuple[re.Pattern[str], frozenset[str], frozenset[str]]:
    return re.compile(rf".*(?:{_ENDINGS[code]})"), _words(_FEMININE[code]), _words(_MASCULINE[code])


def _words(listed: str) -> frozenset[str]:
    """The words, and their plurals in -s."""
    return frozenset(form for word in listed.split() for form in (word, f"{word}s"))


def feminine(code: str, noun: str) -> bool:
    """Whether the noun, in lower case, is feminine; `code` is es, fr, it or pt."""
    ending, women, men = _lists(code)
    if noun in women or noun in men:
        return noun in women
    return ending.fullmatch(noun) is not None and re.search(r"istas?$", noun) is None  # an artist is either
