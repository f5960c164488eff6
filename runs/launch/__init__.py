"""Where a run is trained: the launchers of this repository, over those of `cn`. Each site may add its own."""

from cn.launching.launch import Launch as Launch
