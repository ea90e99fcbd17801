"""Lines as those who master them see them."""

from __future__ import annotations

from sqlalchemy import text

from meterweave.registry import Directory, Registry, Terminal
from meterweave.registry.address import name_key
from meterweave.registry.lines import LineMeter, lines_of
from meterweave.registry.port import read_port
from meterweave.registry.vocabulary import TerminalState, Utility
from tests.registry.records import add_meter, add_terminal


def _estate(registry: Registry) -> dict[str, int]:
    with registry.writing() as session:
        gateway = add_terminal(session, "site-1", "n5")
        found = {name: add_terminal(session, name, "bus") for name in ("cellar", "roof", "bare", "broken")}
        found["cellar"].port = "tcp://192.0.2.7:8899?baud=2400"
        found["roof"].port, found["roof"].collector_id = "serial:/dev/ttyS1", gateway.id
        found["broken"].state = TerminalState.SUSPENDED
        concentrator = add_terminal(session, "1")
        for address, line, protocol in (
            ("u7", "cellar", "modbus"),
            ("12", "cellar", "cjt188"),
            ("u7", "roof", "modbus"),
        ):
            utility = Utility.WATER if protocol == "cjt188" else Utility.ELECTRICITY
            meter = add_meter(session, address, found[line], protocol=protocol, utility=utility)
            meter.model = f"{protocol}-model"
        add_meter(session, "77", concentrator)
        ids = {name: one.id for name, one in found.items()} | {"site-1": gateway.id}
    with registry.writing() as session:
        session.execute(text("UPDATE terminals SET port = 'by hand' WHERE address = 'broken'"))
    return ids


def test_each_master_has_its_lines(registry: Registry) -> None:
    ids = _estate(registry)
    with registry.reading() as session:
        own, theirs, nobodys = lines_of(session, None), lines_of(session, ids["site-1"]), lines_of(session, 4711)
    assert [line.name for line in own] == ["cellar", "bare", "broken"]
    cellar, bare, broken = own
    assert (cellar.terminal, cellar.state, cellar.runs) == (ids["cellar"], TerminalState.PLANNED, True)
    assert cellar.port == read_port("tcp://192.0.2.7:8899?baud=2400")
    assert cellar.problem is None
    first, second = cellar.meters
    assert first == LineMeter(first.id, Utility.ELECTRICITY, "modbus", "u7", "modbus-model")
    assert second == LineMeter(second.id, Utility.WATER, "cjt188", "00000000000012", "cjt188-model")
    assert bare.port is None
    assert bare.problem is not None
    assert "no port" in bare.problem.en
    assert broken.problem is not None
    assert "'by hand' is no port" in broken.problem.en
    assert not broken.runs
    assert [(line.name, [meter.address for meter in line.meters]) for line in theirs] == [("roof", ["u7"])]
    assert nobodys == []


def test_the_directory_knows_lines_and_gateways_by_their_names(registry: Registry) -> None:
    ids = _estate(registry)
    snapshot = Directory(registry).snapshot
    line = snapshot.terminal("bus", name_key("cellar"))
    assert line is not None
    assert (line.id, line.may_log_in, line.address) == (ids["cellar"], True, f"#{name_key('cellar'):016x}")
    broken = snapshot.terminals.by_id(ids["broken"])
    assert broken is not None
    assert not broken.may_log_in
    gateway = snapshot.terminal("n5", name_key("site-1"))
    assert gateway is not None
    assert gateway.id == ids["site-1"]
    with registry.writing() as session:
        session.get_one(Terminal, ids["roof"]).collector_id = None
    with registry.reading() as session:
        assert [line.name for line in lines_of(session, None)] == ["cellar", "roof", "bare", "broken"]
