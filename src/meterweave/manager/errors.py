"""What the managers refuse, in words for both kinds of reader.

ManagerError
├── NotAllowed       the permission is lacking; the message names it
├── NotVisible       there is no such thing, or it is outside the caller's organisations: nobody is told which
├── AskedWrongly     a question that cannot be put so: a bound is passed, a name is none
├── LoginRefused     name, password or code is wrong, or the user is disabled: nobody is told which
│   └── HeldOff      too many failures; `wait_s` says for how long
├── CodeNeeded       the password was right; a one-time code is asked for
├── PasswordRefused  a new password that is too easy; `code` says why
├── AccountError     a user, role, key or organisation that cannot be made so
└── KeyFileError     the file that seals secrets is missing, damaged or open to others
"""

from __future__ import annotations

from meterweave.errors import MeterweaveError
from meterweave.text import Text


class ManagerError(MeterweaveError):
    """The root; `text` is the message in both languages, ``str()`` the English one."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class NotAllowed(ManagerError):  # noqa: N818 - a state of the caller's rights, named as people name it
    """The caller lacks a permission."""

    def __init__(self, text: Text, permission: str = "") -> None:
        super().__init__(text)
        self.permission = permission


class NotVisible(ManagerError):  # noqa: N818
    """Not stored, or not in the caller's scope."""


class AskedWrongly(ManagerError):  # noqa: N818
    """A question that cannot be put so."""


class LoginRefused(ManagerError):  # noqa: N818
    """Nobody is let in."""

    def __init__(self, text: Text | None = None) -> None:
        super().__init__(text or Text("the name, the password or the code is wrong", "用户名、密码或验证码错误"))


class HeldOff(LoginRefused):
    """Too many failures: the next attempt is looked at in `wait_s` seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            Text(f"too many failed attempts; try again in {wait_s} s", f"失败次数过多，请在{wait_s}秒后重试")
        )
        self.wait_s = wait_s


class CodeNeeded(ManagerError):  # noqa: N818
    """The password was right, and the user has one-time codes."""

    def __init__(self) -> None:
        super().__init__(Text("a one-time code is needed", "需要动态验证码"))


class PasswordRefused(ManagerError):  # noqa: N818
    """A new password that is not good enough: `code` is one of `meterweave.manager.password.RULES`."""

    def __init__(self, code: str, text: Text) -> None:
        super().__init__(text)
        self.code = code


class AccountError(ManagerError):
    """Something about users that cannot be."""


class KeyFileError(ManagerError):
    """The file with the sealing key cannot be used."""
