"""What a master says, and in which order: frame count bit, requests, telegrams joined to one answer (EN 13757-2).

Nothing here touches a line or a clock. A master sends, waits for the answer or for silence, and tells what came.
"""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.errors import EncodeError
from meterweave.protocols.mbus import words
from meterweave.protocols.mbus.header import SecondaryAddress
from meterweave.protocols.mbus.message import (
    APPLICATION_RESET,
    SELECT,
    SEND_DATA,
    Long,
    Message,
    Plain,
    Selection,
    Short,
    VariableData,
)
from meterweave.protocols.mbus.record import Record, Records, make_record

ANSWERS_MAX = 32  # telegrams of one answer; a slave that promises more, or repeats itself, for ever is left here
_ADDRESS_HEADER = bytes([0x01, 0x7A])  # an 8-bit integer: the bus address


class Link:
    """The frame count bit of one slave (EN 60870-5-2, unbalanced transmission).

    The bit changes with every message that was answered; an unanswered one is sent again with the same bit, so that
    the slave knows the repetition. After a reset of the link the first message carries 1.
    """

    def __init__(self, address: int) -> None:
        self.address = address
        self._fcb = True
        self._pending_reset = False

    def reset(self) -> Short:
        """SND_NKE: reset of the link, at `words.SELECTED` also the end of a selection."""
        self._pending_reset = True
        return Short(words.SND_NKE, self.address)

    def request_data(self) -> Short:
        """REQ_UD2: the next telegram of class 2 data, or the last one again when it was not `answered`."""
        return Short(self._control(words.REQ_UD2), self.address)

    def request_alarms(self) -> Short:
        """REQ_UD1: alarms; E5 means none."""
        return Short(self._control(words.REQ_UD1), self.address)

    def send_records(self, records: Sequence[Record]) -> Long:
        """SND_UD with data records, for instance `build_record`s or a selection of what to read."""
        body = VariableData(None, Records(tuple(records)))
        return Long(self._control(words.SND_UD), self.address, SEND_DATA, body)

    def set_address(self, address: int) -> Long:
        """SND_UD that gives the slave another primary address.

        Raises
        ------
        EncodeError
            If `address` is outside 0 to 250.
        """
        if not 0 <= address <= words.PRIMARY_MAX:
            raise EncodeError(f"address is {address}, wanted 0 to {words.PRIMARY_MAX}")
        return self.send_records([Record(make_record(_ADDRESS_HEADER, 0).head, bytes([address]))])

    def set_speed(self, baud: int) -> Long:
        """SND_UD that changes the slave's speed. [Bd]

        Raises
        ------
        EncodeError
            If M-Bus has no such speed.
        """
        codes = {rate: ci for ci, rate in words.BAUD_RATES.items()}
        if baud not in codes:
            raise EncodeError(f"speed is {baud} Bd, wanted one of {', '.join(map(str, codes))}")
        return Long(self._control(words.SND_UD), self.address, codes[baud], Plain())

    def reset_application(self, subcode: int | None = None) -> Long:
        """SND_UD that starts the answer at its first telegram again; `subcode` chooses what is to be read."""
        octets = b"" if subcode is None else bytes([subcode])
        return Long(self._control(words.SND_UD), self.address, APPLICATION_RESET, Plain(octets))

    def answered(self) -> None:
        """The slave answered the last message: the next one carries the other bit."""
        self._fcb = self._pending_reset or not self._fcb
        self._pending_reset = False

    def _control(self, service: int) -> int:
        return service | (words.FCB if self._fcb else 0)


def select(address: SecondaryAddress) -> Long:
    """SND_UD to the network layer's address: slaves that `address` covers answer E5, and listen at FDH from then on."""
    return Long(words.SND_UD, words.SELECTED, SELECT, Selection(address, Records(())))


def deselect() -> Short:
    """SND_NKE to the selected slaves: the end of a selection."""
    return Short(words.SND_NKE, words.SELECTED)


class Readout:
    """Joins the telegrams of one answer: ask, hear, ask again while more records follow.

    >>> readout = Readout(Link(5))
    >>> readout.request
    Short(control=123, address=5)
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.telegrams: list[Long] = []
        self.records: list[Record] = []
        self.manufacturer_data: list[bytes] = []
        self.complete = False
        self._heard_count = 0

    @property
    def request(self) -> Message | None:
        """What to send next; None when the answer is complete. After silence it is the same again."""
        return None if self.complete else self._link.request_data()

    def heard(self, message: Message) -> None:
        """Take one answer of the slave.

        An acknowledge means that it has nothing to say. An answer without records (an application error, the fixed
        structure) stands alone. A telegram word for word like the last one is a repetition: the slave did not hear
        that its last one arrived; it is asked again with the other frame count bit.
        """
        self._link.answered()
        self._heard_count += 1
        self.complete = not isinstance(message, Long) or self._heard_count >= ANSWERS_MAX
        if not isinstance(message, Long) or (self.telegrams and message == self.telegrams[-1]):
            return
        self.telegrams.append(message)
        body = message.body
        more = False
        if isinstance(body, VariableData):
            self.records += body.records.records
            if body.records.manufacturer_data:
                self.manufacturer_data.append(body.records.manufacturer_data)
            more = body.records.more_follow
        self.complete |= not more
