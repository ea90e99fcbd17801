"""The kinds of records that files list, with their columns; in the order in which one refers to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from meterweave.registry.importing import column as cells
from meterweave.registry.importing.column import Column, normal_header
from meterweave.registry.models import Meter, Organisation, Terminal, TransformerDistrict
from meterweave.registry.vocabulary import Channel, Phase, TerminalKind, TerminalState, Utility, Wiring
from meterweave.text import Text


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of records.

    Attributes
    ----------
    name : str
        Ours; also what a sheet may be called.
    title : Text
        What an export calls the sheet.
    also : tuple of str
        Other names of sheets and files.
    model : type
        The table.
    columns : tuple of Column
        In the order of an export.
    identity : tuple of str
        The columns that say which record is meant; every row must fill them.
    wanted : tuple of str
        The columns that a new record must fill beside them.
    """

    name: str
    title: Text
    also: tuple[str, ...]
    model: type[Any]
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    wanted: tuple[str, ...] = ()

    @cached_property
    def by_header(self) -> Mapping[str, Column]:
        """Each column by every header it is known by."""
        return MappingProxyType(
            {
                normal_header(header): one
                for one in self.columns
                for header in (one.name, one.header.en, one.header.zh, *one.also)
            }
        )

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Each column by its name."""
        return MappingProxyType({one.name: one for one in self.columns})

    def is_called(self, text: str) -> bool:
        """Whether a sheet or file of this name lists these records."""
        wanted = normal_header(text)
        return any(normal_header(name) == wanted for name in (self.name, self.title.en, self.title.zh, *self.also))


def _name(*also: str) -> Column:
    return Column("name", Text("name", "名称"), also, cells.text_up_to(200), ("name",), cleared=("",))


_ORGANISATION = Column(
    "organisation",
    Text("organisation", "单位编码"),
    ("organisation code", "organization", "供电单位", "所属单位"),
    cells.number_text,
    cleared=(None,),
)
_DISTRICT = Column(
    "district",
    Text("district", "台区编码"),
    ("district code", "transformer district", "台区", "所属台区", "台区编号"),
    cells.number_text,
    cleared=(None,),
)


def _protocol(read: Callable[[str], str]) -> Column:
    return Column("protocol", Text("protocol", "通信规约"), ("规约", "协议", "通信协议"), read, ("protocol",))


ORGANISATIONS = Kind(
    "organisations",
    Text("organisations", "单位"),
    ("organizations", "单位档案", "供电单位"),
    Organisation,
    (
        Column("code", Text("code", "编码"), ("单位编码", "编号"), cells.number_text, ("code",)),
        _name("单位名称"),
        Column("parent", Text("parent", "上级单位编码"), ("上级单位", "上级"), cells.number_text, cleared=(None,)),
    ),
    identity=("code",),
    wanted=("name",),
)

DISTRICTS = Kind(
    "districts",
    Text("districts", "台区"),
    ("transformer districts", "台区档案"),
    TransformerDistrict,
    (
        Column("code", Text("code", "编码"), ("台区编码", "台区编号", "编号"), cells.number_text, ("code",)),
        _name("台区名称"),
        _ORGANISATION,
        Column(
            "rating",
            Text("rating (kVA)", "变压器容量(kVA)"),
            ("rating", "容量", "变压器容量", "transformer rating"),
            cells.kilovoltamperes,
            ("rating_va",),
            cleared=(None,),
            write=cells.write_kilovoltamperes,
        ),
        Column(
            "ct_ratio",
            Text("CT ratio", "CT变比"),
            ("ct", "电流互感器变比"),
            cells.ratio,
            ("ct_primary_a", "ct_secondary_a"),
            cleared=(1, 1),
            write=cells.write_ratio,
        ),
    ),
    identity=("code",),
    wanted=("name",),
)

TERMINALS = Kind(
    "terminals",
    Text("terminals", "终端"),
    ("concentrators", "终端档案", "集中器", "集中器档案"),
    Terminal,
    (
        _protocol(cells.terminal_protocol),
        Column(
            "address",
            Text("address", "终端地址"),
            ("terminal address", "terminal", "集中器地址", "地址"),
            cells.number_text,
        ),
        _name("终端名称"),
        Column(
            "kind",
            Text("kind", "终端类型"),
            ("terminal kind", "类型"),
            cells.word(TerminalKind),
            ("kind",),
            write=cells.write_word,
        ),
        _DISTRICT,
        Column(
            "heartbeat",
            Text("heartbeat (s)", "心跳周期(秒)"),
            ("heartbeat", "心跳周期", "心跳"),
            cells.whole(10, 86_400),
            ("heartbeat_s",),
        ),
        Column(
            "state", Text("state", "状态"), ("终端状态",), cells.word(TerminalState), ("state",), write=cells.write_word
        ),
        Column(
            "channel",
            Text("channel", "通信信道"),
            ("信道", "通信方式"),
            cells.word(Channel),
            ("channel",),
            write=cells.write_word,
        ),
        Column(
            "cell_group",
            Text("cell group", "小区组"),
            ("cell", "小区", "基站"),
            cells.text_up_to(64),
            ("cell_group",),
            cleared=(None,),
        ),
        Column(
            "port",
            Text("port", "线路端口"),
            ("line port", "端口", "url", "接入方式"),
            cells.line_port,
            ("port",),
            cleared=(None,),
        ),
        Column(
            "collector",
            Text("collector", "所属采集器"),
            ("gateway", "采集器", "采集器地址", "采集网关", "网关"),
            cells.number_text,
            cleared=(None,),
        ),
    ),
    identity=("protocol", "address"),
)

METERS = Kind(
    "meters",
    Text("meters", "电表"),
    ("电表档案", "表计", "表计档案", "表档案", "电能表"),
    Meter,
    (
        Column(
            "utility",
            Text("utility", "能源类型"),
            ("表计类型", "表类型", "介质", "medium"),
            cells.word(Utility),
            ("utility",),
            write=cells.write_word,
        ),
        _protocol(cells.meter_protocol),
        Column(
            "address",
            Text("address", "表地址"),
            ("meter address", "meter", "通信地址", "电表地址", "表号", "地址"),
            cells.number_text,
        ),
        Column(
            "terminal",
            Text("terminal", "终端地址"),
            ("terminal address", "concentrator", "集中器地址", "所属终端", "集中器"),
            cells.number_text,
            cleared=(None,),
        ),
        Column("terminal_protocol", Text("terminal protocol", "终端规约"), (), cells.terminal_protocol),
        Column(
            "port", Text("port", "端口"), ("端口号",), cells.text_up_to(32), ("port",), cleared=(None,)
        ),
        Column(
            "point_number",
            Text("point number", "测量点号"),
            ("pn", "point", "configuration number", "配置序号", "测量点"),
            cells.point_number,
            ("point_number",),
            cleared=(None,),
        ),
        Column(
            "asset_number",
            Text("asset number", "资产编号"),
            ("asset", "资产号", "出厂编号", "serial number"),
            cells.number_text,
            ("asset_number",),
            cleared=(None,),
        ),
        Column("model", Text("model", "型号"), ("表型号",), cells.text_up_to(64), ("model",), cleared=("",)),
        Column(
            "collector",
            Text("collector", "采集器地址"),
            ("采集器",),
            cells.number_text,
            ("collector",),
            cleared=(None,),
        ),
        Column(
            "baud", Text("baud rate", "波特率"), ("baud",), cells.whole(300, 1_000_000), ("baud",), cleared=(None,)
        ),
        Column(
            "tariff_count",
            Text("tariffs", "费率数"),
            ("tariff count", "费率个数"),
            cells.whole(1, 63),
            ("tariff_count",),
            cleared=(None,),
        ),
        Column(
            "ct_ratio",
            Text("CT ratio", "CT变比"),
            ("ct", "电流互感器变比"),
            cells.ratio,
            ("ct_primary", "ct_secondary"),
            cleared=(1, 1),
            write=cells.write_ratio,
        ),
        Column(
            "pt_ratio",
            Text("PT ratio", "PT变比"),
            ("pt", "vt", "电压互感器变比"),
            cells.ratio,
            ("pt_primary", "pt_secondary"),
            cleared=(1, 1),
            write=cells.write_ratio,
        ),
        Column(
            "wiring",
            Text("wiring", "接线方式"),
            (),
            cells.word(Wiring),
            ("wiring",),
            cleared=(None,),
            write=cells.write_word,
        ),
        Column(
            "phase",
            Text("phase", "相别"),
            ("相位", "phases"),
            cells.word(Phase),
            ("phase",),
            cleared=(None,),
            write=cells.write_word,
        ),
        Column(
            "register",
            Text("register", "计数器位数"),
            ("register digits", "字轮位数", "示数位数"),
            cells.register,
            ("register_digits", "register_decimals"),
            cleared=(None, None),
            write=cells.write_register,
        ),
        Column(
            "usage_point",
            Text("usage point", "用电点编号"),
            ("usage point code", "用电点", "计量点", "计量点编号"),
            cells.usage_point,
        ),
        Column(
            "installed",
            Text("installed", "安装日期"),
            ("installed at", "installation date", "安装时间", "装表日期"),
            cells.instant,
            write=cells.write_instant,
        ),
    ),
    identity=("protocol", "address"),
    wanted=("utility",),
)  # fmt: skip

KINDS: tuple[Kind, ...] = (ORGANISATIONS, DISTRICTS, TERMINALS, METERS)
"""All kinds, each after those it refers to."""
