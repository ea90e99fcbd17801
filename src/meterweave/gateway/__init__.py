"""A gateway: a small box at the site that masters its lines and hands what it reads to the centre, if late.

collector (`meterweave.field`) ─► store (journal, fsync) ─► uplink (TLS, interface N5) ─► centre: `kept` ─► trimmed
                                                              ◄── plan, wishes

What to read comes from the centre and is kept on disk, so that the gateway goes on by it whether or not the centre can
be reached. `wire` says what passes between the two and touches no socket; `store` is what survives a power cut.
"""
