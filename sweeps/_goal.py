"""The name under which older records hold the goal of a sweep."""

from cn.sweeping.goal import Goal as Goal
