"""``python -m meterweave.cli``, the same as ``meterweave``."""

from meterweave.cli import main

main()
