"""Words that stand before the number of a piece of a course, in all languages: Lesson 1, Frage 3/4."""

# ruff: noqa: RUF001  (Cyrillic letters)

from __future__ import annotations

import re

# Pieces that are counted wherever they stand: in step 3/4 we rest.
_PARTS = (
    "step|part|lesson|module|video|episode|teil|schritt|lektion|modul|étape|partie|leçon|vidéo|paso|parte|lección|"
    "módulo|vídeo|passo|lezione|modulo|lição|aula|etapa|шаг|часть|урок|видео|крок|частина|відео"
)
# Those after which a dash is a range: page 10 - 20.
_PAGES = "page|slide|seite|folie|diapo|diapositiva|tome|página|pagina|страница|сторінка"
# Those that are counted so, but not after a colon nor before what has parts: Frage: 3/4 von was?
_CHAPTERS = (
    "chapter|question|kapitel|frage|chapitre|capítulo|pregunta|capitolo|domanda|pergunta|questão|глава|вопрос|"
    "питання"
)
# Those of which fractions are told, too: the section 3/4 of the way down.
_NAMES = (
    f"{_CHAPTERS}|unit|section|topic|abschnitt|einheit|thema|unité|thème|unidad|sección|tema|tópico|unità|"
    "sezione|argomento|unidade|seção|раздел|тема|модуль|розділ"
)
# Those of dates, too.
_TIMES = "day|week|tag|woche|jour|semaine|día|semana|giorno|settimana|день|неделя|тиждень"
# Those that are verbs or durations, too: exercise 20 - 30 minutes.
_WORK = (
    "task|exercise|attempt|activity|quiz|lecture|aufgabe|übung|versuch|exercice|tâche|tentative|activité|tarea|"
    "ejercicio|intento|actividad|compito|esercizio|tentativo|attività|tarefa|exercício|tentativa|"
    "atividade|задание|задача|упражнение|попытка|слайд|завдання|вправа|спроба"
)
_MARKS = (
    "score[ds]?|rat(?:ed|ing|es)|grade[ds]?|marks?|bewertung|wertung|punkte|note|puntuación|nota|calificación|"
    "voto|punteggio|оценк[аи]|оцінк[аи]"
)
_SHARED = re.compile(rf"\b(?:{_PARTS}|{_PAGES}|{_MARKS})[ :]{{1,3}}(?:of |at |von |de |di )?$", re.I)
_CHAPTER = re.compile(rf"\b(?:{_CHAPTERS}) $", re.I)
_PARTED = re.compile(  # вопрос 3/4 класса
    r"-\w| (?:of|von|der|des|del?|dell[aeo]?|dei|degli|di|d[aou]s?|d)\b| [а-яєіїґ]"
)
_TITLED = re.compile(rf"\b(?:{_PARTS}|{_NAMES}|{_TIMES}) \d+(?:/\d+)?$", re.I)
_BEGINS = re.compile(
    r"(?:^\W*?|[]).:;,!?|–—-]\s|[(\[])(?P<quote>[\"“„«‘']\s?)?"
    rf"(?:{_PARTS}|{_PAGES}|{_NAMES}|{_WORK}|(?P<time>{_TIMES}))\s$",
    re.I,
)
_ENDS = re.compile(r"\s?(?:$|[]).:;,!?…|](?!\w))|\s[–—-](?!\w)")


def shared(before: str) -> bool:
    """Whether these words ask for a share: step 3/4, Teil 2/3, note 4/5, rated 4/5."""
    return _SHARED.search(before) is not None


def numbered(before: str, after: str) -> bool:
    """Whether a chapter or a question is counted, wherever it stands: here is question 2/5."""
    return _CHAPTER.search(before) is not None and not _PARTED.match(after)


def titled(before: str) -> bool:
    """Whether these words end in a title with its number: Lesson 1."""
    return _TITLED.search(before) is not None


def counts(before: str, number: str, after: str) -> bool:
    """Whether `number` counts in a title that stands by itself: Question 3/4, Lesson 1/3: intro.

    Not in Section 3/4 inch pipe; a week 03/04 may be that of a date.
    """
    found = _BEGINS.search(before)
    if not found or (found["time"] and number[0] == "0"):
        return False
    return _ENDS.match(after.lstrip("\"”“»’'") if found["quote"] else after) is not None
