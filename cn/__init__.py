"""CN: experiments as Python classes. This package is the config layer; it knows Hydra and no torch."""

# it ends the process where a folder hides what the next lines import
import cn.beside  # noqa: F401  # pyright: ignore[reportUnusedImport]
from cn.compose import compose as compose
from cn.derived import derive as derive
from cn.errors import CNError as CNError
from cn.errors import DefinitionError as DefinitionError
from cn.errors import FrozenError as FrozenError
from cn.errors import MissingValueError as MissingValueError
from cn.errors import RunError as RunError
from cn.errors import UserError as UserError
from cn.main import Job as Job
from cn.main import main as main
from cn.node import CN as CN
from cn.node import CNMeta as CNMeta
from cn.record import load as load
from cn.target import instantiate as instantiate
