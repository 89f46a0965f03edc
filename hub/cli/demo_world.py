"""What happens in the demo: forty tickets of three companies. Names and serials are made up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMPANIES: Final = ("ТехноВендор", "Сервис Плюс", "Мастер-Юг")


@dataclass(frozen=True, slots=True)
class Story:
    """One ticket: what is broken, how far it is handed on, and how far the work gets."""

    n: int
    title: str
    asset: str
    site: str
    address: str
    priority: str
    depth: int  # 0: stays with the vendor, 1: to the partner, 2: on to the regional one
    ends: str  # offered declined accepted in_progress pending returned rated closed
    fix: str
    remark: str
    score: int

    @property
    def description(self) -> str:
        """What the caller said."""
        return f"{self.title}. {self.asset}, {self.site}. Просьба сообщить время приезда."

    @property
    def caller(self) -> str:
        """Whom to ask for on site."""
        return f"Администратор, {self.site}"

    @property
    def serial(self) -> str:
        """A serial number that nobody has."""
        return f"DEMO-{self.n:05d}"

    @property
    def minutes(self) -> int:
        """How long the work took."""
        return 30 + self.n % 5 * 15

    @property
    def due_minutes(self) -> int:
        """When it must be done; one of them burns."""
        return 25 if self.n == 3 else 8 * 60 + self.n * 20

    def files(self) -> Iterator[tuple[str, str, bytes]]:
        """What the caller sent along: a photograph for every third ticket."""
        if self.n % 3 == 0:
            yield f"заявка-{self.n}.txt", "text/plain", self.description.encode() * 20

    def photo(self) -> bytes:
        """What the engineer sends back."""
        return f"Акт: {self.fix}. {self.serial}\n".encode() * 50


_TROUBLES: Final = (
    ("Касса не печатает чек", "Касса", "Заменили термоголовку", "На месте, проверяю печать"),
    (
        "Принтер этикеток мнёт ленту",
        "Принтер этикеток",
        "Почистили протяжку, сменили валик",
        "Вал изношен, меняю",
    ),
    (
        "Терминал не видит сеть",
        "Терминал сбора данных",
        "Обновили прошивку, заменили антенну",
        "Сигнал слабый у склада, ищу причину",
    ),
    (
        "Весы не передают вес на кассу",
        "Весы",
        "Восстановили кабель, настроили обмен",
        "Кабель перебит у стойки",
    ),
    (
        "Сканер читает через раз",
        "Сканер штрихкода",
        "Заменили стекло, настроили яркость",
        "Стекло поцарапано, беру новое из запаса",
    ),
    (
        "ИБП пищит и не держит нагрузку",
        "Источник питания",
        "Заменили аккумуляторы",
        "Аккумуляторы вздулись, меняю оба",
    ),
    (
        "Банкомат не выдаёт купюры",
        "Банкомат",
        "Почистили кассету, заменили датчик",
        "Застряла купюра, разбираю модуль",
    ),
    (
        "Камера над кассой показывает чёрный экран",
        "Камера",
        "Заменили блок питания",
        "Питания нет, проверяю линию",
    ),
)
_SITES: Final = (
    ("Магазин «Ромашка» № 12", "г. Ростов-на-Дону, ул. Садовая, 4"),
    ("Склад «Северный»", "г. Краснодар, ул. Полевая, 18"),
    ("Аптека «Здоровье» № 3", "г. Сочи, ул. Морская, 7"),
    ("Офис «Вектор»", "г. Волгоград, пр. Мира, 21"),
    ("АЗС № 41", "трасса М-4, 1104 км"),
)
_ENDS: Final = (
    "rated",
    "closed",
    "rated",
    "in_progress",
    "rated",
    "closed",
    "pending",
    "rated",
    "declined",
    "rated",
    "returned",
    "accepted",
    "rated",
    "offered",
    "closed",
    "rated",
)
_PRIORITIES: Final = ("normal", "high", "normal", "low", "urgent")


def _story(n: int) -> Story:
    title, asset, fix, remark = _TROUBLES[n % len(_TROUBLES)]
    site, address = _SITES[n % len(_SITES)]
    return Story(
        n=n,
        title=title,
        asset=asset,
        site=site,
        address=address,
        priority=_PRIORITIES[n % len(_PRIORITIES)],
        depth=(2, 2, 1, 2, 0)[n % 5],
        ends=_ENDS[n % len(_ENDS)],
        fix=fix,
        remark=remark,
        score=(5, 4, 5, 3)[n % 4],
    )


STORIES: Final = tuple(_story(n) for n in range(1, 41))
