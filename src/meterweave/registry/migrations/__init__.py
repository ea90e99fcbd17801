"""The chain of migrations; one file a step under ``versions``, never changed once released."""
