"""The API under ``/api/v1``: words of HTTP around the managers, which decide, and never a table beneath them.

Shield (sizes, paces, headers, log) ─► routes ─► caller (who is it?) ─► manager ─► archives, lake
                                         └── whatever goes wrong is one shape: problem+json, in two languages
"""
