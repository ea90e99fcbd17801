"""The domain's words: quantities, quality, time, and the batch that carries readings."""
