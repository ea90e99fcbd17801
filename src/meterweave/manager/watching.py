"""Whose readings somebody may watch as they come in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from meterweave.manager.errors import AskedWrongly, NotVisible
from meterweave.manager.identity import Identity, require
from meterweave.manager.place import Part, in_part
from meterweave.manager.scope import in_scope, visible
from meterweave.registry import Meter, Registry
from meterweave.text import Text

METERS_MAX = 500
"""Most meters that are named one by one."""

WATCHED_MAX = 100_000
"""Most meters of a part of the network that one stream watches."""


def watched(registry: Registry, identity: Identity, meters: Collection[int], part: Part) -> NDArray[np.int64]:
    """The ids of the meters that are named, or of all in a part of the network, sorted. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not see readings, or one of the meters, or the part.
    AskedWrongly
        If too many are asked for.
    """
    require(identity, "readings.read")
    with registry.reading() as session:
        if meters:
            wanted = sorted(set(meters))
            if len(wanted) > METERS_MAX:
                raise AskedWrongly(Text(f"at most {METERS_MAX} meters can be named", f"最多指定{METERS_MAX}块表"))
            if len(visible(session, identity, Meter, wanted)) < len(wanted):
                raise NotVisible(Text("one of the meters is none that you may see", "其中有您不能查看的表"))
            return np.array(wanted, np.int64)
        query: Any = in_part(session, identity, _ids(), part)
        found = session.scalars(in_scope(query, identity, Meter).order_by(Meter.id).limit(WATCHED_MAX + 1)).all()
    if len(found) > WATCHED_MAX:
        raise AskedWrongly(
            Text(
                f"that part has more than {WATCHED_MAX} meters; name a district or an organisation below",
                f"该范围超过{WATCHED_MAX}块表，请指定台区或下级单位",
            )
        )
    return np.array(found, np.int64)


def _ids() -> Any:
    return select(Meter.id)
