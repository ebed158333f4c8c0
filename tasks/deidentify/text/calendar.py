# ruff: noqa: E501 - a row of the table is one language
"""Names of months and weekdays in several languages, and the days they stand for.

Finding dates in text does not belong here.
"""

from __future__ import annotations

from functools import cache

from tasks.deidentify.text.fold import folded

# full names, then abbreviations, twelve each ("-": none); shifted dates are written in the row they were read from
_MONTHS = {
    "en": ("January February March April May June July August September October November December",
           "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"),
    "de": ("Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
           "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez"),
    "fr": ("janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
           "janv févr mars avr mai juin juil août sept oct nov déc"),
    "es": ("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
           "ene feb mar abr may jun jul ago sep oct nov dic"),
    "pt": ("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
           "jan fev mar abr mai jun jul ago set out nov dez"),
    "it": ("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
           "gen feb mar apr mag giu lug ago set ott nov dic"),
    "nl": ("januari februari maart april mei juni juli augustus september oktober november december",
           "jan feb mrt apr mei jun jul aug sep okt nov dec"),
    "sv": ("januari februari mars april maj juni juli augusti september oktober november december",
           "jan feb mar apr maj jun jul aug sep okt nov dec"),
    "da": ("januar februar marts april maj juni juli august september oktober november december",
           "jan feb mar apr maj jun jul aug sep okt nov dec"),
    "pl": ("stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
           "sty lut mar kwi maj cze lip sie wrz paź lis gru"),
    "cs": ("ledna února března dubna května června července srpna září října listopadu prosince", "led úno bře dub kvě čvn čvc srp zář říj lis pro"),
    "fi": ("tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta", ""),
    "tr": ("Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık", ""),
    "ru": ("января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
           "янв фев мар апр май июн июл авг сен окт ноя дек"),
    "ru1": ("январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь", ""),
    "uk": ("січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня", ""),
    "el": ("Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου Δεκεμβρίου", ""),
    "ar": ("يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر", ""),
    "he": ("בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר", ""),
    "he1": ("ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר", ""),
}  # fmt: skip
_WEEKDAYS = {
    "en": ("Monday Tuesday Wednesday Thursday Friday Saturday Sunday", "Mon Tue Wed Thu Fri Sat Sun"),
    "de": ("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag", "Mo Di Mi Do Fr Sa So"),
    "fr": ("lundi mardi mercredi jeudi vendredi samedi dimanche", "lun mar mer jeu ven sam dim"),
    "es": ("lunes martes miércoles jueves viernes sábado domingo", ""),
    "pt": ("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo", ""),
    "it": ("lunedì martedì mercoledì giovedì venerdì sabato domenica", ""),
    "nl": ("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag", ""),
    "sv": ("måndag tisdag onsdag torsdag fredag lördag söndag", ""),
    "ru": ("понедельник вторник среда четверг пятница суббота воскресенье", ""),
    "ja": ("月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日", ""),
}


@cache
def months() -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return folded month name -> (month 1..12, the row of twelve names that it was read from); English first."""
    table = _table(_MONTHS)
    table["sept"] = table["sep"]
    return table


@cache
def weekdays() -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return folded weekday name -> (1 = Monday .. 7, the row of seven names)."""
    return _table(_WEEKDAYS)


def _table(source: dict[str, tuple[str, str]]) -> dict[str, tuple[int, tuple[str, ...]]]:
    table: dict[str, tuple[int, tuple[str, ...]]] = {}
    for rows in source.values():
        for row in rows:
            names = tuple(row.split())
            for number, name in enumerate(names, 1):
                table.setdefault(folded(name), (number, names))
    return table


def like(sample: str, name: str) -> str:
    """Return `name` in the letter case of `sample`."""
    if sample.isupper():
        return name.upper()
    if sample.islower():
        return name.lower()
    return name[:1].upper() + name[1:] if sample[:1].isupper() else name
