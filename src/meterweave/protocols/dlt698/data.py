"""The data types of DL/T 698.45-2017, clause 7.3.3, and what a value of each is in Python.

==================================================== ==========================================================
type                                                 value
==================================================== ==========================================================
null                                                 None
array, structure                                     a tuple of `Data`
bool                                                 the octet: 0, 1, or another that is true as well
the integers, enum, OI, OAD, OMD                     int
float32, float64                                     float; a NaN is its octets, so that values can be compared
strings, TSA, MAC, RN                                bytes
date_time, date, time, date_time_s, COMDCB           their octets (see `times`)
bit-string, TI, Region, Scaler_Unit, SID, SID_MAC    `BitString`, `TimeInterval`, `Region`, `ScalerUnit`, …
CSD, RCSD, ROAD, RSD, MS                             see `selection`
==================================================== ==========================================================
"""

from __future__ import annotations

from enum import IntEnum

from meterweave.protocols.dlt698 import selection, values
from meterweave.protocols.dlt698.datum import DATA, Data, DataType, Elements, Nested
from meterweave.text import Text

__all__ = ["DATA", "Data", "DataType", "Tag"]


class Tag(IntEnum):
    """The tags of Data; those between are reserved, and what follows them has no known length."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOL = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DATE_TIME_S = 28
    OI = 80
    OAD = 81
    ROAD = 82
    OMD = 83
    TI = 84
    TSA = 85
    MAC = 86
    RN = 87
    REGION = 88
    SCALER_UNIT = 89
    RSD = 90
    CSD = 91
    MS = 92
    SID = 93
    SID_MAC = 94
    COMDCB = 95
    RCSD = 96


DATA.define(
    {
        Tag.NULL: DataType("null", Text("null", "空"), values.NULL),
        Tag.ARRAY: DataType("array", Text("array", "数组"), Elements()),
        Tag.STRUCTURE: DataType("structure", Text("structure", "结构"), Elements()),
        Tag.BOOL: DataType("bool", Text("boolean", "布尔"), values.BOOLEAN),
        Tag.BIT_STRING: DataType("bit-string", Text("bit-string", "位串"), values.BIT_STRING),
        Tag.DOUBLE_LONG: DataType("double-long", Text("32-bit integer", "32位整数"), values.I32),
        Tag.DOUBLE_LONG_UNSIGNED: DataType(
            "double-long-unsigned", Text("unsigned 32-bit integer", "32位正整数"), values.U32
        ),
        Tag.OCTET_STRING: DataType("octet-string", Text("octet-string", "字节串"), values.OCTETS),
        Tag.VISIBLE_STRING: DataType("visible-string", Text("visible-string", "可视字符串"), values.VISIBLE_STRING),
        Tag.UTF8_STRING: DataType("UTF8-string", Text("UTF-8 string", "UTF-8字符串"), values.UTF8_STRING),
        Tag.INTEGER: DataType("integer", Text("8-bit integer", "8位整数"), values.I8),
        Tag.LONG: DataType("long", Text("16-bit integer", "16位整数"), values.I16),
        Tag.UNSIGNED: DataType("unsigned", Text("unsigned 8-bit integer", "8位正整数"), values.U8),
        Tag.LONG_UNSIGNED: DataType("long-unsigned", Text("unsigned 16-bit integer", "16位正整数"), values.U16),
        Tag.LONG64: DataType("long64", Text("64-bit integer", "64位整数"), values.I64),
        Tag.LONG64_UNSIGNED: DataType("long64-unsigned", Text("unsigned 64-bit integer", "64位正整数"), values.U64),
        Tag.ENUM: DataType("enum", Text("enumeration", "枚举"), values.U8),
        Tag.FLOAT32: DataType("float32", Text("32-bit float", "32位浮点数"), values.FLOAT32),
        Tag.FLOAT64: DataType("float64", Text("64-bit float", "64位浮点数"), values.FLOAT64),
        Tag.DATE_TIME: DataType("date_time", Text("date and time with milliseconds", "日期时间"), values.DATE_TIME),
        Tag.DATE: DataType("date", Text("date", "日期"), values.DATE),
        Tag.TIME: DataType("time", Text("time", "时间"), values.TIME),
        Tag.DATE_TIME_S: DataType("date_time_s", Text("date and time", "日期时间（秒）"), values.DATE_TIME_S),
        Tag.OI: DataType("OI", Text("object identifier", "对象标识"), values.OI),
        Tag.OAD: DataType("OAD", Text("object attribute", "对象属性描述符"), values.OAD),
        Tag.ROAD: DataType("ROAD", Text("record columns", "记录型对象属性描述符"), selection.ROAD),
        Tag.OMD: DataType("OMD", Text("object method", "对象方法描述符"), values.OMD),
        Tag.TI: DataType("TI", Text("time interval", "时间间隔"), values.TI),
        Tag.TSA: DataType("TSA", Text("target server address", "目标服务器地址"), values.TSA),
        Tag.MAC: DataType("MAC", Text("MAC", "数据安全MAC"), values.OCTETS),
        Tag.RN: DataType("RN", Text("random number", "随机数"), values.OCTETS),
        Tag.REGION: DataType("Region", Text("region", "区间"), Nested(selection.REGION)),
        Tag.SCALER_UNIT: DataType("Scaler_Unit", Text("scale and unit", "换算及单位"), values.SCALER_UNIT),
        Tag.RSD: DataType("RSD", Text("row selection", "记录行选择描述符"), Nested(selection.RSD)),
        Tag.CSD: DataType("CSD", Text("column selection", "列选择描述符"), selection.CSD),
        Tag.MS: DataType("MS", Text("meter set", "电能表集合"), Nested(selection.MS)),
        Tag.SID: DataType("SID", Text("security identifier", "安全标识"), values.SID),
        Tag.SID_MAC: DataType("SID_MAC", Text("security identifier and MAC", "安全标识和MAC"), values.SID_MAC),
        Tag.COMDCB: DataType("COMDCB", Text("port settings", "串口控制块"), values.COMDCB),
        Tag.RCSD: DataType("RCSD", Text("column selections", "记录列选择描述符"), selection.RCSD),
    }
)
