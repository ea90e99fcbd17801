"""Archives on both engines, as the tests of the registry have them."""

from tests.registry.conftest import _shared, registry

__all__ = ["_shared", "registry"]
