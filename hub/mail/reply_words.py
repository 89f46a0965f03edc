"""What mail programs write around a quoted letter and under a reply, in the languages we meet.

Every expression is tried on one short line (or a few joined ones) and has no nested repetition,
so no letter makes it slow.
"""

from __future__ import annotations

import re
from typing import Final

OUR_MARKERS: Final = (
    "Пишите ответ выше этой строки",
    "Please write your reply above this line",
)
"""The line that our own letters carry above everything else."""

_WROTE: Final = (
    r"wrote|writes|schrieb|a écrit|escribió|ha scritto|het volgende geschreven|schreef|skrev"
    r"|napisał(?:\(a\)|a)?|escreveu|写道|(?:на)?писал(?:\(а\)|а)?|пишет|пише|написав(?:\(ла\))?"
    r"|sagte|kirjoitti|a scris|yazdı|said"
)
_START: Final = (
    r"On|Am|Le|El|Il|Op|Den|Em|At|W dniu|Dnia|På|Den|在|В|Во"
    r"|(?:понедельник|вторник|среда|четверг|пятница|суббота|воскресенье)"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Пн|Вт|Ср|Чт|Пт|Сб|Вс)[a-zа-я]*"
)
_FLAGS: Final = re.IGNORECASE

ATTRIBUTIONS: Final = (
    # On Wed, Sep 25, 2013, at 03:57 PM, someone wrote:
    re.compile(rf"(?:{_START})[\s,.:][^\n]{{3,500}}\s(?:{_WROTE})[^\w\n]{{0,6}}", _FLAGS),
    # Someone <someone@example.com> schrieb am Fr., 28. Apr. 2017 um 11:53 Uhr:
    re.compile(rf"[^\n]{{2,300}}<[^\n<>]{{3,200}}>\s(?:{_WROTE})(?:\s[^\n]{{1,80}})?\s?:", _FLAGS),
    # Someone <someone@example.com> wrote:
    re.compile(rf"[^\n]{{0,300}}<[^\n<>]{{3,200}}>+,?\s(?:{_WROTE})\s?:?", _FLAGS),
    # 23.03.2017, 21:25, "Someone" <someone@example.com> wrote:
    re.compile(rf"\d{{1,4}}[\s./-][^\n]{{3,400}}[\s>\]](?:{_WROTE})[^\w\n]{{0,6}}", _FLAGS),
    # 2016-10-24 15:03 GMT+02:00 Someone <someone@example.com>:
    re.compile(
        rf"(?:(?:{_START})[\s,.]{{1,3}})?\d{{1,4}}[\s./-][^\n]{{3,400}}"
        r"[<(\[][^\n<>]{1,200}@[^\n<>]{3,200}[>)\]]\s?:",
        _FLAGS,
    ),
    # Am 21.04.2016 17:48 schrieb "Someone" <someone@example.com>:
    re.compile(rf"(?:{_START})\s[^\n]{{5,100}}\s(?:{_WROTE})\s[^\n]{{2,300}}:", _FLAGS),
    # Someone ||| someone@example.com пишет:  (Thunderbird), Четверг, 5 марта, 12:01 +03:00 от …
    re.compile(r"(?:\w+, )?\d{1,2}[\s.][^\n]{5,80}\sот\s[^\n]{2,300}[>:]\s?:?", _FLAGS),
    re.compile(
        rf"[^\n]{{2,200}}\s(?:{_WROTE})\s\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}[^\n]{{0,20}}:", _FLAGS
    ),
    re.compile(r"[^\n]{2,200}\s\d{1,2}[.:]\d{2}[^\n]{0,40}\s(?:пишет|написал\(?а?\)?)\s?:", _FLAGS),
    # On Thu, 31 Mar 2016 at 11:16 Someone, with the address on lines of its own
    re.compile(r"On \w{3}, \d{1,2} \w{3} \d{4} at \d{1,2}:\d{2} [^\n]{2,60}"),
    re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2} \d{1,2}:\d{2} GMT[+-]\d{2}:\d{2} [^\n]{2,60}"),
    re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2} [^\n<>]{2,200}<[^\n<>@]{1,100}@[^\n<>]{1,100}>"),
    # ---- On Tue, 22 Dec 2015 14:17:36 +0530 Someone wrote ----
    re.compile(
        rf"[-*_=>\s]{{2,40}}\s?(?:{_START})\s[^\n]{{3,400}}\s(?:{_WROTE})\s?[-:*]{{0,40}}", _FLAGS
    ),
)
"""Each must fit the whole of one line, or of up to four joined ones."""

ANCHOR: Final = re.compile(rf"(?:{_START})[\s,.:]|\d{{1,4}}[\s./-]", _FLAGS)
"""How most of them begin; one that does not may have swallowed the line above it."""

