"""DL/T 698.45: what its terminals say, and how they are asked.

`driver` hears and answers; the other modules each hold the conversations of one kind of wish, all of them over `line`.
"""

from meterweave.headend.dlt698.driver import HEARTBEAT, LOGIN, LOGOUT, NOT_ALLOWED, SUCCESS, Dlt698Driver

__all__ = ["HEARTBEAT", "LOGIN", "LOGOUT", "NOT_ALLOWED", "SUCCESS", "Dlt698Driver"]
