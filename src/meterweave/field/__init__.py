"""Meters on a bus: a collector that masters RS-485 and M-Bus lines, through serial ports, serial servers or Modbus TCP.

`plan` says what a line is to do, `schedule` whether that can be done and who is next, `line` holds the discipline of a
line, `poller` reads its devices; none of these touches a port or a clock. `ports` and `dtu` are the ways to a line,
`collector` runs many lines, which may come and go, `order` carries out what somebody wants of one device, `scan` finds
the meters on a line. `draft` and `reach` make plans and ports of what archives have.
"""
