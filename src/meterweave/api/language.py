"""Which of our two languages somebody asks for."""

from __future__ import annotations

from meterweave.text import Language

_HEADER_MAX = 200


def spoken(accepted: str | None) -> Language:
    """The language of an ``Accept-Language`` header (RFC 9110, 12.5.4); English, where it names neither.

    >>> spoken("zh-CN,zh;q=0.9,en;q=0.8"), spoken("de, en;q=0.5"), spoken(None)
    ('zh', 'en', 'en')
    """
    best: tuple[float, Language] = (0.0, "en")
    for one in (accepted or "")[:_HEADER_MAX].split(","):
        tag, _, parameters = one.partition(";")
        name = tag.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if name in ("zh", "en") and weight > best[0]:
            best = (weight, "zh" if name == "zh" else "en")
    return best[1]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
