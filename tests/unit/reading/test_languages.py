"""Languages other than American English as they are read: es.tsv and so on hold what is written and said."""

# ruff: noqa: RUF001  (typographic characters are the subject)

from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.reading import abbreviations, languages, read
from avatarlab_ops.script import split

LANGUAGES = ("es", "fr", "it", "pt-BR", "en-GB", "ja", "zh", "de", "uk", "ru")


def cases() -> list[object]:
    found: list[object] = []
    for language in LANGUAGES:
        kind = ""
        for line in Path(__file__).with_name(f"{language}.tsv").read_text("utf-8").splitlines():
            if line.startswith("# "):
                kind = line[2:]
            else:
                written, said = line.split("\t")
                found.append(pytest.param(language, written, said, id=f"{language} {kind}: {written}"))
    return found


@pytest.mark.parametrize(("language", "written", "said"), cases())
def test_a_line_is_said_as_a_person_would(language: str, written: str, said: str) -> None:
    reading = read(written, language)
    assert reading.said == said
    assert not reading.unread


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cannot_be_said_is_named_with_its_place(language: str) -> None:
    assert [str(sign) for sign in read("A ★ B", language).unread] == ["'★' (black star) at character 3"]


@given(
    st.text(alphabet="0123456789 .,:;-–/%$€£°+=#@&*x×²½ªºh(){}[]<>_~^|\\'\"’…!?★→ΩéabkmgVIXM", max_size=60),
    st.sampled_from(LANGUAGES),
)
def test_no_digit_and_no_sign_is_silently_lost(written: str, language: str) -> None:
    reading = read(written, language)
    lost = {sign.sign for sign in reading.unread}
    assert not any(category(char)[0] == "N" for char in reading.said), "every number is in words"
    assert lost == set(written) & {"★"}


_COUNTED = st.sampled_from(
    ("", "$", "€", "£", "¥", "R$",
     "₽", "EUR", "USD", "Euro", "%", "‰", "kg", "km/h", "m²", "°C", "º C", "ft", "h", "K", "M", "mil")
)  # fmt: skip


@given(
    st.sampled_from(LANGUAGES),
    _COUNTED,
    st.sampled_from(("", " ", "-")),
    st.from_regex(r"\d{1,40}(?:[.,]\d{1,40})?(?:[-:–/]\d{1,40})?", fullmatch=True),
    _COUNTED,
)
def test_no_digits_are_too_many(language: str, before: str, apart: str, digits: str, after: str) -> None:
    for written in (f"{before}{apart}{digits}{apart}{after}", f"{digits} {after} {before} {digits}"):
        assert not any(category(char)[0] == "N" for char in read(written, language).said)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("length", [15, 16, 17, 20, 40])
def test_money_of_any_length_is_read(language: str, length: int) -> None:
    for written in (f"€{'9' * length}", f"{'9' * length} €", f"${'9' * length}.50", f"¥{'9' * length}%"):
        assert read(written, language).said


@given(
    st.text(alphabet="0123456789 .,:-/%$€%~年月日点個人は中文かながパAbｂñ？：；！(（。、★", max_size=40),
    st.sampled_from(("ja", "zh")),
)
def test_no_letter_of_a_language_without_spaces_is_lost(written: str, language: str) -> None:
    reading = read(written, language)
    assert {sign.sign for sign in reading.unread} == set(written) & {"★"}
    assert all(written[sign.position] == sign.sign for sign in reading.unread)
    kept = "人は文が？"
    assert [char for char in written if char in kept] == [char for char in reading.said if char in kept]


def test_an_abbreviation_ends_no_sentence() -> None:
    for language, text in (
        ("es", "Saluda al Sr. López."), ("it", "Il Sig. Rossi arriva."), ("pt-BR", "A Sra. Silva chegou."),
        ("de", "Am 3. März ist z. B. frei."), ("de", "Der 2. Teil folgt."), ("de", "Hr. Weber kam."),
        ("fr", "En 44 av. J.-C. on vote."), ("en-US", "In Old St. Paul it rains."),
        ("de", "Über 3,5 Mio. Nutzer, zzgl. Versand nach § 5 Abs. 2 Satz 1."), ("de", "Fr. Schmidt kam."),
        ("de", "Der II. Weltkrieg begann. "), ("de", "Mein 1. Tag."), ("de", "Vom 2. bis 5. Mai."),
        ("fr", "Le 13 janv. 2026, 12, av. Foch, chap. 3, MM. Dupont et Martin."), ("fr", "Il dit : « Oui. »"),
        ("es", "La Dña. Ana de RR. HH. vive en EE. UU. desde 52 a. C. y lee el cap. 3 del s. XIX."),
        ("it", "Il cap. 3, pagg. 12, tel. 02 1234."), ("pt-BR", "A Av. Paulista, cap. 3."),
        ("en-US", "See Jan. 2, 2025–Feb. 3, 2025, ext. 42, op. 125, c. 1500."),
        ("ru", "13 янв. 2026, ст. 5 п. 2, рис. 4, д. 5, кв. 12."), ("uk", "13 січ. 2026, буд. 5."),
        ("es", "El mar. 13 ene. 2026."), ("pt", "A ter. 5 de maio, 12 set. 2026."), ("uk", "5 лист. 2026."),
        ("ru", "И т. д. по ул. Мира."), ("ru", "Я живу в г. Москве на р. Волге."), ("uk", "Я у м. Києві."),
        ("uk", "Курс триває 2 год. 30 хв. щодня."), ("de", "Circa 45 Min. Lernzeit."),
        ("de", "Siehe Abschn. 3, Anh. A und Bd. II."), ("fr", "Ex. : le chat."), ("uk", "Див. абз. 3."),
        ("uk", "Див. завд. 5, ауд. 12."), ("ru", "См. зад. 5, упр. 3."), ("de", "Liegt zw. 5 u. 10."),
        ("de", "Am 5. 3. 2026 kommt Fa. Meier."),
        ("uk", "Ціна 5 грн. 50 коп."), ("uk", "Див. п. 1 ч. 2 ст. 3, розд. IV, т. II."),
        ("en-US", "We need avg. 3 hours."),
    ):  # fmt: skip
        assert len(split(text, language)) == 1


