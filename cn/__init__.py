"""CN: experiments as Python classes. This package is the config layer; it knows Hydra and no torch."""

# `cn.shadowing` ends the process if a node folder hides a module that the next lines import.
import cn.shadowing  # noqa: F401, I001  # pyright: ignore[reportUnusedImport]
from typing import TYPE_CHECKING

from cn.cli.main import main as main
from cn.composing.compose import compose as compose
from cn.errors import CNError as CNError
from cn.errors import DefinitionError as DefinitionError
from cn.errors import FrozenError as FrozenError
from cn.errors import MissingValueError as MissingValueError
from cn.errors import RunError as RunError
from cn.errors import UserError as UserError
from cn.job import Diverged as Diverged
from cn.job import Job as Job
from cn.job import Pruned as Pruned
from cn.lazy import lazily
from cn.nodes.derived import derive as derive
from cn.nodes.node import CN as CN
from cn.nodes.node import CNMeta as CNMeta
from cn.nodes.notes import Key as Key
from cn.nodes.notes import Neutral as Neutral
from cn.nodes.notes import Was as Was

if TYPE_CHECKING:
    from cn.nodes.bundle import Bundle as Bundle
    from cn.nodes.patch import Patch as Patch
    from cn.nodes.target import instantiate as instantiate
    from cn.writing.record import load as load

__getattr__ = lazily(
    __name__, Bundle="cn.nodes.bundle", Patch="cn.nodes.patch", instantiate="cn.nodes.target", load="cn.writing.record"
)
