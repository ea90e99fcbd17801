"""Results of reading: A-ResultNormal, one value, and A-ResultRecord, a table with columns and rows (clause 7.3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.datum import DATA, Data
from meterweave.protocols.dlt698.given import mapping, naming, sequence
from meterweave.protocols.dlt698.names import field_name
from meterweave.protocols.dlt698.objects import attribute, column_quantities, quantity_of
from meterweave.protocols.dlt698.rows import read_rows
from meterweave.protocols.dlt698.selection import RCSD, Column, Road, selected
from meterweave.protocols.dlt698.tables import DAR as DAR_TABLE
from meterweave.protocols.dlt698.values import OAD, OADS
from meterweave.protocols.dlt698.wire import Code, Many, Wire, explain_count, explain_success, group, read_success
from meterweave.protocols.explain import Field
from meterweave.text import Text

DAR = Code(DAR_TABLE)

Row = tuple[Data, ...]
"""One Data a column."""


class ResultNormal(NamedTuple):
    """What reading one attribute gave."""

    oad: int
    outcome: Data | int
    """The data; or, as int, the DAR that tells why there are none."""

    @property
    def data(self) -> Data | None:
        """The data, if there are any."""
        return None if isinstance(self.outcome, int) else self.outcome

    @property
    def dar(self) -> int:
        """The data access result; 0 is success."""
        return self.outcome if isinstance(self.outcome, int) else 0


class ResultRecord(NamedTuple):
    """What reading a table gave."""

    oad: int
    rcsd: tuple[Column, ...]
    outcome: tuple[Row, ...] | int
    """The rows, of one Data for each column; or, as int, the DAR that tells why there are none."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, if there are any."""
        return () if isinstance(self.outcome, int) else self.outcome

    @property
    def dar(self) -> int:
        """The data access result; 0 is success."""
        return self.outcome if isinstance(self.outcome, int) else 0


class NormalWire(Wire[ResultNormal]):
    """A-ResultNormal: OAD, then 0 and a DAR, or 1 and Data."""

    def read(self, reader: Reader) -> ResultNormal:
        oad = OAD.read(reader)
        return ResultNormal(oad, DATA.read(reader) if read_success(reader) else reader.octet())

    def write(self, writer: Writer, value: ResultNormal) -> None:
        OAD.write(writer, value.oad)
        if isinstance(value.outcome, int):
            writer.octets.append(0)
            DAR.write(writer, value.outcome)
        else:
            writer.octets.append(1)
            DATA.write(writer, value.outcome)

    def to_json(self, value: ResultNormal) -> Any:
        oad, outcome = value
        if isinstance(outcome, int):
            return {"oad": OAD.to_json(oad), "dar": DAR.to_json(outcome)}
        quantity = quantity_of(oad)
        shown = {"oad": OAD.to_json(oad), "data": DATA.to_json(outcome)}
        return shown | {"quantity": quantity.to_json()} if quantity else shown

    def from_json(self, found: Any) -> ResultNormal:
        table = mapping(found)
        with naming("oad"):
            oad = OAD.from_json(table.get("oad"))
        if "dar" in table:
            with naming("dar"):
                return ResultNormal(oad, DAR.from_json(table["dar"]))
        with naming("data"):
            return ResultNormal(oad, DATA.from_json(table.get("data")))

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        with group(reader, name, fields) as parts:
            OAD.explain(reader, field_name("oad"), parts)
            oad = OAD.read(Reader(parts[0].octets))
            if explain_success(reader, parts):
                about = attribute(oad)
                DATA.explain_about(reader, about.meaning if about else field_name("data"), parts, about)
            else:
                DAR.explain(reader, field_name("dar"), parts)


class RecordWire(Wire[ResultRecord]):
    """A-ResultRecord: OAD, RCSD, then 0 and a DAR, or 1, the number of rows and the rows.

    A row is one Data for each column and has no count of its own: the columns of this result alone tell its width.
    """

    def read(self, reader: Reader) -> ResultRecord:
        oad = OAD.read(reader)
        rcsd = RCSD.read(reader)
        if not read_success(reader):
            return ResultRecord(oad, rcsd, reader.octet())
        return ResultRecord(oad, rcsd, read_rows(reader, len(rcsd), reader.count()))

    def write(self, writer: Writer, value: ResultRecord) -> None:
        OAD.write(writer, value.oad)
        with naming("rcsd"):
            RCSD.write(writer, value.rcsd)
        if isinstance(value.outcome, int):
            writer.octets.append(0)
            DAR.write(writer, value.outcome)
            return
        writer.octets.append(1)
        writer.length(len(value.outcome))
        for index, row in enumerate(value.outcome):
            with naming(f"rows: {index}"):
                _write_row(writer, row, len(value.rcsd))

    def to_json(self, value: ResultRecord) -> Any:
        found = {"oad": OAD.to_json(value.oad), "rcsd": RCSD.to_json(value.rcsd)}
        if isinstance(value.outcome, int):
            return found | {"dar": DAR.to_json(value.outcome)}
        found["rows"] = [[DATA.to_json(cell) for cell in row] for row in value.outcome]
        quantities = column_quantities(selected(value.rcsd))
        return found | {"column_quantity": quantities} if quantities else found

    def from_json(self, found: Any) -> ResultRecord:
        table = mapping(found)
        with naming("oad"):
            oad = OAD.from_json(table.get("oad"))
        with naming("rcsd"):
            rcsd = RCSD.from_json(table.get("rcsd"))
        if "dar" in table:
            with naming("dar"):
                return ResultRecord(oad, rcsd, DAR.from_json(table["dar"]))
        with naming("rows"):
            rows = [tuple(DATA.from_json(cell) for cell in sequence(row)) for row in sequence(table.get("rows"))]
        return ResultRecord(oad, rcsd, tuple(rows))

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        with group(reader, name, fields) as parts:
            OAD.explain(reader, field_name("oad"), parts)
            start = reader.at
            RCSD.explain(reader, field_name("rcsd"), parts)
            columns = RCSD.read(Reader(reader.octets[start : reader.at]))
            if explain_success(reader, parts):
                for index in range(1, explain_count(reader, parts) + 1):
                    with group(reader, Text(f"row {index}", f"第{index}条记录"), parts) as cells:
                        for column in columns:
                            _explain_cell(reader, column, cells)
            else:
                DAR.explain(reader, field_name("dar"), parts)


def _write_row(writer: Writer, row: Sequence[Data], width: int) -> None:
    if len(row) != width:
        raise EncodeError(f"{len(row)} values for {width} columns")
    for cell in row:
        DATA.write(writer, cell)


def _explain_cell(reader: Reader, column: Column, fields: list[Field]) -> None:
    """One value of a row; that of a ROAD is an array with one element for each of its OADs."""
    about = attribute(column.road if isinstance(column, Road) else column)
    name = about.meaning if about else field_name("data")
    elements = [attribute(oad) for oad in column.oads] if isinstance(column, Road) else about
    DATA.explain_about(reader, name, fields, elements)


RESULT_NORMAL = NormalWire()
RESULT_RECORD = RecordWire()
RESULTS_NORMAL = Many(RESULT_NORMAL, field_name("result"))
RESULTS_RECORD = Many(RESULT_RECORD, field_name("result"))

Oad = Annotated[int, OAD]
Oads = Annotated[tuple[int, ...], OADS]
Dar = Annotated[int, DAR]
ResultsNormal = Annotated[tuple[ResultNormal, ...], RESULTS_NORMAL]
ResultsRecord = Annotated[tuple[ResultRecord, ...], RESULTS_RECORD]