def test_an_abbreviation_may_end_a_sentence() -> None:
    for language, text in (
        ("de", "Es sind 3 Mio. Das ist viel."), ("de", "Wir kamen um 9 usw. Dann gingen wir."),
        ("en-US", "He plays the op. She sings."), ("fr", "Au mois de mai. 3 personnes viennent."),
        ("es", "Vive en Madrid. Es grande."), ("de", "Öffnen Sie den Tab. Klicken Sie dann."),
        ("es", "Cama junto al mar. 5 noches."), ("fr", "Vue sur la mer. 3 chambres."),
        ("fr", "Il a 5 mm. Elle non."), ("fr", "J'aime la BD. Elle est drôle."),
        ("it", "Ha vinto 2 set. 3 giochi persi."),
        ("pt", "São dez. 5 pessoas."), ("ru", "Мы живём в кв. Она большая."),
        ("uk", "Я пишу лист. 3 дні минуло."),
        ("en-US", "It has 5 lbs. 3 came."), ("en-US", "Use option c. 5 people did."),
        ("de", "Äpfel usw. Klicken Sie."), ("de", "5 Min. Anschließend geht es."),
        ("de", "Es sind 5 Min. Übung 2 folgt."),
    ):  # fmt: skip
        assert len(split(text, language)) == 2, text


def test_a_german_ordinal_is_one_only_in_german_and_before_what_it_counts() -> None:
    for language, text in (
        ("en-US", "I am 12. She is 14."), ("en-GB", "It took an hr. We left."), ("fr", "Des 12. Puis rien."),
        ("ru", "Это было в 2024 г. Мы ждали."), ("uk", "Довжина 5 м. Далі ліс."),
        ("de", "Kommen Sie am 12. Wir freuen uns."), ("de", "Es sind die 12. Alle sind da."),
        ("de", "Sie haben Nr. 5. Platz nehmen!"), ("de", "Er ist auf Platz 3. Platz da!"),
    ):  # fmt: skip
        assert len(split(text, language)) == 2
    said = read("Kommen Sie am 12. Wir freuen uns.", "de").said
    assert said == "Kommen Sie am zwölf. Wir freuen uns."


def test_a_russian_pronoun_or_measure_may_be_the_last_word() -> None:
    assert len(split("Мы помогли им. Они рады.", "ru")) == 2
    assert len(split("Длина 5 см. Ширина 3 см.", "ru")) == 2


def test_a_street_or_a_french_era_may_end_a_sentence() -> None:
    for language, text in (
        ("en-US", "We met on Baker St. It rains."), ("fr", "César meurt en 44 av. J.-C. Rome pleure."),
    ):  # fmt: skip
        first, second = split(text, language)
        assert first.endswith(("St.", "J.-C."))
        assert second in text


@pytest.mark.parametrize("language", languages())
def test_no_abbreviation_that_is_read_in_full_ends_a_sentence_before_its_number(language: str) -> None:
    known = abbreviations.read(language.partition("-")[0])
    assert known or language in ("ja", "zh")
    for short in known:
        closes = abbreviations.closes(f"A {short}", language.partition("-")[0])
        assert len(split(f"A {short} 5 b", language)) == 1 + closes, short
    for short in (one for one in known if language in ("fr", "it") and " " not in one):
        assert len(split(f"A l'{short} 5 b", language)) == 1, short


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Sie brauchen mind. 16 von 20, max. 5 um 11 u. 15 Uhr."), ("es", "Dosis máx. 6 al día."),
        ("pt-BR", "No séc. XIX."), ("ru", "См. Рисунок 5 в разд. 5."), ("en-GB", "See rev. 7."),
        ("fr", "Le lot réf. 12."),
    ],
)  # fmt: skip
def test_a_word_cut_short_before_its_number_ends_no_sentence(language: str, text: str) -> None:
    assert split(text, language) == [text]


def test_a_run_longer_than_any_word_is_read_in_pieces_and_nothing_of_it_is_lost() -> None:
    long = read("7" * 1200 + "\u2603 8", "en-US")
    assert long.said.split() == ["seven"] * 1200 + ["eight"]
    assert [(sign.sign, sign.position) for sign in long.unread] == [("\u2603", 1200)]
