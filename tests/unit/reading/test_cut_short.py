"""Abbreviations that the splitter knows by list: they end no sentence before a number or a name."""

# ruff: noqa: E501, RUF001  (lines of text; Cyrillic letters)

import pytest

from avatarlab_ops.script import split

ONE = {
    "en-US": (
        "See App. B, Apt. 4, ref. 123, exp. 06/28 and acct. 45.", "Read Sect. 4 and Para. 4, Ste. 200.",
        "It is $5 excl. VAT or $6 incl. VAT.", "It takes 2 hrs. 30 min. in all.",
        "Open Mon.-Fri. 9-5 and Sat. 9 a.m. to noon.", "Mon. to Fri. 9 a.m. to 5 p.m.",
    ),
    "en-GB": ("The Health and Safety at Work etc. Act 1974.", "It is £5 inc. VAT."),
    "de": (
        "Nehmen Sie tägl. 1 Tablette, min. 2 Std. vorher.", "Bei Temp. 37,2 gem. § 5 i. V. m. der Satzung.",
        "Best.-Nr. 0815, Vers. 2.0, z. Hd. Frau Klein.", "Das dauert 2 Std. 30 Min.", "Das gilt lt. Gesetz.",
        "Mo.-Fr. 9-17 Uhr, am Mo. 5. Mai nicht, Sa. 10 bis 14.", "Frau Klein, geb. Weber, bzgl. Pos. 4.",
    ),
    "fr": ("Prenez p. ex. 5 kg ou p. ex. Paris.", "Min. 8 lettres au trim. 2025.", "D'après l'art. L. 121, art. R. 4.", "Bât. 4, esc. 2, éd. 3."),
    "it": (
        "Vedi par. 2.1, co. 2, Reg. UE 2016/679 e all. 3.", "Il D.Lgs. 81/2008.", "L'art. 5, c. 2.", "Secondo la Dir. CE 5, all. A.", "Spett. Ditta, Egr. Sig. Rossi.",
        "Il Geom. Rossi, p. es. Marco.", "Lun.-ven. 9-14, sab. 9-12.",
    ),
    "es": (
        "Cap. 3, pto. 4 y párr. 2.", "Dura aprox. 20 min con la Lic. Pérez en Sta. Marta.", "Excmo. Sr. Ruiz.",
        "Vea p. ej. Madrid, tfno. 5.",
    ),
    "pt-BR": ("Apto. 34, inc. 3, bl. 2, aprox. 20 min.", "Exmo. Sr. Silva, Eng. Souza.", "Veja p. ex. Recife."),
    "ru": (
        "Макс. 4, мин. 5, доб. 12, ок. 5 км, прим. 20, ч. 1 ст. 5.", "Цена вкл. НДС, проф. Петров, акад. Павлов.",
        "Это библиотека им. Ленина и театр имени Чехова.", "В 9 ч. 30 мин. начнём.", "Дом 3, корп. 2, оф. 10.",
        "См. рис. 3 на стр. 12.", "Улица им. Ленина, им. Кирова.", "Города, напр. Тула.",
    ),
    "uk": ("Прибл. 20 хв, макс. 4, мін. 5, дод. 12.", "Див. рис. 3 на с. 12.", "Це проф. Коваль, напр. Київ."),
    "hi": ("डॉ. शर्मा आए।", "प्रो. वर्मा आए।"),
}  # fmt: skip
TWO = {
    "en-US": ("I have an app. 5 people use it.", "He came by ex. She did not.", "Use cups etc. Actors came."),
    "en-GB": ("Pens, paper etc. Act now.", "Crates etc. 5 boxes arrived."),
    "pt-BR": ("Livros, etc. 20 convidados chegam.",),
    "uk": ("Книги і т. д. 5 людей прийшли.",),
    "de": ("In 5 Min. 8 Personen kamen.", "Hüte usw. 3 Filialen sind offen.", "Wir kamen um 5. Sie nicht."),
    "ru": (
        "Мы помогли им. Они рады.",
        "Мы помогли им. Екатерина рада.",
        "Это 5 ч. 3 человека ждали.",
        "Пришли друзья и др. 20 гостей ждали.",
        "Купили книги и т. д. 5 человек пришли.",
        "Мы варим рис. 5 порций готовы.",
    ),
    "es": ("Vamos a ver. 5 personas vinieron.", "Vive en EE. UU. 5 años después volvió."),
    "fr": ("Il est venu avec une app. 3 personnes rient.",),
    "hi": ("वह आया। वह गया।",),
}


@pytest.mark.parametrize(
    ("language", "text"), [(code, text) for code, texts in ONE.items() for text in texts]
)
def test_a_word_cut_short_ends_no_sentence(language: str, text: str) -> None:
    assert split(text, language) == [text]


@pytest.mark.parametrize(
    ("language", "text"), [(code, text) for code, texts in TWO.items() for text in texts]
)
def test_the_same_letters_may_end_one(language: str, text: str) -> None:
    assert len(split(text, language)) == 2