_FORWARDED: Final = (
    r"original message|original email|ursprüngliche nachricht|mensaje original|message d'origine"
    r"|messaggio originale|oorspronkelijk bericht|исходное сообщение|оригинальное сообщение"
    r"|пересылаемое сообщение|пересланное сообщение|перенаправленное сообщение"
    r"|начало переадресованного сообщения|начало пересылаемого сообщения"
    r"|конец пересылаемого сообщения|конец переадресованного сообщения"
    r"|начальное сообщение|forwarded message|begin forwarded message|reply message|quoted text"
    r"|reply to message|исходное письмо|цитируемое сообщение"
)
SEPARATORS: Final = re.compile(rf"[-_*=>|\s]{{0,60}}(?:{_FORWARDED})\s?[-_*=:>|\s]{{0,60}}", _FLAGS)
"""A line that says by itself that what follows was written before."""

DELIMITER: Final = re.compile(r"\s{0,20}(?:[-–—]{2,}|[_]{2,}|[*]{3,}|[#~=+]{3,}|ᐧ)\s{0,20}")
"""A line of signs alone: what follows belongs to the mail program."""

HEADER: Final = re.compile(
    r"[*>\s]{0,8}(?:From|To|Cc|Bcc|Subject|Date|Sent|Reply-To|Importance|Organization|Attachments"
    r"|Von|An|Betreff|Datum|Gesendet|De|À|Objet|Envoyé|Para|Asunto|Enviado|Fecha|Da|A|Oggetto|Data"
    r"|Inviato|Aan|Onderwerp|Verzonden|Från|Till|Ämne|Skickat|Datum"
    r"|От|От кого|Кому|Копия|Тема|Дата|Отправлено|Отправитель|Получатель|Важность|Вложения|Прикрепления"
    r")\s?[*]{0,2}\s?:[*]{0,2}(?:\s.{0,900})?",
)
"""One line of the header block that Outlook and phones put above a quoted letter."""

QUOTE: Final = re.compile(r"\s{0,4}(?:[>|＞»]|[A-Z]{1,2}>(?=\s|$))")

MOBILE: Final = re.compile(
    r"[<(\[*_\s]{0,4}(?:"
    r"sent (?:from|via|with|by|on)\b.{1,120}|get \[?outlook for\b.{1,100}|sendt fra .{1,60}|from my (?:iphone|ipad|phone)\b.{0,40}"
    r"|envoyé d.{1,80}|von mei.{1,60} gesendet\.?|diese nachricht wurde von .{1,80} gesendet\.?"
    r"|verzonden (?:met|vanaf) .{1,60}|enviado desde .{1,60}|inviato da.{1,60}|從我的 .{1,30} 傳送"
    r"|someone from mobile|enviado do .{1,60}|wysłane z .{1,60}|skickat från .{1,60}"
    r"|отправлено (?:с|со|из|через|от|при помощи|с помощью)\b.{1,120}|написано (?:с|со|на|в) .{1,60}"
    r"|отправлен[оа]? (?:мобильн|с мобильн|яндекс).{0,80}"
    r"|скачать outlook для .{1,60}|получить outlook для .{1,60}|получите outlook для .{1,60}"
    r"|послано с .{1,60}|пожалуйста, извините за (?:краткость|опечатки).{0,60}"
    r")[>)\]*_\s.]{0,6}",
    _FLAGS,
)
"""What phones and programs write below a letter of their own accord."""

CLOSING: Final = re.compile(
    r"[\s*_]{0,4}(?:с (?:большим |глубоким |искренним )?уважением|с ув\.|с наилучшими пожеланиями"
    r"|всего доброго|всего наилучшего|всего хорошего|хорошего (?:дня|вечера)|искренне ваш[аи]?"
    r"|с наилучшими|с пожеланием добра|(?:заранее )?(?:спасибо|благодарю)[,.!]? с уважением"
    r")[,.!\s/|–—*-]{0,4}(?:[^\n]{0,80})?",
    _FLAGS,
)
"""The first line of a signature that a person made."""

CLOSING_OF_BLOCK: Final = re.compile(
    r"[\s*_]{0,4}(?:(?:best|kind|warm|many) regards|regards|yours (?:sincerely|faithfully|truly)"
    r"|sincerely(?: yours)?|best wishes|all the best|mit freundlichen grüßen|cordialement"
    r"|спасибо|благодарю)[,.!\s*]{0,4}",
    _FLAGS,
)
"""The same, where it is one only with a block of lines below: a name alone is part of the words."""

ANSWERED: Final = re.compile(
    r"(?:re|fwd?|aw|wg|ответ|отв|пересл|на)\s?(?:\[\d{1,3}\])?\s?:\s*", re.IGNORECASE
)
"""What programs put before a subject when answering or passing on."""
