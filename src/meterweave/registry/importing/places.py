"""Organisations and districts of a file against those stored."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Row, bindparam, select, update

from meterweave.registry.importing.kind import ORGANISATIONS
from meterweave.registry.importing.reconcile import Reconciler, Target
from meterweave.registry.importing.table import Draft
from meterweave.registry.models import Organisation
from meterweave.text import Text


class _Coded(Reconciler):
    """Records that their code names."""

    def identify(self, draft: Draft) -> tuple[Hashable, str, dict[str, Any]]:
        code = draft.values["code"]
        return code, code, {}

    def stored(self, identities: Sequence[Any]) -> Mapping[Hashable, Row[Any]]:
        return {row.code: row for row in self.asked(self.rows.c.code, identities, (self.rows,))}


class OrganisationReconciler(_Coded):
    """Organisations; the parent may stand further down in the same table."""

    references: ClassVar = {"parent_id": (Organisation.id, Organisation.code)}

    def check(self, targets: Sequence[Target]) -> None:
        parents: dict[str, str | None] = self._stored_parents()
        listed = {target.identity for target in targets}
        for target in targets:
            parent = target.draft.values.get("parent")
            if parent is not None and parent not in parents and parent not in listed:
                self.fault(
                    target,
                    "import.unknown_reference",
                    Text(f"no organisation is called {parent!r}", f"没有编码为“{parent}”的单位"),
                    "parent",
                )
        for target in targets:
            if "parent" in target.draft.values or "parent" in target.draft.cleared:
                parents[target.name] = target.draft.values.get("parent")
        for target in targets:
            if _circles(target.name, parents):
                self.fault(
                    target,
                    "import.conflict",
                    Text(f"{target.name} would stand above itself", f"{target.name}将成为自己的上级"),
                    "parent",
                )

    def _write(self, targets: Sequence[Target]) -> None:
        # New rows go in without their parents, which may be new themselves; then every parent has an id.
        created = [target for target in targets if target.stored is None]
        self._insert(created)
        ids = {row.code: row.id for row in self.work.session.execute(select(Organisation.code, Organisation.id))}
        for target in targets:
            if "parent" in target.draft.cleared:
                target.fields["parent_id"] = None
            elif "parent" in target.draft.values:
                target.fields["parent_id"] = ids.get(target.draft.values["parent"])
        children = [target for target in created if target.fields.get("parent_id") is not None]
        if children:
            self.work.session.connection().execute(
                update(self.rows).where(self.rows.c.id == bindparam("row_id")).values(parent_id=bindparam("parent")),
                [{"row_id": ids[target.name], "parent": target.fields["parent_id"]} for target in children],
            )
        changes = {id(target): self.changes(target) for target in targets if target.stored is not None}
        self._update([target for target in targets if changes.get(id(target))])
        self._count(targets, changes)

    def _stored_parents(self) -> dict[str, str | None]:
        rows = self.work.session.execute(select(Organisation.id, Organisation.code, Organisation.parent_id)).all()
        codes = {found: code for found, code, _ in rows}
        return {code: None if parent is None else codes[parent] for _, code, parent in rows}


def _circles(start: str, parents: Mapping[str, str | None]) -> bool:
    seen = {start}
    at = parents.get(start)
    while at is not None and at not in seen:
        seen.add(at)
        at = parents.get(at)
    return at == start


class DistrictReconciler(_Coded):
    """Transformer districts."""

    references: ClassVar = {"organisation_id": (Organisation.id, Organisation.code)}

    def resolve(self, targets: Sequence[Target]) -> None:
        self.refer(targets, "organisation", ORGANISATIONS.name, "organisation_id", Text("organisation", "单位"))
