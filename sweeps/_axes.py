"""The name under which older records hold the axes of a sweep."""

from cn.sweeping.axes import Axes as Axes
